package bus

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// historyHeader carries a call's history, as JSON, through the work stream.
const historyHeader = "Voicemail-Relay-History"

// written is a history as its header holds it. The & of links stays as it is: six bytes for one would fill the 64 KiB that NATS takes.
func written(h relay.History) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(h)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// hop is the furthest that an appointment is dated ahead; longer waits take several. So one that is over a minute past its date, anywhere
// in the stream, is stuck.
const hop = 10 * time.Minute

// delivery takes a due call into hand. It is not ok when that session is in hand already: whoever has it settles it.
func (b *Bus) delivery(m *nats.Msg) (*flight, bool) {
	md, err := m.Metadata()
	if err != nil {
		return nil, false
	}
	p, ok := b.cfg.placeOf(m.Subject)
	if !ok {
		return nil, false
	}
	b.clock(md.Timestamp)
	var history relay.History
	if json.Unmarshal([]byte(m.Header.Get(historyHeader)), &history) != nil || history.ID == "" {
		history = relay.History{ID: p.key}
	}
	fl := &flight{msg: m, stream: md.Stream, sequence: md.Sequence.Stream, key: p.key, replay: relay.Replays(history.ID)}
	fl.Body, fl.Header, fl.Stored = m.Data, m.Header, md.Timestamp.UTC()
	fl.Line, fl.Queued, fl.Deliveries, fl.History = true, md.Timestamp, md.NumDelivered, history
	if b.flight.start(fl) != nil {
		return nil, false // handed out again after ack_wait, should it still be needed
	}
	if fl.Call, fl.Err = relay.Parse(fl.Event); fl.Err != nil {
		fl.ID = nameOf(md)
	}
	if history.FirstSeen.IsZero() { // none of ours
		fl.History.FirstSeen, fl.History.EndedAt = fl.Stored, fl.Call.EndedAt
	}
	return fl, true
}

// clock notes how far the server's clock is ahead of ours at least, by what it has stamped: appointments are dated by the server's, or one that
// fires too early by our clock would be made anew at once, and fire at once. An old stamp shows nothing: how old it is, nobody knows.
func (b *Bus) clock(stamped time.Time) {
	for ahead := int64(time.Until(stamped)); ; {
		before := b.ahead.Load()
		if ahead <= before || b.ahead.CompareAndSwap(before, ahead) {
			return
		}
	}
}

// setClock notes how far it is ahead by an answer that the server has just stamped.
func (b *Bus) setClock(stamped time.Time) {
	if !stamped.IsZero() {
		b.ahead.Store(int64(max(0, time.Until(stamped))))
	}
}

// tooLargeToKeep is the verdict on a call that fits call.ended, but not the work stream with its history beside it. What was seen is told.
func tooLargeToKeep(now time.Time, l *relay.Later) *relay.Verdict {
	v := &relay.Verdict{Kind: relay.KindFailed, Reason: relay.ReasonUndeliverable, ID: l.History.ID, Call: l.Call, Account: l.Account, At: now,
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
