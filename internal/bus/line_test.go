package bus

import (
	"testing"
	"testing/synctest"
	"time"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/relay"
)

func TestLineKeepsToItsShareWhileFreshCallsAreInStock(t *testing.T) {
	const seats = 16
	purse := func(limit int) *budget.Purse {
		p, err := budget.New(budget.Config{Limit: limit, Seats: seats, Shared: budget.NewSeats(seats), Key: "purse.x", ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Hour) // the zero time of a stock is long ago
		free, limited := Account{Name: "x", Seats: seats, Purse: purse(0)}, Account{Name: "x", Seats: seats, Purse: purse(60)}
		lineOf := func(accounts ...Account) *line {
			return &line{b: &Bus{cfg: Config{Accounts: accounts}}, acct: accounts[0], ended: make(chan struct{}, 1)}
		}
		for _, row := range []struct {
			what  string
			l     *line
			stock bool
			busy  int64
			want  bool
		}{
			{"its share in hand", lineOf(free), true, seats / budget.ShareOfLine, true},
			{"less than its share", lineOf(free), true, seats/budget.ShareOfLine - 1, false},
			{"no stock", lineOf(free), false, seats, false},
			{"a limit: the budget decides", lineOf(limited), true, seats, false},
			{"others beside it", lineOf(free, limited), true, seats, false},
		} {
			if row.l.busy.Store(row.busy); row.stock {
				row.l.b.stock.Store(time.Now().UnixNano())
			}
			if got := row.l.holdsBack(); got != row.want {
				t.Errorf("%s: holds back: %t, want %t", row.what, got, row.want)
			}
		}

		l := lineOf(free)
		l.b.stock.Store(time.Now().UnixNano())
		l.busy.Store(seats / budget.ShareOfLine)
		if ok, _, _ := l.acct.Purse.Acquire(); !ok || !l.holdsBack() {
			t.Fatal("no seat, or it does not hold back")
		}
		l.end(false)
		select {
		case <-l.ended:
		default:
			t.Error("nobody is told that a call has ended, though the line holds back")
		}
		if l.holdsBack() {
			t.Error("it holds back with less than its share in hand")
		}
		l.busy.Store(seats)
		if !l.holdsBack() {
			t.Error("it does not hold back with all seats in hand")
		}
		<-time.After(pressure)
		if l.holdsBack() {
			t.Error("it still holds back a second after fresh calls were last in stock")
		}
		l.b.stock.Store(time.Now().Add(time.Hour).UnixNano())
		if l.holdsBack() {
			t.Error("it holds back for an hour, by which the clock was put back")
		}
	})
}

// TestHeldLineLooksAgain has all that the line has in hand hang: nobody tells it when the stock is gone.
func TestHeldLineLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Hour)
		p, err := budget.New(budget.Config{Seats: 8, Shared: budget.NewSeats(8), Key: "purse.x", ProbeFirst: time.Second, ProbeMax: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		a := Account{Name: "x", Seats: 8, Purse: p}
		l := &line{b: &Bus{cfg: Config{Accounts: []Account{a}}}, acct: a, hand: map[relay.Class][]*flight{relay.ClassFirst: {{}}}}
		l.b.stock.Store(time.Now().UnixNano())
		l.busy.Store(1)
		if wait := l.serve(t.Context(), nil, nil); wait.For <= 0 || wait.For > pressure {
			t.Errorf("it looks again after %s, want within %s", wait.For, pressure)
		}
	})
}
