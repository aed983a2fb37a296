package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// historyHeader carries a call's history, as JSON, through the work stream.
const historyHeader = "Voicemail-Relay-History"

// hop is the furthest that an appointment is dated ahead; longer waits take several. So one that is over a minute past its date, anywhere
// in the stream, is stuck.
const hop = 10 * time.Minute

// delivery takes a due call into hand. It is not ok when that session is in hand already: whoever has it settles it.
func (b *Bus) delivery(m *nats.Msg) (waiting, bool) {
	md, err := m.Metadata()
	if err != nil {
		return waiting{}, false
	}
	p, ok := b.cfg.placeOf(m.Subject)
	if !ok {
		return waiting{}, false
	}
	b.clock(md.Timestamp)
	var history relay.History
	if json.Unmarshal([]byte(m.Header.Get(historyHeader)), &history) != nil || history.ID == "" {
		history = relay.History{ID: p.key}
	}
	fl, other := b.flight.start(m, md.Stream, md.Sequence.Stream, p.key, relay.Replays(history.ID))
	if other != nil {
		return waiting{}, false // handed out again after ack_wait, should it still be needed
	}
	d := relay.Delivery{
		Event: relay.Event{Body: m.Data, Header: m.Header, Stored: md.Timestamp.UTC(),
			ID: fmt.Sprintf("%s/%d/%d", md.Stream, md.Sequence.Stream, md.Timestamp.UnixNano())},
		Line: true, Queued: md.Timestamp, Deliveries: md.NumDelivered, History: history,
	}
	d.Call, d.Err = relay.Parse(d.Event)
	if history.FirstSeen.IsZero() { // none of ours
		d.History.FirstSeen, d.History.EndedAt = d.Stored, d.Call.EndedAt
	}
	return waiting{fl: fl, d: d}, true
}

// later puts a call into its account's line: at once when its time has come and it is new there, otherwise by an appointment. It folds
// the delivery when the session is on its way already.
//
// A session has one chain of messages in the work stream, each stored only while the one before is its last: a fresh call begins the chain
// where there is none, and a call of the line stores its next appointment only while the delivery in hand is the chain's end. So neither a
// repeat nor a delivery that was handed out twice can fork it, take its slot or lose its history.
func (b *Bus) later(ctx context.Context, fl *flight, d relay.Delivery, l relay.Later, t *turn) (repeat bool, err error) {
	p := place{account: relay.Token(l.Account), class: l.Class, key: l.Call.Key()}
	history, err := json.Marshal(l.History)
	if err != nil {
		return false, err
	}
	m := nats.NewMsg(b.cfg.due(p))
	m.Data = d.Body
	m.Header.Set(historyHeader, string(history))
	setTrace(m.Header, l.Call.Trace)
	m.Header.Set("Nats-Expected-Stream", b.cfg.workStream())
	m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", b.cfg.chain(p.key))
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(fl.end(d), 10))
	if now := time.Now(); d.Line || l.At.After(now) {
		m.Subject = b.cfg.wait(p)
		m.Header.Set(scheduleHeader, "@at "+earliest(l.At, now.Add(hop)).Add(time.Duration(b.ahead.Load())).UTC().Format(time.RFC3339Nano))
		m.Header.Set(targetHeader, b.cfg.due(p))
	} else if err := t.wait(ctx); err != nil {
		return false, err
	}
	unknown := false // whether a try may have been stored, though nobody said so
	err = b.persist(ctx, "keep an appointment", func(ctx context.Context) error {
		_, err := b.js.PublishMsg(ctx, m)
		switch {
		case exists(err):
			repeat = !unknown
			return nil
		case tooLarge(err):
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		unknown = unknown || err != nil
		return err
	})
	if repeat && !d.Line && l.Call.Replay > 0 && err == nil {
		var is bool
		if is, err = b.standing(ctx, p.key, l.Call.Replay); !is && err == nil { // gone meanwhile: there is room now
			err = errBusy
		}
	}
	return repeat, err
}

// standing says whether a session is on its way in the work stream. It is errBusy while what stands there is for a verdict before its k-th
// replay: one whose acknowledgement got lost.
func (b *Bus) standing(ctx context.Context, key string, k int) (is bool, err error) {
	err = b.persist(ctx, "read the work stream", func(ctx context.Context) error {
		s, err := b.js.Stream(ctx, b.cfg.workStream())
		if err != nil {
			return err
		}
		m, err := s.GetLastMsgForSubject(ctx, b.cfg.chain(key))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var h relay.History
		if is = true; json.Unmarshal([]byte(m.Header.Get(historyHeader)), &h) == nil && relay.Replays(h.ID) < k {
			return fmt.Errorf("%w: %w", errFinal, errBusy)
		}
		return nil
	})
	return is, err
}

// clock notes how far the server's clock is ahead of ours, by what it has just stamped: appointments are dated by the server's, or one that
// fires too early by our clock would be made anew at once, and fire at once.
func (b *Bus) clock(stamped time.Time) {
	b.ahead.Store(int64(max(0, time.Until(stamped))))
}

// end is the sequence that a delivery's chain ends with: its own; 0 where it would begin one.
func (fl *flight) end(d relay.Delivery) uint64 {
	if d.Line {
		return fl.sequence
	}
	return 0
}

// overtaken says that a delivery out of the line is not the end of its chain any more: it was handed out twice, and the other one has
// settled it. Only a delivery that was handed out before, or long ago, is looked up.
func (b *Bus) overtaken(ctx context.Context, fl *flight, d relay.Delivery) (is bool, err error) {
	if !d.Line || d.Deliveries == 1 && time.Since(fl.taken) < b.cfg.AckWait/2 {
		return false, nil
	}
	err = b.persist(ctx, "read the work stream", func(ctx context.Context) error {
		s, err := b.js.Stream(ctx, b.cfg.workStream())
		if err != nil {
			return err
		}
		m, err := s.GetLastMsgForSubject(ctx, b.cfg.chain(fl.key))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			is = true
			return nil
		}
		if err == nil {
			is = m.Sequence != fl.sequence
		}
		return err
	})
	return is, err
}

// tooLargeToKeep is the verdict on a call that fits call.ended, but not the work stream with its history beside it. What was seen is told.
func tooLargeToKeep(d relay.Delivery, l relay.Later) *relay.Verdict {
	v := &relay.Verdict{Kind: relay.KindFailed, Reason: relay.ReasonUndeliverable, ID: l.History.ID, Call: l.Call, Account: l.Account, At: d.Now,
		FirstSeen: l.History.FirstSeen, Attempts: l.History.Attempts, Requests: l.History.Requests, Asks: l.History.Asks,
		Error: "the event is too large for the NATS server with its history beside it; raise max_payload"}
	if l.History.Seen() {
		v.Kind, v.Reason, v.Error = relay.KindReady, "", ""
		v.Recordings, v.TranscriptStatus = l.History.Recordings, relay.TranscriptTimedOut
	}
	return v
}

// tooLargeToTell is the verdict on a voicemail whose event does not fit the server even without text.
func tooLargeToTell(v *relay.Verdict) *relay.Verdict {
	f := *v
	f.Kind, f.Reason, f.Error = relay.KindFailed, relay.ReasonUndeliverable, "the voicemail's event is too large for the NATS server; raise max_payload, and max_msg_size of the stream of verdicts"
	f.Recordings, f.Transcript, f.Transcriptions = nil, "", nil
	return &f
}

func isFinal(err error) bool { return errors.Is(err, errFinal) }

func setTrace(h nats.Header, t relay.Trace) {
	if t.Parent != "" {
		h["traceparent"] = []string{t.Parent}
	}
	if t.State != "" {
		h["tracestate"] = []string{t.State}
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
