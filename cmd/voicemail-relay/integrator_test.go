package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var installed = flag.Bool("examples.installed", false, "what the examples in JavaScript need is installed: their test is not skipped")

const examples = "../../deploy/examples/"

// place is what the examples stand between: a relay with a server and the emulator, as real processes.
type place struct {
	relay    *process
	url, api string
	js       jetstream.JetStream
}

func beginPlace(t *testing.T) place {
	t.Helper()
	emulator := begin(t, "emulate", "--addr", "127.0.0.1:0", "--script", "ready:Hello from the emulator", "--rate-limit", "0")
	s := place{api: "http://" + strings.Fields(emulator.find("on http://"))[0], url: "nats://127.0.0.1:" + freePort(t)}
	s.relay = begin(t, "run", "--nats.embedded", "--nats.store_dir", t.TempDir(), "--nats.url", s.url, "--http.addr", "127.0.0.1:0",
		"--smartassist.base_url", s.api, "--smartassist.app_id", "cs-test", "--smartassist.app_secret", "test", "--smartassist.rate_limit", "0", "--wait.first", "0s")
	awaitReady(t, httpAddr(t, s.relay))
	nc, err := nats.Connect(s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s.js, _ = jetstream.New(nc)
	return s
}

// build compiles one of the examples in Go.
func build(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", bin, "./"+examples+"go/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// event publishes a voicemail.ready as a relay would, but for what the header changes; the Msg-Id is of its own.
func (s place) event(t *testing.T, id, body string, header ...string) {
	t.Helper()
	m := nats.NewMsg("voicemail.ready")
	m.Data = []byte(body)
	if id != "" {
		header = append([]string{"ce-specversion", "1.0", "ce-id", id, "ce-type", "voicemail.ready"}, header...)
	}
	for i := 0; i+1 < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	if _, err := s.js.PublishMsg(context.Background(), m); err != nil {
		t.Fatal(err)
	}
}

func TestBridgeTurnsPostsIntoCalls(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	s := beginPlace(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-the-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := launch(t, []string{"NATS_URL=" + s.url, "BRIDGE_ADDR=127.0.0.1:0", "BRIDGE_TOKEN_FILE=" + token}, build(t, "bridge"))
	base := "http://" + b.find("listening on http://")
	awaitReady(t, base)
	post := func(token, body string) (int, string, http.Header) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodPost, base+"/call-ended", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), resp.Header
	}
	const good, call = "a-token-of-the-test", `{"botId":"st-1","sessionId":"s1","caller":"+15550100","nested":{"a":[1,2]}}`
	for _, row := range []struct {
		name, token, body string
		status            int
		answer            string
	}{
		{"a wrong token", "another", call, 401, "token"},
		{"no JSON", good, "hello", 400, "not a JSON object"},
		{"no session", good, `{"botId":"st-1"}`, 400, "sessionId"},
		{"too much", good, `{"botId":"st-1","sessionId":"s1","x":"` + strings.Repeat("x", 65_536) + `"}`, 413, "65,536"},
		{"a call", good, call, 202, `{"stream":"CALLS","sequence":1,"duplicate":false}`},
		{"the same call again", good, call, 202, `{"stream":"CALLS","sequence":1,"duplicate":true}`},
		{"streamId instead of botId", good, `{"streamId":"st-1","sessionId":"s2"}`, 202, `"duplicate":false`},
	} {
		if status, answer, _ := post(row.token, row.body); status != row.status || !strings.Contains(answer, row.answer) {
			t.Errorf("%s: got %d %s, want %d with %s", row.name, status, answer, row.status, row.answer)
		}
	}
	if status, _ := get(t, base+"/call-ended"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET answers %d, want 405", status)
	}
	out, code := command(t, "watch", "--all", "--count", "2", "--json", "--nats.url", s.url)
	if code != 0 || !strings.Contains(out, `"call":{"caller":"+15550100","nested":{"a":[1,2]}}`) || !strings.Contains(out, `"sessionId":"s2"`) {
		t.Errorf("what was posted does not come back in its voicemail: exit %d, %s", code, out)
	}
	s.relay.end(syscall.SIGTERM)
	if status, answer, header := post(good, `{"botId":"st-1","sessionId":"s3"}`); status != 503 || header.Get("Retry-After") == "" || !strings.Contains(answer, "not stored") {
		t.Errorf("without NATS: got %d %s, want 503 with Retry-After", status, answer)
	}
	if code := b.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM ends the bridge with exit code %d: %s", code, b.out.String())
	}
	if log := b.out.String(); strings.Contains(log, good) || strings.Contains(log, "+1555") {
		t.Errorf("the bridge's log holds a token or a caller's number: %s", log)
	}
}

func TestConsumersKeepEachVoicemailOnce(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	s := beginPlace(t)
	if out, code := command(t, "publish", "st-1", "real", "--nats.url", s.url); code != 0 {
		t.Fatalf("publish: exit %d, %s", code, out)
	}
	out, _ := command(t, "watch", "--all", "--count", "1", "--json", "--nats.url", s.url)
	var real struct{ FileURL string }
	if err := json.Unmarshal([]byte(out), &real); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var asked atomic.Int64
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/another":
			_, _ = io.WriteString(w, "RIFF")
		case "/revoked":
			w.WriteHeader(http.StatusForbidden)
		case "/moved":
			http.Redirect(w, r, real.FileURL, http.StatusFound)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer files.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a link of an unknown origin was followed") }))
	defer elsewhere.Close()
	ready := func(session, link, more string) string {
		return fmt.Sprintf(`{"botId":"st-1","sessionId":%q,"transcript":"Hi","transcriptStatus":"completed","fileUrl":%q%s}`, session, link, more)
	}
	const signature = "?s=canary-signature"
	s.event(t, "another", ready("another", files.URL+"/another"+signature, ""))
	s.event(t, "another", ready("another", files.URL+"/another"+signature, "")) // told again, as a plain subscriber may hear it
	s.event(t, "old", ready("old", files.URL+"/old"+signature, `,"fileUrlExpiresAt":"2026-01-01T00:00:00Z"`))
	s.event(t, "revoked", ready("revoked", files.URL+"/revoked"+signature, ""))
	s.event(t, "foreign", ready("foreign", elsewhere.URL+"/"+signature, ""))
	s.event(t, "../../up", ready("up", elsewhere.URL+"/"+signature, ""))
	s.event(t, "", `{"specversion":"1.0","id":"wrapped","source":"/x","type":"voicemail.ready","data":`+ready("wrapped", real.FileURL, "")+`}`, "Content-Type", "application/cloudevents+json")
	s.event(t, "other-type", ready("other", real.FileURL, ""), "ce-type", "voicemail.other")
	s.event(t, "no-json", "hello")
	s.event(t, "moved", ready("moved", files.URL+"/moved"+signature, ""))
	s.event(t, "later", ready("later", files.URL+"/later"+signature, ""))

	consume := func(t *testing.T, durable string, environ []string, argv ...string) {
		dir := t.TempDir()
		asked.Store(0)
		p := launch(t, append(environ, "NATS_URL="+s.url, "VOICEMAIL_DIR="+dir, "VOICEMAIL_ORIGINS="+s.api+","+files.URL), argv[0], argv[1:]...)
		p.find("the recording's host answers HTTP 503")
		if code := p.end(syscall.SIGTERM); code != 0 {
			t.Errorf("SIGTERM ends it with exit code %d, want 0", code)
		}
		log := p.out.String()
		var ids []string
		stream, err := s.js.Stream(context.Background(), "VOICEMAILS")
		if err != nil {
			t.Fatal(err)
		}
		first, err := stream.GetMsg(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for id, audio := range map[string]bool{first.Header["ce-id"][0]: true, "another": true, "wrapped": true, "old": false, "revoked": false, "foreign": false, "../../up": false} {
			sum := sha256.Sum256([]byte(id))
			path := filepath.Join(dir, hex.EncodeToString(sum[:16]))
			ids = append(ids, path)
			var kept struct{ SessionID, Transcript string }
			body, err := os.ReadFile(path + ".json")
			if err == nil {
				err = json.Unmarshal(body, &kept)
			}
			if err != nil || kept.SessionID == "" || kept.Transcript == "" {
				t.Errorf("%s: not kept as it was told: %v, %s", id, err, body)
			}
			wav, err := os.ReadFile(path + ".wav")
			if audio && (err != nil || !strings.HasPrefix(string(wav), "RIFF")) || !audio && err == nil {
				t.Errorf("%s: a recording of %d bytes (%v), want one: %v", id, len(wav), err, audio)
			}
			if info, err := os.Stat(path + ".json"); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s: everybody may read it: %v", id, info.Mode())
			}
		}
		if all, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(all) != len(ids) {
			t.Errorf("%d events are kept, want %d", len(all), len(ids))
		}
		for _, want := range []string{"it expired at 2026-01-01", "HTTP 403", "VOICEMAIL_ORIGINS", "publish st-1 old --again", "HTTP 302"} {
			if !strings.Contains(strings.ReplaceAll(log, "link expired", "it expired"), want) {
				t.Errorf("it does not say %q: %s", want, log)
			}
		}
		if n := strings.Count(log, "left out"); n != 2 {
			t.Errorf("%d events are left out as none of voicemail.ready, want 2: %s", n, log)
		}
		if strings.Contains(log, "canary") || strings.Contains(log, "$$") {
			t.Errorf("its log holds a link: %s", log)
		}
		if n := asked.Load(); n != 4 {
			t.Errorf("the files' host was asked %d times, want once for each link that is not over", n)
		}
		c, err := s.js.Consumer(context.Background(), "VOICEMAILS", durable)
		if err != nil {
			t.Fatal(err)
		}
		if info := c.CachedInfo(); info.NumAckPending != 2 || info.NumPending != 0 { // the two whose host has trouble
			t.Errorf("%d events are not acknowledged and %d not delivered, want 2 and none", info.NumAckPending, info.NumPending)
		}
	}
	t.Run("go", func(t *testing.T) { consume(t, "example-go", nil, build(t, "consumer")) })
	t.Run("javascript", func(t *testing.T) {
		if _, err := os.Stat(examples + "javascript/node_modules"); err != nil && !*installed {
			t.Skip("its packages are not installed: .ci/examples does that")
		}
		consume(t, "example-javascript", nil, "node", examples+"javascript/consumer.js")
	})
	t.Run("python", func(t *testing.T) {
		path := "PYTHONPATH=" + os.Getenv("PYTHONPATH")
		if err := exec.Command("python3", "-c", "import nats").Run(); err != nil {
			t.Skip("nats-py is not installed: .ci/examples only compiles it then")
		}
		consume(t, "example-python", []string{path}, "python3", examples+"python/consumer.py")
	})
}
