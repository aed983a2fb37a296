package budget

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func newPurse(t *testing.T, limit, seats int) *Purse {
	t.Helper()
	p, err := New(Config{Limit: limit, Seats: seats, Shared: NewSeats(1000), ProbeFirst: time.Second, ProbeMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TryTake is Take without waiting.
func (p *Purse) TryTake() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tryTake()
}

// acquire waits for a grant as a line does, at most d.
func acquire(p *Purse, d time.Duration) (ok, probe bool) {
	end := time.After(d)
	for {
		ok, probe, w := p.Acquire()
		if ok {
			return true, probe
		}
		var timer <-chan time.Time
		if w.For > 0 {
			timer = time.After(w.For)
		}
		select {
		case <-timer:
		case <-w.Changed:
		case <-end:
			return false, false
		}
	}
}

func TestNoMinuteHoldsMoreThanTheLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 9, 10, 59, 60, 120, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPurse(t, limit, limit+1)
				r := rand.New(rand.NewPCG(1, uint64(limit)))
				var grants []time.Time
				most := 0
				for start := time.Now(); time.Since(start) < 30*time.Minute; {
					if r.IntN(200) == 0 {
						<-time.After(time.Duration(r.IntN(100)) * time.Second) // idle: the burst fills up
					}
					if r.IntN(50*limit) == 0 {
						q := newPurse(t, limit, limit+1) // the process is started again
						p = q
					}
					if ok, _ := acquire(p, 10*time.Minute); !ok {
						t.Fatal("no grant within ten minutes")
					}
					p.Release(false)
					now := time.Now()
					grants = append(grants, now)
					for len(grants) > 0 && now.Sub(grants[0]) >= time.Minute {
						grants = grants[1:]
					}
					if most = max(most, len(grants)); most > limit {
						t.Fatalf("%d grants within 60 s, want at most %d", most, limit)
					}
				}
				if most < limit*85/100 {
					t.Errorf("at most %d grants in 60 s, want nearly %d: the budget is there to be used", most, limit)
				}
			})
		})
	}
}

func TestSeatsAreBoundedAndShared(t *testing.T) {
	shared := NewSeats(3)
	mk := func() *Purse {
		p, err := New(Config{Seats: 2, Shared: shared, ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := mk(), mk()
	got := []bool{a.TryTake(), a.TryTake(), a.TryTake(), b.TryTake(), b.TryTake()}
	want := []bool{true, true, false, true, false}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("seat %d: %v, want %v", i, got[i], want[i])
		}
	}
	_, _, w := b.Acquire()
	a.Give()
	select {
	case <-w.Changed:
	default:
		t.Errorf("a seat that another account gives back wakes nobody")
	}
	if ok, _, _ := b.Acquire(); !ok {
		t.Errorf("the seat that was given back cannot be taken")
	}
}

func TestLimitedAccountsStandInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 60, 10)
		<-time.After(time.Minute)
		if p.TryTake() {
			t.Errorf("a limited account's fresh call was let past its line")
		}
		n := 0
		for p.Again(t.Context(), 0) {
			n++
		}
		if n != 3 {
			t.Errorf("%d requests at once, want the burst of 3", n)
		}
	})
}

func TestRefusedAccountIsProbedGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 10)
		p.Refused(false)
		if p.TryTake() || p.Again(t.Context(), 0) {
			t.Errorf("a refused account gets more than a probe")
		}
		start := time.Now()
		var at []time.Duration
		for range 9 {
			ok, probe := acquire(p, time.Hour)
			if !ok || !probe {
				t.Fatal("no probe within an hour")
			}
			if ok, _ := acquire(p, 0); ok {
				t.Fatal("a second probe beside the first")
			}
			at = append(at, time.Since(start).Round(time.Second))
			p.Refused(true)
			p.Release(true)
		}
		if got, want := fmt.Sprint(at), "[1s 3s 7s 15s 31s 1m3s 2m3s 3m3s 4m3s]"; got != want {
			t.Errorf("probes at %s, want %s", got, want)
		}
		_, _ = acquire(p, time.Hour)
		p.Answered()
		p.Release(true)
		if !p.TryTake() {
			t.Errorf("mended, but still closed")
		}
	})
}

func TestProbeWithoutAClearAnswerIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 0, 10)
		p.Refused(false)
		for range 3 {
			if ok, probe := acquire(p, time.Hour); !ok || !probe {
				t.Fatal("no further probe: the account would stay closed for ever")
			}
			p.Release(true) // a time-out: neither refused nor answered
		}
	})
}

func TestPauseEndsAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []string
		p, _ := New(Config{Seats: 2, Shared: NewSeats(2), ProbeFirst: time.Second, ProbeMax: time.Minute, OnState: func(s State, _ time.Time) { states = append(states, s.String()) }})
		p.Paused(time.Now().Add(30 * time.Second))
		p.Paused(time.Now().Add(10 * time.Second)) // a shorter one takes nothing back
		p.Answered()                               // an answer to an earlier request does not end it
		start := time.Now()
		if ok, probe := acquire(p, time.Hour); !ok || probe || time.Since(start) != 30*time.Second {
			t.Errorf("granted %v after %s, want true after 30 s", ok, time.Since(start))
		}
		if got := fmt.Sprint(states); got != "[paused open]" {
			t.Errorf("told %s, want paused once and open once", got)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Seats: 1, Shared: NewSeats(1), ProbeFirst: 1, ProbeMax: 1}
	for name, spoil := range map[string]func(*Config){"Limit": func(c *Config) { c.Limit = -1 }, "Seats": func(c *Config) { c.Seats = 0 },
		"Shared": func(c *Config) { c.Shared = nil }, "ProbeFirst": func(c *Config) { c.ProbeFirst = 0 }} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("a wrong %s is taken", name)
		}
	}
}
