package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// intake takes calls in from call.ended until ctx ends; work is the context of what it began.
//
// Twice Concurrency calls are in hand at most: so many requests may be under way at once over all accounts, and nearly as many calls can still be
// parked or folded while all of these hang.
func (b *Bus) intake(ctx, work context.Context, h Handler, begin func(func())) error {
	msgs := make(chan *nats.Msg, 4*b.cfg.Concurrency+64)
	p, err := b.newPuller("", b.cfg.durable(), msgs)
	if err != nil {
		return err
	}
	b.guard(p)
	var free atomic.Int64
	free.Store(2 * int64(b.cfg.Concurrency))
	var moved, waits atomic.Bool         // something has landed since the last beat; the intake waits for something to land
	stuck := false                       // nothing did between the two beats before
	least := max(1, b.cfg.Concurrency/8) // to ask for: what asks for each single place costs more than the places are worth
	landed := make(chan struct{}, 1)
	back, forget := b.reconnected()
	defer forget()
	beat := time.NewTicker(pullBeat)
	defer beat.Stop()
	last := newTurn(nil)
	last.pass()
	for {
		open := b.flow.open()
		waits.Store(true) // first: what lands from here on is not missed
		if isClosed(open) {
			n := int(free.Load())
			if !stuck {
				n -= b.reserve()
			}
			if n >= least {
				p.pull(n, time.Now())
			}
			open = nil
		}
		waits.Store(p.open == 0) // while calls are still to come, what lands need not wake anybody
		lost := false
		select {
		case m := <-msgs:
			var message bool
			if message, lost = p.take(m, time.Now()); message {
				free.Add(-1)
				mine := newTurn(last.passed)
				last = mine
				begin(func() {
					b.fresh(work, m, h, mine)
					free.Add(1)
					moved.Store(true)
					if waits.Load() {
						select {
						case landed <- struct{}{}:
						default: // it knows
						}
					}
				})
			}
		case <-landed:
			stuck = false
		case <-beat.C:
			lost = p.check(time.Now())
			stuck = !moved.Swap(false)
		case <-back:
			p.reset()
		case <-open:
		case <-ctx.Done():
			b.handBack(msgs, p)
			return nil
		}
		if lost {
			p.revive(ctx, time.Now())
		}
	}
}

// reserve is how many places for calls in hand stay free while those that are in hand come to an end: nothing but an account without a limit can
// be waited for where it is alone, and calls that only wait for a seat cost memory. Of several none may hold up the others.
func (b *Bus) reserve() int {
	if len(b.cfg.Accounts) != 1 || b.cfg.Accounts[0].Purse.HasLimit() {
		return 0
	}
	return max(0, b.cfg.Concurrency*7/8-b.cfg.Accounts[0].Purse.Resting())
}

// pressure is how long the latest sight of calls in stock holds.
const pressure = time.Second

// pressed says that more fresh calls stand at the server than may be asked for at once. A clock that was put back makes no sight last longer.
func (b *Bus) pressed() bool {
	seen := b.stock.Load()
	since := time.Duration(time.Now().UnixNano() - seen)
	return since >= 0 && since < pressure
}

// fresh handles one delivery of call.ended.
func (b *Bus) fresh(ctx context.Context, m *nats.Msg, h Handler, t *turn) {
	defer t.pass()
	md, err := m.Metadata()
	if err != nil {
		return
	}
	fl := &flight{msg: m, stream: md.Stream, sequence: md.Sequence.Stream}
	fl.Body, fl.Header, fl.Stored = m.Data, m.Header, md.Timestamp.UTC()
	fl.Queued, fl.Deliveries, fl.Granted, fl.Now, fl.Asking = md.Timestamp, md.NumDelivered, true, time.Now(), t.pass
	most := uint64(b.cfg.Concurrency) // #nosec G115 -- never under 1
	if md.NumPending >= most {
		b.stock.Store(fl.Now.UnixNano())
	}
	if fl.Deliveries == 1 && b.cfg.Received != nil {
		b.cfg.Received()
	}
	if fl.Call, fl.Err = relay.Parse(fl.Event); fl.Err == nil {
		fl.key, fl.replay = fl.Call.Key(), fl.Call.Replay
	} else {
		fl.ID = nameOf(md)
	}
	fl.Standing = func(ctx context.Context) (bool, error) {
		// Where nobody waits nobody is looked for. Another replica may have put one there in the last minute: its repeat costs a request, no more.
		if fl.replay == 0 && (b.vacant() && fl.Deliveries == 1 || b.unheard(ctx, fl.key)) {
			return false, nil
		}
		return b.standing(ctx, fl.key, fl.replay)
	}
	if other := b.flight.start(fl); other != nil {
		b.beside(fl, other)
		return
	}
	b.handle(ctx, h, fl, t)
}

// beside settles a fresh delivery whose session another one has in hand.
func (b *Bus) beside(fl, other *flight) {
	switch {
	case other.stream == fl.stream && other.sequence == fl.sequence: // handed out again while it is in hand
	case fl.replay > other.replay: // it is asked for once more on purpose: when what is in hand is settled
		b.nakLater(fl.msg)
	default: // the session will be settled by what is in hand: this repeat has nothing to add
		b.ack(fl.msg)
		b.observe(Settlement{Outcome: &relay.Fold{Call: fl.Call, Why: "in hand"}, Repeat: true})
	}
}

// nameOf is what names an event that is no call.
func nameOf(md *nats.MsgMetadata) string {
	return fmt.Sprintf("%s/%d/%d", md.Stream, md.Sequence.Stream, md.Timestamp.UnixNano())
}

// handle decides and settles; what neither could be is handed back.
func (b *Bus) handle(ctx context.Context, h Handler, fl *flight, t *turn) {
	defer b.flight.land(fl)
	decide := (*Bus).decide
	if b.cfg.Tracer != nil {
		decide = (*Bus).decideTraced
	}
	if err := decide(b, ctx, h, fl, t); err != nil {
		b.unsettled(fl, err)
		return
	}
	b.ack(fl.msg)
}

// unsettled hands a delivery back.
func (b *Bus) unsettled(fl *flight, err error) {
	switch {
	case errors.Is(err, errBusy):
		b.nakLater(fl.msg)
	case isFinal(err): // handed out at once, it would fail at once, for ever
		b.cfg.Log.Error("a call cannot be settled; it is tried again after ack_wait", zap.Error(err), traceID(fl.Call))
		b.nakLater(fl.msg)
	default:
		b.nak(fl.msg)
	}
}

func (b *Bus) decide(ctx context.Context, h Handler, fl *flight, t *turn) error {
	if fl.Line && fl.Deliveries > 1 { // before a request is spent on it
		late := false
		err := b.persist(ctx, opReadWork, func(ctx context.Context) (err error) {
			late, err = b.overtaken(ctx, fl)
			return err
		})
		if late || err != nil {
			return b.folded(fl.Call, err)
		}
	}
	o, err := h.Handle(ctx, &fl.Delivery)
	if err != nil {
		return err
	}
	if b.cfg.Tracer != nil {
		return b.settleTraced(ctx, fl, o, t)
	}
	return b.settle(ctx, fl, o, t)
}

// ack tells the server that a delivery is settled. It is not waited for: a lost ack brings the call again, and the ledger folds it. (Nor
// would waiting help: a confirmed ack does not survive the server's crash either.)
func (b *Bus) ack(m *nats.Msg) { _ = m.Respond([]byte("+ACK")) }

// nak hands deliveries back at once, and waits a moment until the server has taken that in: it may be about to stop, too. The delay of a
// nanosecond has it written down; without one the server keeps it in memory alone, and a call comes only after ack_wait when the server has
// started anew or another node leads.
func (b *Bus) nak(ms ...*nats.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var taken sync.WaitGroup
	for _, m := range ms {
		taken.Go(func() { _, _ = b.nc.RequestWithContext(ctx, m.Reply, []byte(`-NAK {"delay":1}`)) })
	}
	taken.Wait()
}

// errBusy says that a replay has to wait until an earlier verdict of its session is off the work stream.
var errBusy = errors.New("an earlier call of the session is still under way")

// nakLater hands a delivery back for a while: as long as a message whose acknowledgement was lost takes to come again.
func (b *Bus) nakLater(m *nats.Msg) {
	_ = m.Respond(fmt.Appendf(nil, `-NAK {"delay":%d}`, b.cfg.AckWait.Nanoseconds()))
}

// handBack stops deliveries and hands back what came and was not begun.
func (b *Bus) handBack(msgs chan *nats.Msg, ps ...*puller) {
	for _, p := range ps {
		_ = p.sub.Drain() // the server's end of it: without ours the client would drop what is on its way
	}
	b.flush(time.Second)
	for _, p := range ps {
		_ = p.sub.Unsubscribe()
	}
	var back []*nats.Msg
	for {
		select {
		case m := <-msgs:
			if m.Reply != "" {
				back = append(back, m)
			}
		default:
			b.nak(back...)
			return
		}
	}
}

// A turn keeps calls in their order where they enter a line: each waits for the one before, unless that is being asked for.
type turn struct {
	before <-chan struct{} // the channel alone: turns must not hold one another
	passed chan struct{}
	once   sync.Once
}

func newTurn(before <-chan struct{}) *turn { return &turn{before: before, passed: make(chan struct{})} }

// pass lets the next one go first from here on.
func (t *turn) pass() { t.once.Do(func() { close(t.passed) }) }

// wait waits until it is t's turn.
func (t *turn) wait(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case <-t.before:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
