package budget

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a Record in memory, with a clock of its own and a network between: the twin of the bucket (internal/bus holds both to the same).
type memory struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	stored   time.Time
	skew     time.Duration // the server's clock before everybody's
	travel   time.Duration
	fails    func() error // before anything is done
	loses    func() bool  // the answer, after it is done
	writes   int
}

var errLost = errors.New("no answer")

// away is how long a way takes now.
func (m *memory) away() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.travel
}

func (m *memory) Read(context.Context, string) ([]byte, uint64, time.Time, error) {
	<-time.After(m.away())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		if err := m.fails(); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	return m.value, m.revision, m.stored, nil
}

func (m *memory) Write(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	<-time.After(m.away())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		if err := m.fails(); err != nil {
			return 0, err
		}
	}
	if revision != m.revision {
		return 0, fmt.Errorf("memory: %w", ErrConflict)
	}
	m.value, m.stored = value, time.Now().Add(m.skew)
	m.revision++
	m.writes++
	if m.loses != nil && m.loses() {
		return 0, errLost
	}
	return m.revision, nil
}

// spenders are replicas that spend all they are granted, and the window that their requests stand in.
type spenders struct {
	t     *testing.T
	limit int
	mu    sync.Mutex
	sent  []time.Time
	most  int
	total int
}

func (s *spenders) request() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sent = append(s.sent, now)
	for now.Sub(s.sent[0]) >= time.Minute {
		s.sent = s.sent[1:]
	}
	s.total++
	if s.most = max(s.most, len(s.sent)); s.most > s.limit {
		s.t.Errorf("%d requests within 60 s, want at most %d", len(s.sent), s.limit)
	}
}

// count is how many requests were made.
func (s *spenders) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// replica spends until ctx ends, with a clock that is wrong by skew.
func (s *spenders) replica(ctx context.Context, r Record, skew time.Duration) *Purse {
	p, err := New(Config{Limit: s.limit, Seats: 100, Shared: NewSeats(100), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute,
		Now: func() time.Time { return time.Now().Add(skew) }})
	if err != nil {
		s.t.Fatal(err)
	}
	go p.Run(ctx, r) // ends with ctx
	go func() {      // too
		for ctx.Err() == nil {
			if ok, _ := acquire(p, time.Minute); ok && ctx.Err() == nil {
				s.request()
				p.Release(false)
			}
		}
	}()
	return p
}

// pass lets time pass, and everybody act.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestReplicasShareOneLimit(t *testing.T) {
	for _, limit := range []int{6, 20, 39, 60, 120, 3000} {
		for _, replicas := range []int{1, 2, 5} {
			t.Run(fmt.Sprint(limit, " for ", replicas), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					m := &memory{travel: time.Millisecond, skew: -7 * time.Minute}
					s := &spenders{t: t, limit: limit}
					for i := range replicas {
						s.replica(ctx, m, time.Duration(i-1)*time.Hour) // clocks differ
					}
					pass(10 * time.Minute)
					if least := limit * 10 * 9 / 10; s.count() < least {
						t.Errorf("%d requests in ten minutes, want over %d: the budget is there to be used", s.count(), least)
					}
					stop()
					pass(2 * time.Minute) // who waits for a grant has to notice
				})
			})
		}
	}
}

func TestReplicasComeAndGo(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				m := &memory{travel: 2 * time.Millisecond}
				luck, bad := rand.New(rand.NewPCG(seed, 2)), 0.0 // under the memory's lock
				m.fails = func() error {
					if luck.Float64() < bad {
						return errLost
					}
					return nil
				}
				m.loses = func() bool { return luck.Float64() < bad/2 }
				s := &spenders{t: t, limit: 60}
				for range 20 {
					ctx, kill := context.WithCancel(t.Context()) // as kill -9 does: what it had taken is lost
					for range 1 + r.IntN(3) {
						s.replica(ctx, m, time.Duration(r.IntN(600)-300)*time.Second)
					}
					m.mu.Lock()
					bad = []float64{0, 0, .1, .5}[r.IntN(4)]
					m.skew += time.Duration(r.IntN(3)-1) * time.Duration(r.IntN(500)) * time.Millisecond // a leader with another clock
					if r.IntN(10) == 0 && len(m.value) > 0 {
						m.value = []byte([]string{`{"tokens":1e9,"pace":-3}`, `x`, `{"tokens":"many"}`}[r.IntN(3)]) // somebody's own
					}
					m.mu.Unlock()
					pass(time.Duration(1+r.IntN(200)) * time.Second)
					kill()
					synctest.Wait()
				}
				pass(2 * time.Minute)
				s.mu.Lock()
				defer s.mu.Unlock()
				if s.most < 20 {
					t.Errorf("at most %d requests in a minute: nothing was tried", s.most)
				}
			})
		})
	}
}

// Also where one replica is much nearer to the server: calls in the hands of the others must not wait as long as the load lasts.
func TestEveryReplicaGetsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		near := &memory{}
		got := map[int]int{}
		var mu sync.Mutex
		for i, travel := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
			p, err := New(Config{Limit: 60, Seats: 9, Shared: NewSeats(9), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			go p.Run(ctx, far{near, travel}) // ends with ctx
			go func() {                      // too
				for ctx.Err() == nil {
					if ok, _ := acquire(p, time.Minute); ok {
						mu.Lock()
						got[i]++
						mu.Unlock()
						p.Release(false)
					}
				}
			}()
		}
		pass(10 * time.Minute)
		stop()
		pass(2 * time.Minute)
		for i := range 3 {
			if got[i] < 100 {
				t.Errorf("replica %d had %d of some 570 requests, want its share; all: %v", i, got[i], got)
			}
		}
	})
}

// far is a Record at a distance.
type far struct {
	Record
	travel time.Duration
}

func (f far) Read(ctx context.Context, key string) ([]byte, uint64, time.Time, error) {
	<-time.After(f.travel)
	return f.Record.Read(ctx, key)
}

func (f far) Write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	<-time.After(f.travel)
	return f.Record.Write(ctx, key, value, revision)
}

func TestKilledReplicaLocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{travel: time.Millisecond}
		s := &spenders{t: t, limit: 120}
		one, killOne := context.WithCancel(t.Context())
		two, killTwo := context.WithCancel(t.Context())
		defer killTwo()
		s.replica(one, m, 0)
		s.replica(two, m, 0)
		pass(3 * time.Minute)
		killOne()
		before := s.count()
		pass(2 * time.Minute)
		if got := s.count() - before; got < 2*120*9/10 {
			t.Errorf("the other made %d requests in two minutes, want over %d", got, 2*120*9/10)
		}
		killTwo()
		pass(2 * time.Minute)
	})
}

func TestNothingIsSpentWithoutTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		down := false
		m := &memory{travel: time.Millisecond}
		m.fails = func() error {
			if down {
				return errLost
			}
			return nil
		}
		s := &spenders{t: t, limit: 60}
		s.replica(ctx, m, 0)
		pass(time.Minute)
		m.mu.Lock()
		down = true
		m.mu.Unlock()
		pass(time.Second)
		before := s.count()
		pass(10 * time.Minute)
		if s.count() > before {
			t.Errorf("%d requests while nobody could know what others spend", s.count()-before)
		}
		m.mu.Lock()
		down = false
		m.mu.Unlock()
		pass(10 * time.Second)
		if s.count() == before {
			t.Errorf("nothing is spent after the record is back")
		}
		stop()
		pass(2 * time.Minute)
	})
}

func TestNewProcessNeedNotWaitForItsFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{travel: time.Millisecond, skew: time.Hour}
		s := &spenders{t: t, limit: 1}
		for i := range 3 {
			ctx, stop := context.WithCancel(t.Context())
			before := s.count()
			s.replica(ctx, m, 0)
			pass(100 * time.Millisecond)
			if s.count() != before+1 {
				t.Errorf("process %d made %d requests, want one at once: the last was minutes ago", i, s.count()-before)
			}
			stop()
			pass(5 * time.Minute)
		}
	})
}

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

func TestAnIdleAccountAsksNothingOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := &memory{travel: time.Millisecond}
		reads := 0
		m.fails = func() error { reads++; return nil }
		for _, limit := range []int{0, 60} {
			p, err := New(Config{Limit: limit, Seats: 9, Shared: NewSeats(9), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			go p.Run(ctx, m) // ends with ctx
		}
		pass(time.Hour)
		if reads > 0 {
			t.Errorf("%d questions to the server in an idle hour, want none", reads)
		}
		stop()
		synctest.Wait()
	})
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

func TestFurtherRequestsDrawOnTheRecordToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := &memory{travel: time.Millisecond}
		p, err := New(Config{Limit: 60, Seats: 9, Shared: NewSeats(9), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		go p.Run(ctx, m) // ends with ctx
		n := 0
		start := time.Now()
		for p.Spend() {
			n++
		}
		if n != 3 || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%d further requests within %s, want the burst of 3 at once, and no waiting for more", n, time.Since(start))
		}
		stop()
		synctest.Wait()
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

// Tokens whose writing took long are used late: the window has to hold that, too.
func TestSlowServerDoesNotOverspend(t *testing.T) {
	for _, limit := range []int{1, 10, 30, 60} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				m := &memory{travel: time.Millisecond}
				s := &spenders{t: t, limit: limit}
				s.replica(ctx, m, 0)
				for i := range 40 {
					m.mu.Lock()
					m.travel = time.Duration(1+i%2*480) * time.Millisecond
					m.mu.Unlock()
					pass(20 * time.Second)
				}
				stop()
				pass(2 * time.Minute)
			})
		})
	}
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

func TestSlowAccountsLeaveOthersTheirOwnSeats(t *testing.T) {
	shared := NewSeats(6)
	mk := func() *Purse {
		p, err := New(Config{Seats: 4, Own: 1, Shared: shared, ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, c := mk(), mk(), mk()
	for range 10 {
		a.TryTake()
		b.TryTake()
	}
	if !c.TryTake() || c.TryTake() {
		t.Error("want one seat for the third account, its own, while two slow ones hold all others")
	}
	_, _, w := c.Acquire()
	c.Give()
	select {
	case <-w.Changed:
	default:
		t.Error("an account's own seat that is free again wakes nobody")
	}
	a.Give()
	if own, given := c.TryTake(), c.TryTake(); !own || !given {
		t.Error("the third account cannot have its own seat, and one that was given back")
	}
	for range 4 { // all are given back, and nobody has one too many
		b.Give()
	}
	n := 0
	for b.TryTake() {
		n++
	}
	if n != 4 {
		t.Errorf("%d seats, want 4", n)
	}
}

func TestRecordOutOfReachIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := &memory{travel: time.Millisecond, fails: func() error { return errLost }}
		var mu sync.Mutex
		var told []string
		p, err := New(Config{Limit: 60, Seats: 9, Shared: NewSeats(9), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute,
			OnRecord: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprint(err))
			}})
		if err != nil {
			t.Fatal(err)
		}
		go p.Run(ctx, m) // ends with ctx
		_, _, _ = p.Acquire()
		pass(9 * time.Second)
		mu.Lock()
		early := len(told)
		mu.Unlock()
		pass(time.Minute)
		m.mu.Lock()
		m.fails = nil
		m.mu.Unlock()
		pass(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(told); early != 0 || got != "[no answer <nil>]" {
			t.Errorf("told %s, want once after ten seconds, and once when it is back", got)
		}
		stop()
		synctest.Wait()
	})
}

// A record that was deleted, and begun anew by a new process, is another one: nobody may take its age for that of the one before.
func TestDeletedRecordGivesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{travel: time.Millisecond}
		s := &spenders{t: t, limit: 60}
		old, stopOld := context.WithCancel(t.Context())
		s.replica(old, m, 0)
		pass(5 * time.Hour)
		m.mu.Lock()
		m.value, m.revision = nil, 0
		m.mu.Unlock()
		young, stopYoung := context.WithCancel(t.Context())
		p := s.replica(young, m, 0)
		p.Limited(time.Hour)
		pass(5 * time.Second)
		before := s.count()
		pass(50 * time.Minute)
		if got := s.count() - before; got > 0 {
			t.Errorf("%d requests within the pause that a new process was told", got)
		}
		stopOld()
		stopYoung()
		pass(2 * time.Minute)
	})
}

func TestTwoThatBeginAtOnceNeedNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{travel: time.Millisecond}
		ctx, stop := context.WithCancel(t.Context())
		s := &spenders{t: t, limit: 6000}
		first := s.replica(ctx, m, 0)
		pass(time.Minute)
		stop()
		pass(2 * time.Minute)
		ctx, stop = context.WithCancel(t.Context())
		got := make(chan time.Duration, 2)
		began := time.Now()
		for range 2 {
			p, err := New(first.cfg)
			if err != nil {
				t.Fatal(err)
			}
			go p.Run(ctx, m) // ends with ctx
			go func() {
				_, _ = acquire(p, time.Minute)
				got <- time.Since(began)
			}()
		}
		for range 2 {
			if d := <-got; d > time.Second {
				t.Errorf("a process had its first request after %s", d)
			}
		}
		stop()
		synctest.Wait()
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
