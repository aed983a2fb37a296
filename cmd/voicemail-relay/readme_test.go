package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadmeCommands runs what the README shows, block by block, in one shell; ports alone are replaced by free ones.
func TestReadmeCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	natsPort, apiPort := freePort(t), freePort(t)
	var script strings.Builder
	script.WriteString("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) < 4 {
		t.Fatalf("%d blocks of commands in the README, want those that a newcomer needs", len(blocks))
	}
	for _, b := range blocks {
		text := string(b[1])
		if strings.Contains(text, "go build") { // CI builds all commands; here the command is on PATH
			continue
		}
		text = strings.NewReplacer("http://127.0.0.1:8099", "http://127.0.0.1:"+apiPort, "voicemail-relay emulate ", "voicemail-relay emulate --addr 127.0.0.1:"+apiPort+" ").Replace(text)
		script.WriteString(text)
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RELAY_NATS_URL=nats://127.0.0.1:" + natsPort, "RELAY_HTTP_ADDR=127.0.0.1:0"}
	cmd.WaitDelay = 10 * time.Second
	timer := time.AfterFunc(90*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"published on call.ended: stream CALLS, sequence 1", "my-session-1", "transcript completed", "wait.first"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the README's commands do not print %q:\n%s", want, out)
		}
	}
}
