package budget

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// queuedPurse is one without a limit and with so many seats, for which so many calls may wait.
func queuedPurse(t *testing.T, seats, queue int) *Purse {
	t.Helper()
	p, err := New(Config{Seats: seats, Shared: NewSeats(seats), Queue: queue, ProbeFirst: time.Second, ProbeMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// take has a call wait for a seat; what comes of it is told on the channel.
func take(ctx context.Context, p *Purse) <-chan bool {
	got := make(chan bool, 1)
	go func() { got <- p.Take(ctx, func() {}) }() // ends within a second
	synctest.Wait()
	return got
}

func told(ch <-chan bool) string {
	select {
	case ok := <-ch:
		if ok {
			return "a seat"
		}
		return "none"
	default:
		return "waits"
	}
}

func TestCallsWaitForSeatsInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 2)
		if !p.Take(t.Context(), func() { t.Error("waited, though a seat was free") }) {
			t.Fatal("no seat")
		}
		first, second := take(t.Context(), p), take(t.Context(), p)
		if got := told(take(t.Context(), p)); got != "none" {
			t.Errorf("beyond the queue: %s, want none", got)
		}
		p.Give()
		synctest.Wait()
		if a, b := told(first), told(second); a != "a seat" || b != "waits" {
			t.Errorf("after one seat: %s and %s, want a seat for the first", a, b)
		}
		<-time.After(patience)
		synctest.Wait()
		if got := told(second); got != "none" {
			t.Errorf("after %s: %s, want none", patience, got)
		}
		if got := told(take(t.Context(), p)); got != "none" {
			t.Errorf("who comes behind one that waited in vain: %s, want none", got)
		}
		<-time.After(patience)
		third := take(t.Context(), p)
		if got := told(third); got != "waits" {
			t.Errorf("a while later: %s, want that it waits", got)
		}
		p.Give()
		synctest.Wait()
		if got := told(third); got != "a seat" {
			t.Errorf("after another seat: %s, want a seat", got)
		}
		p.Give()
		if s := p.Snapshot(); s.InFlight != 0 {
			t.Errorf("%d seats are lost", s.InFlight)
		}
	})
}

func TestWaitingEndsWhenTheAccountIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 4)
		p.TryTake()
		waits := take(t.Context(), p)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := take(ctx, p)
		cancel()
		synctest.Wait()
		if got := told(stopped); got != "none" {
			t.Errorf("its context ended: %s, want none", got)
		}
		p.Refused(false)
		synctest.Wait()
		if a, b := told(waits), told(take(t.Context(), p)); a != "none" || b != "none" {
			t.Errorf("refused: %s, and who comes then %s; want none", a, b)
		}
	})
}

func TestLimitedAccountsDoNotWaitInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config{Limit: 60, Seats: 1, Shared: NewSeats(1), Queue: 5, ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(take(t.Context(), p)); got != "none" {
			t.Errorf("%s, want none: it stands in line", got)
		}
	})
}

// Who waits before it asks again leaves its seat to others, and comes back before them.
func TestSeatsServeOthersWhileTheirCallsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 2)
		if !p.Take(t.Context(), func() {}) {
			t.Fatal("no seat")
		}
		rested := make(chan bool, 1)
		go func() { rested <- p.Again(t.Context(), time.Second) }() // ends within two seconds
		synctest.Wait()
		if got := told(take(t.Context(), p)); got != "a seat" || p.Resting() != 1 {
			t.Fatalf("while another rests: %s and %d resting, want its seat, and 1", got, p.Resting())
		}
		<-time.After(900 * time.Millisecond)
		behind := take(t.Context(), p)
		<-time.After(100 * time.Millisecond)
		synctest.Wait()
		if a, b := told(rested), told(behind); a != "waits" || b != "waits" || p.Resting() != 1 {
			t.Fatalf("when its time has come, and nobody left: %s, and another one %s, %d resting, want that both wait, and 1", a, b, p.Resting())
		}
		p.Give()
		synctest.Wait()
		if a, b := told(rested), told(behind); a != "a seat" || b != "waits" {
			t.Errorf("when the seat is free: %s, and another one %s, want it for who rested", a, b)
		}
		p.Give()
		synctest.Wait()
		p.Give()
		if s := p.Snapshot(); s.InFlight != 0 {
			t.Errorf("%d seats are lost", s.InFlight)
		}
	})
}

// What becomes of the seat that a resting call has let go: in any case its holder gives back one afterwards.
func TestRestedCallsWithoutASeatMakeNoRequest(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(p *Purse, end context.CancelFunc)
	}{
		{"no seat becomes free", func(*Purse, context.CancelFunc) {}},
		{"the account is closed while it rests", func(p *Purse, _ context.CancelFunc) { p.Refused(false) }},
		{"the account is closed while it waits", func(p *Purse, _ context.CancelFunc) {
			go func() { <-time.After(1500 * time.Millisecond); p.Refused(false) }() // ends by itself
		}},
		{"it is to end while it rests", func(_ *Purse, end context.CancelFunc) { end() }},
		{"it is to end while it waits", func(_ *Purse, end context.CancelFunc) { time.AfterFunc(1500*time.Millisecond, end) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := queuedPurse(t, 1, 2)
				ctx, end := context.WithCancel(t.Context())
				defer end()
				p.Take(ctx, func() {})
				rested := make(chan bool, 1)
				go func() { rested <- p.Again(ctx, time.Second) }() // ends within two seconds
				synctest.Wait()
				p.Take(ctx, func() {}) // and keeps it
				row.spoil(p, end)
				<-time.After(2 * time.Second)
				synctest.Wait()
				if got := told(rested); got != "none" {
					t.Fatalf("got %s, want no request", got)
				}
				if ok, _, _ := p.Acquire(); ok {
					t.Errorf("a second seat beside the one that there is")
				}
				p.Give()
				p.Give()
				if s := p.Snapshot(); s.InFlight != 0 || p.cfg.Shared.free != 1 {
					t.Errorf("%d seats in use, %d free of those for all, want 0 and 1", s.InFlight, p.cfg.Shared.free)
				}
			})
		})
	}
}

// Where requests are limited seats are not short: a call keeps its own.
func TestLimitedAccountsKeepTheirSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 60, 1)
		if ok, _ := acquire(p, time.Minute); !ok {
			t.Fatal("no grant")
		}
		go p.Again(t.Context(), time.Second) // ends within a second
		synctest.Wait()
		if s := p.Snapshot(); s.InFlight != 1 || p.Resting() != 0 {
			t.Errorf("%d seats in use and %d resting, want 1 and none", s.InFlight, p.Resting())
		}
		<-time.After(time.Second)
	})
}

// Behind an API that is in trouble with every call a line does not take ever more calls in hand, and another account does not feel it.
func TestNoMoreRestThanThereAreSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewSeats(8)
		purse := func() *Purse {
			p, err := New(Config{Seats: 8, Shared: shared, Queue: 1, ProbeFirst: time.Second, ProbeMax: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		bad, good := purse(), purse()
		most, inHand := 0, 0
		done := make(chan bool, 1000)
		for range 1000 {
			if ok, _, _ := bad.Acquire(); ok {
				inHand++
				go func() { // ends within some seconds
					bad.Again(t.Context(), 200*time.Millisecond)
					<-time.After(50 * time.Millisecond) // it settles
					bad.Release(false)
					done <- true
				}()
				synctest.Wait()
			} else {
				<-time.After(time.Millisecond)
			}
			for len(done) > 0 {
				<-done
				inHand--
			}
			most = max(most, inHand)
		}
		if most > 16 {
			t.Errorf("%d calls in hand of 8 seats, want 16 at most", most)
		}
		bad.Refused(false)
		<-time.After(300 * time.Millisecond)
		synctest.Wait()
		got := 0
		for range 8 {
			if ok, _, _ := good.Acquire(); ok {
				got++
			}
		}
		if s := bad.Snapshot(); got != 8 || s.InFlight != 0 {
			t.Errorf("another account gets %d of 8 seats, and %d stay with the one in trouble, want all and none", got, s.InFlight)
		}
		<-time.After(3 * time.Second)
	})
}
