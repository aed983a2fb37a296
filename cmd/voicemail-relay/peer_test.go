package main

import (
	"flag"
	"os/exec"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

var (
	oldServer    = flag.String("nats.old", "", "a nats-server before 2.12, to be refused")
	oldestServer = flag.String("nats.oldest", "", "the oldest nats-server that works, 2.12.0")
)

// released starts a released nats-server.
func released(t *testing.T, path string) (url string) {
	t.Helper()
	if path == "" {
		t.Skip("no server is given; .ci/run gives it")
	}
	port := freePort(t)
	cmd := exec.Command(path, "-js", "-sd", t.TempDir(), "-a", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return "nats://127.0.0.1:" + port
}

// A server before 2.12 would accept appointments and never fire them.
func TestOldServerIsRefused(t *testing.T) {
	url := released(t, *oldServer)
	for _, args := range [][]string{
		{"run", "--nats.url", url, "--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b"},
		{"setup", "--nats.url", url, "--smartassist.app_id", "a"},
		{"doctor", "--no-request", "--nats.url", url, "--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b"},
	} {
		var out string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); { // setup does not wait for a server that is still starting
			p := begin(t, args...)
			select {
			case <-p.done:
			case <-time.After(20 * time.Second):
				t.Fatalf("%s still runs: %s", args[0], p.out.String())
			}
			out = p.out.String()
			if code := p.cmd.ProcessState.ExitCode(); code != 1 {
				t.Fatalf("%s: exit %d, want 1: %s", args[0], code, out)
			}
			if !strings.Contains(out, "connection refused") || strings.Contains(out, "is too old") { // the API's may be, doctor says
				break
			}
		}
		if !strings.Contains(out, "is too old") || !strings.Contains(out, "run nats-server 2.12 or later") {
			t.Errorf("%s says %s, want what is wrong and the cure", args[0], out)
		}
	}
}

// The oldest server that the relay takes does its whole job, appointments included.
func TestOldestServerWorks(t *testing.T) {
	s := newStorm(t, released(t, *oldestServer), "--wait.first", "500ms")
	s.api.ScriptEvery(emu.NotYet(), emu.Ready("x"))
	s.relays = []*process{s.relay()}
	s.publish(60)
	s.settle(time.Minute)
}
