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

func TestLineGetsItsShareOfSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 3*shareOfLine)
		p.TryTake()
		for range 3 * shareOfLine {
			take(t.Context(), p)
		}
		lines := 0
		for range 2 * shareOfLine {
			_, _, w := p.Acquire()
			p.Release(false)
			synctest.Wait()
			if ok, _, _ := p.Acquire(); ok { // told by w.Changed
				lines++
				select {
				case <-w.Changed:
				default:
					t.Error("a seat is free, and the line is not told")
				}
			}
		}
		if lines != 2 {
			t.Errorf("the line got %d of %d seats, want every %dth", lines, 2*shareOfLine, shareOfLine)
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
