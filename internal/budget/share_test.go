package budget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
		for p.Again(t.Context(), 0) {
			n++
		}
		if n != 3 || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%d further requests within %s, want the burst of 3 at once, and no waiting for more", n, time.Since(start))
		}
		stop()
		synctest.Wait()
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
