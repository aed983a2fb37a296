package main

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// These two take longest, and each takes one core at most: they run beside all others. This file's name is the first, and so they begin first.

func TestSimulation(t *testing.T)          { aside(t, testSimulation) }
func TestClusterLosesNothing(t *testing.T) { aside(t, testClusterLosesNothing) }

// aside runs a test in a process of its own, while this one goes on with others: here two bubbles may not be at once (see bubble), nor a bubble
// beside real sockets. Whoever asks for tests by name has them run here.
func aside(t *testing.T, test func(*testing.T)) {
	t.Helper()
	if testing.Short() || flag.Lookup("test.run").Value.String() != "" {
		test(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v"}
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") || f.Name == "test.timeout" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	var out lockedBuffer
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Parallel() // which waits until all that are not have ended
	err = cmd.Wait()
	t.Log(out.String())
	if passed := strings.Contains(out.String(), "--- PASS: "+t.Name()+" ("); err != nil || !passed {
		t.Errorf("it ended with %v, passed: %v", err, passed)
	}
}
