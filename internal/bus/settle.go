package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// settle does what was decided about a delivery. It returns only when that is stored, or when ctx ends first; then the delivery is not to
// be acknowledged.
func (b *Bus) settle(ctx context.Context, fl *flight, o relay.Outcome, t *turn) error {
	switch o := o.(type) {
	case *relay.Verdict:
		return b.announce(ctx, fl, o)
	case *relay.Later:
		b.flight.handOver(fl) // from here on the message in the work stream stands for the session, and may be due at once
		repeat, err := b.later(ctx, fl, o, t)
		if isFinal(err) && !errors.Is(err, errBusy) {
			return b.announce(ctx, fl, tooLargeToKeep(fl.Now, o))
		}
		if err == nil {
			b.observe(Settlement{Outcome: o, Repeat: repeat})
		}
		return err
	case *relay.Fold:
		b.observe(Settlement{Outcome: o, Repeat: true})
		return nil
	}
	panic(fmt.Sprintf("bus: unknown outcome %T", o)) // the set is closed
}

// folded tells of a delivery that another one has overtaken.
func (b *Bus) folded(c relay.Call, err error) error {
	if err == nil {
		b.observe(Settlement{Outcome: &relay.Fold{Call: c, Why: "overtaken"}, Repeat: true})
	}
	return err
}

// announce publishes a verdict under its id, then notes it in the ledger. When the stream holds a verdict of that id already, that one is
// the truth, and it is what ledger and log tell. Whether it is late is looked at before each try: what cannot be published for a while may be
// overtaken meanwhile.
func (b *Bus) announce(ctx context.Context, fl *flight, v *relay.Verdict) error {
	rec := relay.Record{ID: v.ID, Verdict: v.Kind, Reason: string(v.Reason), At: v.At.UTC(), Requests: v.Requests, Attempts: v.Attempts,
		FirstSeen: v.FirstSeen.UTC(), Asks: v.Asks}
	limit := int(b.nc.MaxPayload())
	var ack jetstream.PubAck
	late := false
	err := b.persist(ctx, opPublish, func(ctx context.Context) (err error) {
		if v.Kind != relay.KindReady {
			if late, err = b.late(ctx, fl); late || err != nil {
				return err
			}
		}
		m := b.event(v, limit)
		ack, err = b.mailboxes.store(ctx, &m.Msg)
		m.free()
		if tooLarge(err) { // the stream may take less than the server
			if limit /= 2; limit < 512 {
				return fmt.Errorf("%w: %w", errFinal, err)
			}
		}
		return err
	})
	if isFinal(err) && v.Kind == relay.KindReady { // a link that does not fit: text has given way before
		return b.announce(ctx, fl, tooLargeToTell(v))
	}
	if late || err != nil {
		return b.folded(v.Call, err)
	}
	rec.Sequence = ack.Sequence
	if ack.Duplicate {
		if stored, ok := b.stored(ctx, ack.Sequence, v.ID); ok {
			stored.FirstSeen, stored.Asks = rec.FirstSeen, rec.Asks
			rec = stored
		}
	}
	if v.Reason != relay.ReasonMalformed {
		if err := b.note(ctx, v.Call.Key(), rec); err != nil {
			return err
		}
	}
	b.observe(Settlement{Outcome: v, Verdict: &rec, Repeat: ack.Duplicate})
	return nil
}

// stored reads which verdict the stream holds under an id.
func (b *Bus) stored(ctx context.Context, sequence uint64, id string) (relay.Record, bool) {
	var raw *jetstream.RawStreamMsg
	err := b.persist(ctx, opReadVerdict, func(ctx context.Context) error {
		s, err := b.js.Stream(ctx, b.cfg.verdictStream())
		if err != nil {
			return err
		}
		raw, err = s.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // by a replica that lags, perhaps
			raw, err = b.ofLeader(ctx, b.cfg.verdictStream(), map[string]any{"seq": sequence})
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) { // an operator has purged it
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		return err
	})
	if err != nil {
		return relay.Record{}, false
	}
	rec := b.cfg.record(raw)
	rec.ID = id
	return rec, true
}

func (b *Bus) observe(s Settlement) {
	if b.cfg.Observe != nil {
		b.cfg.Observe(s)
	}
}
