package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/bus"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

var (
	stormRounds = flag.Int("storm.rounds", 4, "how often something is killed in each test of real processes")
	stormCalls  = flag.Int("storm.calls", 1200, "how many sessions each of these tests has")
	stormLong   = flag.Bool("storm.long", false, "also what takes minutes")
)

// A storm is real relays, a real API's emulator, and calls, while things are killed.
type storm struct {
	t      *testing.T
	urls   string
	js     jetstream.JetStream
	calls  jetstream.JetStream // the publishers'
	api    *emu.Server
	args   []string
	relays []*process

	mu   sync.Mutex
	want map[string]string // verdicts by session
	sent int
}

func newStorm(t *testing.T, urls string, args ...string) *storm {
	t.Helper()
	if testing.Short() {
		t.Skip("real processes")
	}
	js := client(t, urls)
	return newStormAs(t, urls, js, js, args...)
}

// newStormAs has one client look and another publish.
func newStormAs(t *testing.T, urls string, js, calls jetstream.JetStream, args ...string) *storm {
	t.Helper()
	s := &storm{t: t, urls: urls, js: js, calls: calls, want: map[string]string{}}
	s.api = emu.New(emu.Config{AppID: testApp, Secret: testSecret})
	s.api.ScriptEvery(emu.Ready("x"))
	web := httptest.NewServer(s.api)
	t.Cleanup(web.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append([]string{"run", "--nats.url", urls, "--http.addr", "127.0.0.1:0", "--smartassist.base_url", web.URL, "--smartassist.app_id", testApp,
		"--smartassist.app_secret_file", secret, "--smartassist.rate_limit", "0", "--calls.ack_wait", "2s", "--wait.first", "0s", "--wait.max", "1s", "--log.format", "json"}, args...)
	return s
}

// relay starts one and waits until it is ready.
func (s *storm) relay() *process {
	s.t.Helper()
	p := begin(s.t, s.args...)
	awaitReady(s.t, httpAddr(s.t, p))
	return p
}

// fates are what becomes of sessions, in turn. A crash may swallow an answer; so the last one is the one that counts.
var fates = []struct {
	verdict string
	script  []emu.Step
}{
	{"ready", nil},
	{"failed", []emu.Step{emu.Failed()}},
	{"ready", []emu.Step{emu.NotYet(), emu.Ready("x")}},
	{"ready", []emu.Step{emu.ServerError(503), emu.Ready("x")}},
	{"ready", []emu.Step{emu.NoTranscript(), emu.Ready("x")}},
	{"ready", []emu.Step{emu.Reset(), emu.Ready("x")}},
}

// publish lets n calls end, a third of them reported twice, from several publishers that try until it is confirmed.
func (s *storm) publish(n int) {
	s.mu.Lock()
	from := s.sent
	s.sent += n
	for i := from; i < s.sent; i++ {
		id, fate := fmt.Sprintf("s%d", i), fates[i%len(fates)]
		s.want[id] = fate.verdict
		if fate.script != nil {
			s.api.Script(id, fate.script...)
		}
	}
	s.mu.Unlock()
	var wg sync.WaitGroup
	const publishers = 8
	for k := range publishers {
		wg.Go(func() {
			for i := from + k; i < from+n; i += publishers {
				body := fmt.Appendf(nil, `{"botId":"st-1","sessionId":"s%d"}`, i)
				s.confirm(body)
				if i%3 == 0 {
					s.confirm(body)
				}
			}
		})
	}
	wg.Wait()
}

func (s *storm) confirm(body []byte) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := s.calls.Publish(ctx, "call.ended", body)
		cancel()
		if err == nil {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// settle waits until every call has its verdict and nothing waits any more, then holds what was told to what was promised.
func (s *storm) settle(d time.Duration) {
	s.t.Helper()
	eventually(s.t, d, "settle", func(ctx context.Context) error {
		verdicts, err := s.js.Stream(ctx, "VOICEMAILS")
		if err != nil {
			return err
		}
		work, err := s.js.Stream(ctx, "VOICEMAIL_WORK")
		if err != nil {
			return err
		}
		calls, err := s.js.Consumer(ctx, "CALLS", "voicemail-relay")
		if err != nil {
			return err
		}
		told, left, lag := verdicts.CachedInfo().State.Msgs, work.CachedInfo().State.Msgs, calls.CachedInfo().NumPending+uint64(calls.CachedInfo().NumAckPending)
		if told < uint64(len(s.want)) || left > 0 || lag > 0 {
			return fmt.Errorf("%d verdicts of %d, %d in the work stream, %d calls not acknowledged", told, len(s.want), left, lag)
		}
		return nil
	})
	lost, twice, other := 0, 0, 0
	got := s.told()
	for id, want := range s.want {
		switch vs := got[id]; {
		case len(vs) == 0:
			lost++
			s.t.Logf("%s is lost", id)
		case len(vs) > 1:
			twice++
			s.t.Logf("%s is told %v", id, vs)
		case vs[0] != want:
			other++
			s.t.Logf("%s is told %s, want %s", id, vs[0], want)
		}
	}
	if lost+twice+other > 0 || len(got) != len(s.want) {
		s.t.Errorf("%d lost, %d twice, %d with another verdict, %d sessions told of %d", lost, twice, other, len(got), len(s.want))
	}
}

// told reads the stream of verdicts.
func (s *storm) told() map[string][]string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := s.js.Stream(ctx, "VOICEMAILS")
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := bus.Verdicts(ctx, s.js, bus.Names{ReadySubject: "voicemail.ready"}, true, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Stop()
	got, ids := map[string][]string{}, map[string]bool{}
	for range st.CachedInfo().State.Msgs {
		v, err := r.Next(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		if ids[v.ID] {
			s.t.Errorf("id %s is stored twice", v.ID)
		}
		ids[v.ID] = true
		var e struct{ SessionID string }
		if err := json.Unmarshal(v.Body, &e); err != nil {
			s.t.Fatal(err)
		}
		got[e.SessionID] = append(got[e.SessionID], string(v.Kind))
	}
	return got
}

// Relays are killed again and again under load, leave and join.
func TestKilledRelaysLoseNothing(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newStorm(t, newNodeUnlessShort(t))
	start := time.Now()
	s.relays = []*process{s.relay(), s.relay()}
	killed := 0
	for round := range *stormRounds {
		done := make(chan struct{})
		go func() { s.publish(*stormCalls / *stormRounds); close(done) }()
		<-time.After(time.Duration(200+137*round%500) * time.Millisecond)
		i := round % len(s.relays)
		switch {
		case round%5 == 4: // one leaves in good order
			if code := s.relays[i].end(syscall.SIGTERM); code != 0 {
				t.Errorf("SIGTERM ends it with exit code %d: %s", code, s.relays[i].out.String())
			}
		default:
			s.relays[i].end(syscall.SIGKILL)
			killed++
		}
		if round%7 == 6 && len(s.relays) < 4 { // one more joins
			s.relays = append(s.relays, s.relay())
		}
		s.relays[i] = s.relay()
		<-done
	}
	s.settle(time.Minute)
	t.Logf("%d calls, %d kills, %d requests, %s", len(s.want), killed, s.api.Requests(), time.Since(start).Round(time.Millisecond))
}

func newNodeUnlessShort(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("real processes")
	}
	return newNode(t).url
}

// The server is killed again and again under load, and comes back with what it had written.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("real processes")
	}
	n := newNode(t)
	s := newStorm(t, n.url)
	start := time.Now()
	s.relays = []*process{s.relay(), s.relay()}
	for round := range *stormRounds {
		done := make(chan struct{})
		go func() { s.publish(*stormCalls / *stormRounds); close(done) }()
		<-time.After(time.Duration(100+91*round%300) * time.Millisecond)
		n.kill()
		n.start()
		<-done
	}
	s.settle(time.Minute)
	for _, p := range s.relays {
		awaitReady(t, httpAddr(t, p))
	}
	t.Logf("%d calls, %d kills of the server, %d requests, %s", len(s.want), *stormRounds, s.api.Requests(), time.Since(start).Round(time.Millisecond))
}

// A relay that is stopped with calls in hand, longer than ack_wait, finds them told by another, and goes on.
func TestStoppedRelayComesBack(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newStorm(t, newNodeUnlessShort(t), "--calls.ack_wait", "1s")
	s.relays = []*process{s.relay(), s.relay()}
	s.api.ScriptEvery(emu.Slow(300*time.Millisecond, emu.Ready("x")))
	go func() { <-time.After(150 * time.Millisecond); _ = s.relays[0].cmd.Process.Signal(syscall.SIGSTOP) }()
	s.publish(200)
	<-time.After(3 * time.Second)
	if err := s.relays[0].cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.settle(30 * time.Second)
	s.relays[1].end(syscall.SIGTERM)
	s.publish(50)
	s.settle(30 * time.Second)
}
