package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is the command running for real.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan error
}

func begin(t *testing.T, args ...string) *process {
	t.Helper()
	return launch(t, nil, "voicemail-relay", args...)
}

func launch(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(name, args...), out: &lockedBuffer{}, done: make(chan error, 1)}
	p.cmd.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	go func() { p.done <- p.cmd.Wait() }() // ends with the process
	t.Cleanup(func() { once.Do(func() { _ = p.cmd.Process.Kill() }) })
	return p
}

// command runs it to its end and returns what it printed, and its exit code.
func command(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	p := begin(t, args...)
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("%v did not end; it printed %s", args, p.out.String())
	}
	return p.out.String(), p.cmd.ProcessState.ExitCode()
}

// find waits until a text was printed, and returns what stands behind it on that line.
func (p *process) find(text string) string {
	p.t.Helper()
	for end := time.After(30 * time.Second); ; {
		s := bufio.NewScanner(strings.NewReader(p.out.String()))
		for s.Scan() {
			if _, rest, ok := strings.Cut(s.Text(), text); ok {
				return rest
			}
		}
		select {
		case <-end:
			p.t.Fatalf("it never printed %q, but %s", text, p.out.String())
		case err := <-p.done:
			p.t.Fatalf("it ended with %v before it printed %q: %s", err, text, p.out.String())
		case <-time.After(20 * time.Millisecond): // a real process: nothing tells when it has printed
		}
	}
}

// end sends a signal and returns the exit code.
func (p *process) end(sig os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Fatalf("it did not end on %s: %s", sig, p.out.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestSmallSiteWithEmbeddedServer(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	emulator := begin(t, "emulate", "--addr", "127.0.0.1:0", "--script", "not_yet,ready:Hello from the emulator", "--rate-limit", "0")
	api := "http://" + strings.Fields(emulator.find("on http://"))[0]
	url := "nats://127.0.0.1:" + freePort(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--nats.embedded", "--nats.store_dir", filepath.Join(t.TempDir(), "store"), "--nats.url", url, "--http.addr", "127.0.0.1:0",
		"--smartassist.base_url", api, "--smartassist.app_id", "cs-test", "--smartassist.app_secret_file", secret, "--wait.first", "0s", "--wait.max", "200ms", "--log.format", "json"}
	relay := begin(t, args...)
	relay.find("voicemail-relay starts")
	base := httpAddr(t, relay)
	awaitReady(t, base)

	if out, code := command(t, "publish", "st-1", "s1", "--field", "queue=sales", "--nats.url", url); code != 0 || !strings.Contains(out, "stream CALLS, sequence 1") {
		t.Fatalf("publish: exit %d, %s", code, out)
	}
	out, code := command(t, "watch", "--all", "--count", "1", "--json", "--nats.url", url)
	if code != 0 || !strings.Contains(out, `"transcript":"Hello from the emulator"`) || !strings.Contains(out, `"requests":2`) {
		t.Fatalf("watch: exit %d, %s", code, out)
	}
	if out, code := command(t, "watch", "--all", "--count", "1", "--nats.url", url); code != 0 || strings.Contains(out, "Hello") || !strings.Contains(out, "ready") {
		t.Errorf("watch shows a transcript that nobody asked to reveal, or no verdict: exit %d, %s", code, out)
	}
	for _, path := range []string{"/livez", "/healthz", "/readyz"} {
		if status, body := get(t, base+path); status != http.StatusOK {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
	_, metrics := get(t, base+"/metrics")
	for _, want := range []string{`voicemail_relay_settled_calls_total{reason="",verdict="ready"} 1`, `voicemail_relay_requests_total{account="cs-test",result="ready"} 1`,
		`voicemail_relay_requests_total{account="cs-test",result="nothing_yet"} 1`, "voicemail_relay_ready 1", "go_goroutines", "process_cpu_seconds_total", "voicemail_relay_ready_seconds_count 1"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}

	if code := relay.end(syscall.SIGKILL); code != -1 {
		t.Errorf("killed, but it exits with %d", code)
	}
	relay = begin(t, args...)
	awaitReady(t, httpAddr(t, relay))
	for range 2 { // told again after a crash, and a fresh one
		if out, code := command(t, "publish", "st-1", "s1", "--nats.url", url); code != 0 {
			t.Fatalf("publish: exit %d, %s", code, out)
		}
	}
	if _, code := command(t, "publish", "st-1", "s2", "--nats.url", url); code != 0 {
		t.Fatal("publish s2")
	}
	out, _ = command(t, "watch", "--all", "--count", "2", "--json", "--nats.url", url)
	if n := strings.Count(out, `"sessionId":"s1"`); n != 1 || !strings.Contains(out, `"sessionId":"s2"`) {
		t.Errorf("s1 was told %d times, want once, then s2: %s", n, out)
	}
	if out, code := command(t, "publish", "st-1", "s1", "--again", "--nats.url", url); code != 0 {
		t.Fatalf("publish --again: exit %d, %s", code, out)
	}
	out, _ = command(t, "watch", "--all", "--count", "3", "--json", "--nats.url", url)
	if n := strings.Count(out, `"sessionId":"s1"`); n != 2 {
		t.Errorf("s1 was told %d times after --again, want twice: %s", n, out)
	}
	if code := relay.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM ends it with exit code %d, want 0: %s", code, relay.out.String())
	}
	if log := relay.out.String(); strings.Contains(log, "eyJ") || strings.Contains(log, "Hello from") || strings.Contains(log, "$$") {
		t.Errorf("the log holds a token, transcript or link: %s", log)
	}
}

// httpAddr reads the ops endpoints' address out of the log.
func httpAddr(t *testing.T, p *process) string {
	t.Helper()
	rest := p.find(`"http":"`)
	return rest[:strings.IndexByte(rest, '"')]
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func awaitReady(t *testing.T, base string) {
	t.Helper()
	for end := time.After(20 * time.Second); ; {
		status, body := get(t, base+"/readyz")
		if status == http.StatusOK {
			return
		}
		select {
		case <-end:
			t.Fatalf("not ready: %s", body)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestRunWithoutServerWaitsAndOthersGiveUp(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("real processes")
	}
	url := "nats://127.0.0.1:" + freePort(t)
	relay := begin(t, "run", "--nats.url", url, "--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b")
	base := httpAddr(t, relay)
	status, body := get(t, base+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "nats is not connected") {
		t.Errorf("/readyz answers %d %q, want 503 with the reason", status, body)
	}
	if status, _ := get(t, base+"/livez"); status != http.StatusOK {
		t.Errorf("/livez answers %d, want 200: it is alive", status)
	}
	start := time.Now()
	out, code := command(t, "setup", "--nats.url", url)
	if took := time.Since(start); code != 1 || took < 4900*time.Millisecond || took > 8*time.Second || !strings.Contains(out, "connection refused") || !strings.Contains(out, "nats.url") {
		t.Errorf("setup without a server: exit %d after %s, %s", code, time.Since(start), out)
	}
	if code := relay.end(os.Interrupt); code != 0 {
		t.Errorf("interrupted while it waits for a server: exit %d, want 0", code)
	}
}

func TestDemoShowsEveryKindAndEnds(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	start := time.Now()
	out, code := command(t, "demo", "--speed", "40")
	if code != 0 || time.Since(start) > 30*time.Second {
		t.Fatalf("exit %d after %s: %s", code, time.Since(start), out)
	}
	for _, want := range []string{"READY", "ABSENT", "FAILED", "rejected", "malformed", "folded", `"Hi, this is voicemail testing."`, "14 calls: 10 ready, 2 absent, 2 failed."} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not show %s:\n%s", want, out)
		}
	}
}

func TestSetupSaysWhatItDoes(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	url := "nats://127.0.0.1:" + freePort(t)
	server := begin(t, "run", "--nats.embedded", "--nats.store_dir", t.TempDir(), "--nats.url", url, "--nats.prefix", "other-", "--calls.subject", "other.ended", "--ready.subject", "other.ready",
		"--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b")
	awaitReady(t, httpAddr(t, server))
	out, code := command(t, "setup", "--nats.url", url, "--smartassist.app_id", "cs-test")
	for _, want := range []string{"stream CALLS created", "stream VOICEMAIL_WORK created", "stream VOICEMAILS created", "bucket VOICEMAIL_LEDGER created", "bucket VOICEMAIL_BUDGET created", "durable voicemail-relay on stream CALLS created"} {
		if !strings.Contains(out, want) {
			t.Errorf("setup does not say %q: exit %d, %s", want, code, out)
		}
	}
	if out, code := command(t, "setup", "--nats.url", url, "--smartassist.app_id", "cs-test"); code != 0 || !strings.Contains(out, "nothing to change") {
		t.Errorf("setup once more: exit %d, %s", code, out)
	}
	out, code = command(t, "setup", "--nats.url", url, "--ledger.keep", "200h", "--json", "--smartassist.app_id", "cs-test")
	var told struct {
		Changes []string
		Calls   string
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(out))).Decode(&told); err != nil || code != 0 || told.Calls != "CALLS" {
		t.Fatalf("setup --json: exit %d, %v, %s", code, err, out)
	}
	for _, want := range []string{"duplicate window 168h0m0s → 200h0m0s", "VOICEMAIL_LEDGER keeps 200h0m0s", "CALLS updated: max_age"} {
		if !strings.Contains(fmt.Sprint(told.Changes), want) {
			t.Errorf("setup does not say %q: %v", want, told.Changes)
		}
	}
	out, code = command(t, "setup", "--nats.url", url, "--nats.prefix", "third-")
	if code != 1 || !strings.Contains(out, "set nats.prefix and ready.subject") {
		t.Errorf("a second deployment on the same subjects: exit %d, %s", code, out)
	}
	out, code = command(t, "setup", "--nats.url", url, "--nats.prefix", "fourth-", "--ready.subject", "fourth.ready", "--nats.replicas", "3")
	if code != 1 || !strings.Contains(out, "in no cluster: set nats.replicas to 1") {
		t.Errorf("three replicas on one server: exit %d, %s", code, out)
	}
	out, code = command(t, "setup", "--nats.url", url, "--calls.stream", "NOSUCH")
	if code != 1 || !strings.Contains(out, "another stream holds some of them: set calls.stream to that one") {
		t.Errorf("another stream for the same calls: exit %d, %s", code, out)
	}
}
