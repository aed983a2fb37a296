package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

var (
	simFirst = flag.Uint64("sim.first", 1, "the simulation's first seed")
	simSeeds = flag.Int("sim.seeds", 2, "how many seeds the simulation runs")
	simHours = flag.Int("sim.hours", 24, "how many virtual hours of weather each has")
	simCalls = flag.Int("sim.calls", 250, "how many sessions each has")
)

// Any weather, by seed: a day and more of it, then everything is mended and it has to drain. What is promised is checked at the end, call
// by call.
func testSimulation(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for i := range *simSeeds {
		seed := *simFirst + uint64(i)
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			real := time.Now()
			simulate(t, seed)
			t.Logf("%s of real time", time.Since(real).Round(time.Millisecond))
			if t.Failed() {
				t.Logf("again: go test ./cmd/voicemail-relay -run TestSimulation -count 1 -sim.first %d -sim.seeds 1 -sim.hours %d -sim.calls %d -v", seed, *simHours, *simCalls)
			}
		})
	}
}

// A sim is a world with weather.
type sim struct {
	*world
	rng   *rand.Rand
	limit int // the account's requests in 60 s, of all replicas; 0: none
	calls []*simCall

	relays [2]*replica // nil while one is down, or never there
	past   []*replica  // that ended in any way
	many   int         // how many run when all is well

	forgetful bool           // its operator deletes the ledger; else he purges verdicts. Nothing remembers a verdict after both
	purged    []told         // verdicts that he purged
	again     map[string]int // how often, by id, one of those may be told once more

	mu     sync.Mutex // for what publishers and long weather touch
	diary  []string
	counts map[string]int
	waits  sync.WaitGroup
	calm   chan struct{}        // closed when the weather ends
	junk   int                  // malformed events that are being sent, or were
	spoilt int                  // of those, that an operator may have purged before they were told
	seen   map[string]time.Time // since when the work stream knows of a recording, by the verdict's id
}

// A simCall is a session, and what has to become of it.
type simCall struct {
	id      string
	want    []string // verdicts that are right: subject's last word, and reason where there is one
	sent    bool     // that it ended is being told, or was
	replays int
	gone    bool // an operator may have purged it before it was told
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	limit := []int{0, 60, 20}[rng.IntN(3)]
	format := []string{"binary", "binary", "structured"}[rng.IntN(3)]
	flags := []string{fmt.Sprintf("smartassist.rate_limit=%d", limit), "calls.concurrency=32", "ready.format=" + format}
	inEmptyWorld(t, flags, func(w *world) {
		s := &sim{world: w, rng: rng, limit: limit, many: 1 + rng.IntN(2), counts: map[string]int{}, seen: map[string]time.Time{}, again: map[string]int{}, forgetful: rng.IntN(2) == 0, calm: make(chan struct{})}
		w.observe = s.observe
		s.emu = emu.New(emu.Config{AppID: testApp, Secret: testSecret, Seed: seed, Share: 0.5,
			MediaLag: emu.Lag{Median: 40 * time.Second, Sigma: 1.2}, TranscriptLag: emu.Lag{Median: 20 * time.Second, Sigma: 1}})
		w.http.Handler = s.emu
		s.begin()
		s.publish()
		end := time.Now().Add(time.Duration(*simHours) * time.Hour)
		for time.Now().Before(end) {
			pass(time.Duration(1+s.rng.IntN(15*60)) * time.Second)
			s.weather()
			s.revive()
		}
		s.heal()
		s.drain()
		s.check()
		for i := range s.relays {
			s.terminate(i)
		}
		for _, r := range s.past {
			<-r.ended
		}
		if t.Failed() {
			t.Logf("the diary:\n%s", strings.Join(s.diary, "\n"))
			if dir := os.Getenv("SIM_LOG"); dir != "" {
				_ = os.WriteFile(fmt.Sprintf("%s/seed%d.log", dir, seed), []byte(w.log.String()), 0o600)
			}
		}
		t.Logf("limit %d, %d replicas, %d requests, weather %v", limit, s.many, s.emu.Requests(), s.counts)
	})
}

// begin has streams and the first relays.
func (s *sim) begin() {
	for i := range s.many {
		s.relays[i] = s.replica()
	}
	s.daemon = s.relays[0].daemon
	for _, r := range s.relays[:s.many] {
		r.awaitReady(s.t)
	}
	if _, err := s.js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "FILL", Subjects: []string{"fill"}}); err != nil {
		s.t.Fatal(err)
	}
}

// observe sees what the relays have stored.
func (s *sim) observe(st bus.Settlement) {
	if l, ok := st.Outcome.(*relay.Later); ok && l.History.Seen() { // also where another's history stands: it has to know of it now
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, before := s.seen[l.History.ID]; !before {
			s.seen[l.History.ID] = time.Now()
		}
	}
}

// note writes down what happens.
func (s *sim) note(kind, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[kind]++
	s.diary = append(s.diary, fmt.Sprintf("%s  %s %s", time.Now().UTC().Format("02 15:04:05.000"), kind, fmt.Sprintf(format, args...)))
}

// long does something that lasts, until the weather ends at the latest.
func (s *sim) long(d time.Duration, mend func()) {
	s.waits.Go(func() {
		select {
		case <-time.After(d):
		case <-s.calm:
		}
		mend()
	})
}

// publish lets calls end, spread over the time of the weather. Some are reported again, hours later.
func (s *sim) publish() {
	span := time.Duration(*simHours) * time.Hour
	for i := range *simCalls {
		c := &simCall{id: fmt.Sprintf("s%d", i)}
		s.calls = append(s.calls, c)
		body := fmt.Sprintf(`{"botId":"st-1","sessionId":%q,"caller":"+15550100%d"}`, c.id, i)
		var script []emu.Step
		switch p := s.rng.Float64(); {
		case p < 0.08:
			c.want, script = []string{"failed rejected"}, []emu.Step{emu.Failed()}
		case p < 0.14:
			c.want, body = []string{"absent hint"}, strings.Replace(body, `"caller"`, `"voicemail":false,"caller"`, 1)
		case p < 0.22:
			c.want, script = []string{"ready"}, []emu.Step{emu.Ready("canary-transcript")}
			if n := s.rng.IntN(5); n > 0 { // asked for late, the first of these answers is the last
				c.want, script = []string{"ready", "absent none_recorded"}, append(emu.Repeat(n, emu.NotYet()), script...)
			}
		case p < 0.28:
			c.want, script = []string{"ready", "absent none_recorded"}, []emu.Step{emu.NoTranscript(), emu.NotYet()} // see check: once seen, never absent
		default: // as the emulator's plan has it, judged when it is known when the call ended
		}
		at := time.Duration(s.rng.Int64N(int64(span * 5 / 6)))
		var again []time.Duration
		for s.rng.Float64() < 0.25 {
			again = append(again, time.Duration(s.rng.Int64N(int64(span/2))))
		}
		if s.rng.Float64() < 0.2 { // in the same moment
			again = append(again, 0)
		}
		replay := s.rng.Float64() < 0.1
		if len(script) > 0 {
			s.emu.Script(c.id, script...)
		}
		s.waits.Go(func() {
			pass(at)
			s.emu.CallEnded(c.id, time.Now())
			if len(c.want) == 0 {
				c.want = s.planned(c.id)
			}
			s.mu.Lock()
			c.sent = true
			s.mu.Unlock()
			s.send(body)
			for _, d := range again {
				pass(d)
				s.send(body)
			}
			if replay {
				s.replay(c, body)
			}
		})
	}
	for i := range 6 {
		at := time.Duration(s.rng.Int64N(int64(span)))
		s.waits.Go(func() {
			pass(at)
			s.mu.Lock()
			s.junk++
			s.mu.Unlock()
			s.send(fmt.Sprintf(`{"botId":"st-1","caller":"+15550100%d"}`, i), nats.MsgIdHdr, fmt.Sprintf("junk%d", i))
		})
	}
}

// planned is what has to become of a session that the emulator draws: what was there within recording_for must never be told absent.
func (s *sim) planned(id string) []string {
	p := s.emu.Planned("st-1", id)
	switch {
	case !p.Voicemail:
		return []string{"absent none_recorded"}
	case p.MediaAt <= s.settings.Wait.RecordingFor:
		return []string{"ready"}
	}
	return []string{"ready", "absent none_recorded"} // it came too late; trouble may have made the relay ask as late
}

// send publishes until a stream has confirmed it: only that is promised anything.
func (s *sim) send(body string, header ...string) {
	for {
		m := nats.NewMsg("call.ended")
		m.Data = []byte(body)
		for i := 0; i+1 < len(header); i += 2 {
			m.Header.Set(header[i], header[i+1])
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := s.js.PublishMsg(ctx, m)
		cancel()
		if err == nil {
			return
		}
		pass(3 * time.Second)
	}
}

// replay has a settled session asked for once more.
func (s *sim) replay(c *simCall, body string) {
	for {
		select {
		case <-s.calm:
			return
		case <-time.After(20 * time.Minute):
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		kv, err := s.js.KeyValue(ctx, "VOICEMAIL_LEDGER")
		if err == nil {
			_, err = kv.Get(ctx, key("st-1", c.id))
		}
		cancel()
		if err == nil {
			break
		}
	}
	s.mu.Lock()
	c.replays = 1
	s.mu.Unlock()
	s.note("replay", "%s", c.id)
	for range 2 { // by two operators who do not know of one another
		s.send(body, "Voicemail-Relay-Replay", "1")
	}
}

// drain demands that all of it comes to an end.
func (s *sim) drain() {
	ctx := context.Background()
	start := time.Now()
	for {
		pass(time.Minute)
		work, err := s.js.Stream(ctx, "VOICEMAIL_WORK")
		if err == nil {
			c, err := s.js.Consumer(ctx, "CALLS", "voicemail-relay")
			if err == nil && work.CachedInfo().State.Msgs == 0 && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0 {
				break
			}
		}
		if time.Since(start) > 3*time.Hour {
			s.t.Errorf("it does not drain: %d in the work stream: %s\nof the calls: %s", s.waiting("voicemail.work.>"), s.stuck(), s.intake())
			break
		}
	}
	s.note("drained", "after %s", time.Since(start))
}

// stuck tells what stands in the work stream, and who should hand it out.
func (s *sim) stuck() string {
	ctx := context.Background()
	work, err := s.js.Stream(ctx, "VOICEMAIL_WORK")
	if err != nil {
		return err.Error()
	}
	info, err := work.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprint(info.State.Subjects)
	for c := range work.ListConsumers(ctx).Info() {
		text += fmt.Sprintf("\n%s: %d pending, %d not acknowledged, floor %d, delivered %d", c.Name, c.NumPending, c.NumAckPending, c.AckFloor.Stream, c.Delivered.Stream)
	}
	return text
}

// check holds what was told to what was promised.
func (s *sim) check() {
	told, ids, junk, gone := map[string][]string{}, map[string]int{}, 0, 0
	for _, v := range s.all() {
		id := v.header.Get("Nats-Msg-Id")
		s.private("an error", v.str("error"))
		if ids[id]++; ids[id] > 1 {
			if ids[id] > 1+s.again[id] {
				s.t.Errorf("id %s is told %d times", id, ids[id])
			}
			continue
		}
		if seen, is := s.seen[id]; is && v.at.After(seen) && v.subject != "voicemail.ready" {
			s.t.Errorf("%s is told %s at %s, though its recording was seen by %s", v.str("sessionId"), v.subject, v.at, seen)
		}
		if v.str("reason") == "malformed" {
			junk++
			continue
		}
		told[v.str("sessionId")] = append(told[v.str("sessionId")], strings.TrimSpace(v.subject[strings.LastIndexByte(v.subject, '.')+1:]+" "+v.str("reason")))
	}
	if junk < s.junk-s.spoilt || s.junk != 6 {
		s.t.Errorf("%d malformed events are told, want %d, and at most %d that were purged", junk, s.junk, s.spoilt)
	}
	for _, c := range s.calls {
		if c.gone {
			gone++
		}
		got := told[c.id]
		switch want := 1 + c.replays; {
		case len(got) > want:
			s.t.Errorf("%s is told %d times, want %d: %v", c.id, len(got), want, got)
		case len(got) < want && !c.gone:
			s.t.Errorf("%s is told %d times, want %d: %v; lost", c.id, len(got), want, got)
		}
		for _, g := range got {
			if !strings.Contains("|"+strings.Join(c.want, "|")+"|", "|"+g+"|") {
				s.t.Errorf("%s is told %s, want %v (key %s)", c.id, g, c.want, key("st-1", c.id))
			}
		}
	}
	for _, r := range append(s.past, s.relays[:s.many]...) {
		s.private("the metrics of a relay", metricsText(s.t, r.daemon))
	}
	s.note("purged", "%d of %d sessions may be gone by an operator's will", gone, len(s.calls))
	if most := s.most; s.limit > 0 && most > s.limit {
		s.t.Errorf("%d requests in 60 s, want at most %d of all %d replicas", most, s.limit, s.many)
	}
}

// intake tells how the durable on the stream of calls stands.
func (s *sim) intake() string {
	c, err := s.js.Consumer(context.Background(), "CALLS", "voicemail-relay")
	if err != nil {
		return err.Error()
	}
	i := c.CachedInfo()
	return fmt.Sprintf("%d pending, %d not acknowledged, %d pulls, floor %d, delivered %d, paused %v", i.NumPending, i.NumAckPending, i.NumWaiting, i.AckFloor.Stream, i.Delivered.Stream, i.Paused)
}
