package budget

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauseHoldsEverywhere(t *testing.T) {
	for _, limit := range []int{60, 0} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				m := &memory{travel: time.Millisecond}
				mk := func() *Purse {
					p, err := New(Config{Limit: limit, Seats: 9, Shared: NewSeats(9), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute})
					if err != nil {
						t.Fatal(err)
					}
					go p.Run(ctx, m) // ends with ctx
					return p
				}
				a, b := mk(), mk()
				for _, p := range []*Purse{a, b} { // both are at work
					if ok, _ := acquire(p, time.Minute); !ok {
						t.Fatal("no grant")
					}
				}
				a.Limited(40 * time.Second)
				start := time.Now()
				var last time.Duration // before the gap
				for {
					ok, _ := acquire(b, time.Hour)
					b.Release(false)
					if since := time.Since(start); !ok || since > last+20*time.Second || since > time.Minute {
						if !ok || since < 40*time.Second || last > 1100*time.Millisecond {
							t.Errorf("another replica at work asked %s after the pause was told, and then at %s; want at most a second, and 40 s", last, since)
						}
						break
					} else {
						last = since
					}
					pass(100 * time.Millisecond)
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

func TestOverTheBudgetAgainAndAgainSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 60, 10)
		rate := func() float64 { return p.Snapshot().Pace }
		pass(100 * time.Millisecond)
		p.Limited(0)
		for range 5 {
			p.Limited(0) // requests that were under way
		}
		if got := rate(); got != 1 {
			t.Errorf("pace %.2f after the first time, want 1: it is somebody's burst", got)
		}
		start := time.Now()
		if ok, _ := acquire(p, time.Hour); !ok || time.Now().Truncate(time.Minute).Equal(start.Truncate(time.Minute)) {
			t.Errorf("asked again %s later, in the same minute", time.Since(start))
		}
		p.Limited(0)
		pass(time.Minute)
		p.Limited(0)
		if got := rate(); got < .48 || got > .55 {
			t.Errorf("pace %.2f after the third time, want about 0.7²", got)
		}
		pass(12 * time.Minute)
		if got := rate(); got != 1 {
			t.Errorf("pace %.2f after 12 quiet minutes, want 1", got)
		}
		for range 30 {
			p.Limited(time.Second)
			pass(2 * time.Second)
		}
		if got := rate(); got < slowest {
			t.Errorf("pace %.3f, want at least %.3f: it has to find out when there is room again", got, slowest)
		}
	})
}

func TestLimitedWithoutALimitPausesOnlyWhenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 10)
		p.Limited(0)
		if !p.TryTake() {
			t.Errorf("paused, though nobody knows for how long")
		}
		p.Limited(3 * time.Second)
		start := time.Now()
		if ok, _ := acquire(p, time.Hour); !ok || time.Since(start) != 3*time.Second {
			t.Errorf("asked again after %s, want 3 s", time.Since(start))
		}
	})
}

func TestAccountInTroubleIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 100)
		p.Answered()
		for range 9 {
			p.Troubled(false, true)
		}
		for range 100 {
			p.Troubled(false, false) // of calls that were in trouble before
		}
		p.Answered()
		for range 9 {
			p.Troubled(false, true)
		}
		if !p.TryTake() {
			t.Fatal("closed, though no ten calls in a row were in trouble")
		}
		p.Troubled(false, true)
		if p.TryTake() {
			t.Fatal("open, though ten calls in a row were in trouble")
		}
		down := time.Now()
		start := time.Now()
		var at []time.Duration
		for range 4 {
			ok, probe, w := p.Acquire()
			for !ok {
				<-time.After(w.For)
				ok, probe, w = p.Acquire()
			}
			if !probe || !w.Down.Equal(down) {
				t.Fatalf("probe %v, down since %s, want a probe that knows that it is down since %s", probe, w.Down, down)
			}
			if ok, _, w := p.Acquire(); ok || !w.Closed || !w.Down.Equal(down) {
				t.Fatal("a second probe beside the first")
			}
			at = append(at, time.Since(start).Round(time.Second))
			p.Troubled(false, true) // of a call that was under way before
			p.Troubled(true, false)
			p.Release(true)
		}
		if got, want := fmt.Sprint(at), "[1s 3s 7s 15s]"; got != want {
			t.Errorf("probes at %s, want %s", got, want)
		}
		_, _ = acquire(p, time.Hour)
		p.Answered()
		p.Release(true)
		if ok, probe, _ := p.Acquire(); !ok || probe {
			t.Errorf("mended, but still closed")
		}
	})
}

// However often processes are started anew, a pause ends when it was to end.
func TestRestartsDoNotProlongAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{travel: time.Millisecond, skew: time.Hour}
		s := &spenders{t: t, limit: 60}
		ctx, stop := context.WithCancel(t.Context())
		p := s.replica(ctx, m, 0)
		pass(time.Second)
		p.Limited(time.Hour)
		told := time.Now()
		pass(time.Second)
		stop()
		pass(2 * time.Minute)
		for time.Since(told) < 55*time.Minute { // a crash loop
			ctx, stop := context.WithCancel(t.Context())
			s.replica(ctx, m, 0)
			pass(5 * time.Minute)
			stop()
			pass(2 * time.Minute)
		}
		before := s.count()
		ctx, stop = context.WithCancel(t.Context())
		s.replica(ctx, m, 0)
		pass(time.Until(told.Add(59 * time.Minute)))
		if s.count() > before {
			t.Errorf("asked within the pause")
		}
		pass(2 * time.Minute)
		if s.count() == before {
			t.Errorf("not asked again a minute after the pause")
		}
		stop()
		pass(2 * time.Minute)
	})
}

func TestAnotherRequestThanTheProbeSaysNothingAboutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 100)
		p.Refused(false)
		if ok, probe := acquire(p, time.Hour); !ok || !probe {
			t.Fatal("no probe")
		}
		p.Refused(false) // requests that were under way before
		p.Troubled(false, true)
		pass(time.Hour)
		if ok, _, _ := p.Acquire(); ok {
			t.Error("a second probe beside the first")
		}
	})
}

func TestDeadHostIsNoticedAfterARestartToo(t *testing.T) {
	p := newPurse(t, 0, 100)
	for range troubled {
		p.Troubled(false, false) // of calls that were in trouble before
	}
	if p.TryTake() {
		t.Error("a process that never had an answer goes on asking for every call")
	}
}

func TestLongPausesAreNoCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 60, 10)
		for range 5 {
			p.Limited(15 * time.Minute)
			pass(15*time.Minute + time.Second)
		}
		if got := p.Snapshot().Pace; got > .3 {
			t.Errorf("pace %.2f after five limits in a row, want about 0.7⁴", got)
		}
	})
}

func TestStragglersDoNotMakeASecondProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 100)
		for range troubled {
			p.Troubled(false, true)
		}
		if ok, probe := acquire(p, time.Hour); !ok || !probe {
			t.Fatal("no probe")
		}
		p.Refused(false)
		p.Limited(time.Second)
		pass(time.Hour)
		if ok, _, _ := p.Acquire(); ok {
			t.Error("a second probe beside the first")
		}
		p.Answered()
		if ok, probe, _ := p.Acquire(); !ok || probe {
			t.Error("mended, but still closed")
		}
	})
}

func TestRenewedCredentialsAreTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 100)
		p.Refused(false)
		for range 6 { // from one probe to the next it takes ever longer
			if ok, probe := acquire(p, time.Hour); !ok || !probe {
				t.Fatal("no probe")
			}
			p.Refused(true)
			p.Release(true)
		}
		if ok, _, w := p.Acquire(); ok || w.For < 10*time.Second {
			t.Fatalf("asked again after %s, want a long wait", w.For)
		}
		p.Renewed()
		if ok, probe, _ := p.Acquire(); !ok || !probe {
			t.Fatal("new credentials are not tried")
		}
		p.Renewed() // one probe at a time, whatever an operator does
		if ok, _, _ := p.Acquire(); ok {
			t.Error("a second probe beside the first")
		}
		p.Refused(true)
		p.Release(true)
		if ok, _, w := p.Acquire(); ok || w.For > 5*time.Second {
			t.Errorf("asked again after %s, want a probe soon: the credentials have just changed", w.For)
		}
		p.Answered()
		p.Paused(time.Now().Add(time.Hour))
		p.Renewed()
		if ok, _, _ := p.Acquire(); ok {
			t.Error("new credentials end a pause")
		}
	})
}

func TestOpenUntilItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 1)
		if !p.Open() {
			t.Error("closed at the start")
		}
		p.Paused(time.Now().Add(time.Minute))
		if p.Open() {
			t.Error("open within a pause")
		}
		if pass(time.Minute); !p.Open() {
			t.Error("closed after a pause")
		}
		for _, closed := range []func(){func() { p.Refused(false) }, func() {
			for range 10 {
				p.Troubled(false, true)
			}
		}} {
			if closed(); p.Open() {
				t.Error("open though nobody is served")
			}
			p.Answered()
		}
	})
}
