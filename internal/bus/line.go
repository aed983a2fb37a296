package bus

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/relay"
)

// A line hands an account's due calls to the handler, best class first, as fast as the account's purse grants requests. What it may not
// begin stays in the stream, unpulled, but for the head of each class.
type line struct {
	b     *Bus
	acct  Account
	depth int           // how many calls of a class are in hand before they are granted: one where the budget is short
	busy  atomic.Int64  // calls that it has begun, and that have not ended
	ended chan struct{} // one has, while the line held back
	held  atomic.Bool
	msgs  chan *nats.Msg
	pulls map[relay.Class]*puller
	hand  map[relay.Class][]*flight // the heads of each class
	turn  int
}

func (b *Bus) newLine(a Account) (*line, error) {
	l := &line{b: b, acct: a, depth: 1, ended: make(chan struct{}, 1), pulls: map[relay.Class]*puller{}, hand: map[relay.Class][]*flight{}}
	if !a.Purse.HasLimit() {
		l.depth = min(32, a.Seats)
	}
	l.msgs = make(chan *nats.Msg, 8*l.depth+64)
	for _, c := range relay.Classes() {
		p, err := b.newPuller(b.cfg.workStream(), b.cfg.lineConsumer(relay.Token(a.Name), c), l.msgs)
		if err != nil {
			return nil, err
		}
		b.guard(p)
		l.pulls[c] = p
	}
	return l, nil
}

// run serves the line until ctx ends; work is the context of what it began.
func (l *line) run(ctx, work context.Context, h Handler, begin func(func())) {
	b := l.b
	back, forget := b.reconnected()
	defer forget()
	beat := time.NewTicker(pullBeat)
	defer beat.Stop()
	for {
		open := b.flow.open()
		wait := budget.Wait{}
		if isClosed(open) {
			open = nil
			if wait = l.serve(work, h, begin); ctx.Err() == nil {
				l.topUp()
			}
		}
		var timer <-chan time.Time
		if wait.For > 0 {
			timer = time.After(wait.For)
		}
		var lost []*puller
		select {
		case m := <-l.msgs:
			lost = l.take(m)
		case <-l.ended:
		case <-timer:
		case <-wait.Changed:
		case <-beat.C:
			for _, p := range l.pulls {
				if p.check(time.Now()) {
					lost = append(lost, p)
				}
			}
		case <-back:
			for _, p := range l.pulls {
				p.reset()
			}
		case <-open:
		case <-ctx.Done():
			l.close()
			return
		}
		for _, p := range lost {
			p.revive(ctx, time.Now())
		}
	}
}

// serve begins what may be begun and returns what to wait for.
func (l *line) serve(work context.Context, h Handler, begin func(func())) budget.Wait {
	for l.inHand() > 0 {
		if l.holdsBack() {
			l.acct.Purse.Yield()
			return budget.Wait{For: pressure / 2} // the stock may go while all that the line has in hand hangs
		}
		ok, probe, wait := l.acct.Purse.Acquire()
		switch {
		case ok:
			fl := l.next(relay.Order(l.turn))
			l.turn++
			fl.Granted, fl.Probe, fl.Down = true, probe, wait.Down
			l.busy.Add(1)
			begin(func() {
				defer l.end(probe)
				l.handle(work, h, fl)
			})
		default:
			fl := l.moot(h, wait)
			if fl == nil {
				return wait
			}
			begin(func() { l.handle(work, h, fl) })
		}
	}
	return budget.Wait{}
}

// holdsBack says that the line has its share in hand while fresh calls stand at the server in stock. The purse shares seats out alike, but it is NATS
// that is short where the API is quick: there every call that the line has in hand makes each fresh one later. It is called again when one ends.
func (l *line) holdsBack() bool {
	if len(l.b.cfg.Accounts) != 1 || l.acct.Purse.HasLimit() || !l.b.pressed() {
		return false
	}
	l.held.Store(true) // first: what ends from here on is not missed
	if l.busy.Load() >= int64(max(1, l.acct.Seats/budget.ShareOfLine)) {
		return true
	}
	l.held.Store(false)
	return false
}

func (l *line) end(probe bool) {
	l.acct.Purse.Release(probe)
	l.busy.Add(-1)
	if l.held.Swap(false) {
		select {
		case l.ended <- struct{}{}:
		default: // it knows
		}
	}
}

// moot takes a call out of the hand that is handled though it cannot be asked for.
func (l *line) moot(h Handler, wait budget.Wait) *flight {
	now := time.Now()
	for _, c := range relay.Classes() {
		if len(l.hand[c]) == 0 {
			continue
		}
		fl := l.hand[c][0]
		fl.Now, fl.Closed, fl.Down, fl.Reopens = now, wait.Closed, wait.Down, now.Add(wait.For)
		if h.Moot(&fl.Delivery) {
			return l.next([]relay.Class{c})
		}
	}
	return nil
}

func (l *line) handle(ctx context.Context, h Handler, fl *flight) {
	fl.Now = time.Now()
	l.b.handle(ctx, h, fl, nil)
}

// next takes the first call out of the hand, by class.
func (l *line) next(order []relay.Class) *flight {
	for _, c := range order {
		if fls := l.hand[c]; len(fls) > 0 {
			l.hand[c] = fls[1:]
			return fls[0]
		}
	}
	panic("bus: nothing in hand") // its callers look first
}

func (l *line) inHand() int {
	n := 0
	for _, fls := range l.hand {
		n += len(fls)
	}
	return n
}

// topUp asks for what the hand lacks.
func (l *line) topUp() {
	now := time.Now()
	for c, p := range l.pulls {
		if n := len(l.hand[c]); n <= l.depth/2 {
			p.pull(l.depth-n, now)
		}
	}
}

// take puts a message into the hand; a call that is in hand already is left to whoever has it.
func (l *line) take(m *nats.Msg) (lost []*puller) {
	for c, p := range l.pulls {
		if p.sub != m.Sub {
			continue
		}
		message, gone := p.take(m, time.Now())
		if gone {
			return []*puller{p}
		}
		if message {
			if fl, ok := l.b.delivery(m); ok {
				fl.Account = l.acct.Name
				l.hand[c] = append(l.hand[c], fl)
			}
		}
	}
	return nil
}

// close hands back what was not begun.
func (l *line) close() {
	ps := make([]*puller, 0, len(l.pulls))
	for _, p := range l.pulls {
		ps = append(ps, p)
	}
	l.b.handBack(l.msgs, ps...)
	var back []*nats.Msg
	for _, fls := range l.hand {
		for _, fl := range fls {
			back = append(back, fl.msg)
		}
	}
	l.b.nak(back...)
	for _, fls := range l.hand {
		for _, fl := range fls {
			l.b.flight.land(fl)
		}
	}
}
