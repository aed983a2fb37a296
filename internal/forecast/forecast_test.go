package forecast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voicemail-relay/internal/relay"
)

var policy = relay.Policy{First: 15 * time.Second, Max: 2 * time.Minute, RecordingFor: 10 * time.Minute, TranscriptFor: 10 * time.Minute,
	RetryFirst: 200 * time.Millisecond, RetryMax: 5 * time.Minute, GiveUpAfter: 24 * time.Hour}

// twin is a Record in memory.
type twin struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	stored   time.Time
	down     bool
}

var errDown, errConflict = errors.New("down"), errors.New("written by another")

func (m *twin) Read(context.Context, string) ([]byte, uint64, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, 0, time.Time{}, errDown
	}
	return m.value, m.revision, m.stored, nil
}

func (m *twin) Write(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.down:
		return 0, errDown
	case revision != m.revision:
		return 0, errConflict
	}
	m.value, m.stored = value, time.Now()
	m.revision++
	return m.revision, nil
}

func replica(t *testing.T, m *twin) (f *Forecast, stop func()) { return skewed(t, m, 0) }

// skewed is a replica whose clock is wrong.
func skewed(t *testing.T, m *twin, skew time.Duration) (f *Forecast, stop func()) {
	t.Helper()
	f, err := New(Config{Policy: policy, Budget: func() float64 { return 1 }, Key: "lags.a", Now: func() time.Time { return time.Now().Add(skew) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { f.Run(ctx, m); close(ended) }() // ends with ctx
	return f, func() { cancel(); <-ended }
}

// teach has n calls asked for, one in four with a voicemail that came after lag.
func teach(f *Forecast, bot string, n int, lag time.Duration) {
	for i := range n {
		f.Arrived()
		l := relay.Lesson{First: true}
		if i%4 == 0 {
			l.Found, l.From, l.To = true, lag*9/10, lag
		}
		f.Learn(bot, l)
	}
}

func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestReplicasLearnTogetherAndRestartsForgetNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		a, stopA := replica(t, m)
		b, stopB := replica(t, m)
		teach(a, "st-1", 60, 40*time.Second)
		teach(b, "st-2", 60, 3*time.Minute)
		for range 6 { // both are at work
			a.Outlook("st-1")
			b.Outlook("st-1")
			pass(5 * time.Second)
		}
		for name, f := range map[string]*Forecast{"a": a, "b": b} {
			if asked := f.known.Account.Asked; math.Abs(asked-120) > .1 {
				t.Errorf("%s knows of %g calls, want those of both replicas", name, asked)
			}
			if calls := f.Snapshot().Calls; math.Abs(calls-120*math.Exp2(-30/90.0)*math.Ln2/90) > .1 {
				t.Errorf("%s reckons with %.3f calls a second, want those of both replicas", name, calls)
			}
			if one, two := first(f, "st-1"), first(f, "st-2"); one >= two {
				t.Errorf("%s asks for the quick bot's calls after %s, for the slow one's after %s", name, one, two)
			}
		}
		teach(a, "st-1", 4, 40*time.Second)
		stopA() // SIGTERM: the last lessons are told
		stopB()
		c, stopC := replica(t, m)
		pass(time.Second)
		if asked := c.known.Account.Asked; math.Abs(asked-124) > .1 {
			t.Errorf("after a restart %g calls are known of, want 124", asked)
		}
		if c.Outlook("st-1").Media == nil {
			t.Error("nothing is planned after a restart")
		}
		stopC()
	})
}

// first is when a bot's calls are asked for, as an outlook has it.
func first(f *Forecast, bot string) time.Duration {
	p := policy
	p.Outlook = f.Outlook(bot)
	o := relay.Decide(relay.Call{Bot: bot, Session: "s"}, relay.History{}, relay.Answer{Requests: 1}, relay.Account{}, p)
	return o.(*relay.Later).At.Sub(time.Time{})
}

func TestLoadFades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, stop := replica(t, &twin{})
		for range 600 {
			f.Arrived()
			pass(time.Second)
		}
		if got := f.Snapshot().Calls; got < .9 || got > 1.05 {
			t.Errorf("%.3f calls a second, want the one that came each", got)
		}
		pass(15 * time.Minute)
		if got := f.Snapshot().Calls; got > .01 {
			t.Errorf("%.3f calls a second a quarter of an hour after the last", got)
		}
		stop()
	})
}

func TestRecordThatIsAwayOrSpoilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{down: true}
		f, stop := replica(t, m)
		teach(f, "st-1", 60, 40*time.Second)
		pass(time.Minute)
		if f.Outlook("st-1").Media == nil {
			t.Error("nothing is planned while the record is away")
		}
		m.mu.Lock()
		m.down = false
		m.mu.Unlock()
		pass(time.Minute)
		if !strings.Contains(string(m.value), `"asked":60`) {
			t.Errorf("what was learned meanwhile is not told: %.80s", m.value)
		}
		stop()
		for _, bad := range []string{"x", `{"account":{"asked":-5,"media":{"first":0,"counts":[1e12]}},"calls":-1}`, `{"bots":{"st-1":{"asked":1e300}}}`, `{"account":{"asked":9,"found":9},"calls":7,"bots":3}`} {
			m := &twin{value: []byte(bad), revision: 1, stored: time.Now()}
			f, stop := replica(t, m)
			teach(f, "st-1", 60, 40*time.Second)
			pass(time.Minute)
			if got := f.known.Account.Asked; math.Abs(got-60) > .1 || f.Outlook("st-1").Media == nil {
				t.Errorf("with a record %s: %g calls known of, want the 60 that came", bad, got)
			}
			stop()
		}
	})
}

func TestClocksThatDifferDoNotDistortTheLoad(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, -12 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			m := &twin{}
			a, stopA := skewed(t, m, skew)
			b, stopB := skewed(t, m, 0)
			for range 900 {
				a.Arrived()
				pass(500 * time.Millisecond)
				b.Arrived()
				pass(500 * time.Millisecond)
			}
			for name, f := range map[string]*Forecast{"a": a, "b": b} {
				if got := f.Snapshot().Calls; got < 1.8 || got > 2.15 {
					t.Errorf("with a clock that is wrong by %s, %s reckons with %.2f calls a second, want the 2 that come", skew, name, got)
				}
			}
			c, stopC := skewed(t, m, skew) // a new process knows no better
			pass(time.Minute)
			for name, f := range map[string]*Forecast{"the new one": c, "b": b} {
				if got := f.Snapshot().Calls; got < .9 {
					t.Errorf("with a new process's clock wrong by %s, %s reckons with %.2f calls a second a minute later", skew, name, got)
				}
			}
			stopA()
			stopB()
			stopC()
		})
	}
}

func TestWhatWasLearnedFadesInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		f, stop := replica(t, m)
		teach(f, "st-quiet", 200, 40*time.Second)
		for range 7 * 24 * 6 {
			f.Outlook("st-1")
			pass(10 * time.Minute)
		}
		sum := 0.0
		for _, n := range f.known.Bots["st-quiet"].Media {
			sum += n
		}
		if e := f.known.Bots["st-quiet"]; math.Abs(e.Asked-100) > 2 || math.Abs(sum-25) > 2 {
			t.Errorf("after a week %.1f of 200 calls and %.1f of 50 lags are remembered, want half", e.Asked, sum)
		}
		stop()
	})
}

func TestDeletedRecordIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		f, stop := replica(t, m)
		teach(f, "st-1", 60, 40*time.Second)
		pass(time.Minute)
		m.mu.Lock()
		m.value, m.revision = nil, 0
		m.mu.Unlock()
		teach(f, "st-1", 4, 40*time.Second)
		pass(time.Minute)
		stop()
		if got := f.known.Account.Asked; math.Abs(got-64) > .1 || !strings.Contains(string(m.value), `"asked":64`) {
			t.Errorf("%g calls known of, want 64; written: %.60s", got, m.value)
		}
	})
}

func TestNewBotTakesAnOldOnesPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		f, stop := replica(t, m)
		for i := range mostBots {
			teach(f, fmt.Sprint("st-old-", i), 1000, time.Minute)
		}
		pass(time.Minute)
		for range 20 {
			teach(f, "st-new", 20, 20*time.Second)
			pass(11 * time.Second)
		}
		if e := f.known.Bots["st-new"]; !e.Learned() {
			t.Errorf("the one bot with calls has %+.0f of them remembered", e.Asked)
		}
		stop()
	})
}

func TestRecordStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		f, stop := replica(t, m)
		for i := range 500 {
			teach(f, fmt.Sprintf("st-once-%d", i), 1, time.Minute)
			teach(f, fmt.Sprintf("st-%036d", i), 40+i, time.Duration(10+i)*time.Second)
		}
		pass(time.Minute)
		stop()
		if n := strings.Count(string(m.value), `"st-`); n != mostBots || len(m.value) > 100<<10 {
			t.Errorf("%d bots in %d bytes, want the %d with the most calls in at most 100 KiB", n, len(m.value), mostBots)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a forecast without a budget is made")
	}
}
