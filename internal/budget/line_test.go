package budget

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// drive has so many fresh calls and a line want seats all the time for a minute, each request taking so long, and counts who was served.
func drive(p *Purse, fresh int, line bool, latency time.Duration) (served, lined, refused int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	count := func(n *int) { mu.Lock(); *n++; mu.Unlock() }
	var all sync.WaitGroup
	for range fresh {
		all.Go(func() {
			for ctx.Err() == nil {
				if !p.Take(ctx, func() {}) {
					count(&refused)
					<-time.After(time.Millisecond)
					continue
				}
				<-time.After(latency)
				p.Give()
				count(&served)
			}
		})
	}
	for line && ctx.Err() == nil {
		ok, _, w := p.Acquire()
		if !ok {
			select {
			case <-w.Changed:
			case <-ctx.Done():
			}
			continue
		}
		all.Go(func() {
			<-time.After(latency)
			p.Release(false)
			count(&lined)
		})
	}
	all.Wait()
	return served, lined, refused
}

func TestLineGetsItsShareOfSeats(t *testing.T) {
	for _, row := range []struct {
		seats   int
		shared  int // of all accounts; others hold the rest
		latency time.Duration
	}{{64, 64, 200 * time.Millisecond}, {64, 64, 20 * time.Millisecond}, {8, 8, 200 * time.Millisecond}, {128, 128, time.Second}, {64, 32, 200 * time.Millisecond}, {64, 8, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			p, err := New(Config{Seats: row.seats, Shared: NewSeats(row.shared), Queue: row.seats / 8, ProbeFirst: time.Second, ProbeMax: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			served, lined, _ := drive(p, row.shared+row.seats/8, true, row.latency)
			all := int(time.Minute/row.latency) * row.shared
			if served+lined < all*9/10 || lined < all/16 || lined > all/4 {
				t.Errorf("%d seats, %d for all, %s: %d fresh calls and %d of the line, of %d that are possible; want all seats in use, and a share of some %d for the line", row.seats, row.shared, row.latency, served, lined, all, all/ShareOfLine)
			}
		})
	}
}

func TestOneSeatIsNotLeftIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served, lined, _ := drive(queuedPurse(t, 1, 2), 3, true, 200*time.Millisecond)
		if served+lined < 290 || lined < 10 {
			t.Errorf("%d fresh calls and %d of the line, want 300 in all", served, lined)
		}
		if served, _, _ := drive(queuedPurse(t, 1, 2), 3, false, 200*time.Millisecond); served < 295 {
			t.Errorf("%d fresh calls without a line, want 300", served)
		}
	})
}

// A queue must not keep the seats that are for all from the lines of other accounts.
func TestQueueLeavesSeatsToOtherAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewSeats(8)
		mk := func() *Purse {
			p, err := New(Config{Seats: 9, Own: 1, Shared: shared, Queue: 4, ProbeFirst: time.Second, ProbeMax: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		a, b := mk(), mk()
		var fresh, other int
		var both sync.WaitGroup
		both.Go(func() { fresh, _, _ = drive(a, 13, false, 100*time.Millisecond) })
		synctest.Wait() // it has them all
		both.Go(func() { _, other, _ = drive(b, 0, true, 100*time.Millisecond) })
		both.Wait()
		if fresh < 590 || other < 750 { // its own seat alone gives 600
			t.Errorf("%d fresh calls of one account, %d of the other's line: the seats for all are kept", fresh, other)
		}
	})
}

// TestLineThatYieldsIsLeftNoSeat has the line ask in vain, and then not come any more: every seat goes to fresh calls.
func TestLineThatYieldsIsLeftNoSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 2*ShareOfLine)
		if !p.Take(t.Context(), func() {}) {
			t.Fatal("no seat")
		}
		if ok, _, _ := p.Acquire(); ok {
			t.Fatal("the line has a seat, though none is free")
		}
		var waiting []<-chan bool
		for range 2 * ShareOfLine {
			waiting = append(waiting, take(t.Context(), p))
		}
		p.Yield()
		for i, w := range waiting {
			p.Give()
			synctest.Wait()
			if got := told(w); got != "a seat" {
				t.Fatalf("call %d: %s, want a seat at once", i+1, got)
			}
		}
	})
}

// TestYieldHandsOnWhatWasLeft has a seat left to the line when it says that it does not come.
func TestYieldHandsOnWhatWasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := queuedPurse(t, 1, 2*ShareOfLine)
		p.Take(t.Context(), func() {})
		p.Acquire()
		var waiting []<-chan bool
		for range ShareOfLine {
			waiting = append(waiting, take(t.Context(), p))
		}
		for range ShareOfLine {
			p.Give()
			synctest.Wait()
		}
		last := waiting[ShareOfLine-1]
		if got := told(last); got != "waits" {
			t.Fatalf("the call whose turn the line's is: %s, want that it waits", got)
		}
		p.Yield()
		synctest.Wait()
		if got := told(last); got != "a seat" {
			t.Errorf("after Yield: %s, want a seat", got)
		}
	})
}
