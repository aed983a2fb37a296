package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// A StoredVerdict is a verdict as the stream holds it.
type StoredVerdict struct {
	Kind     relay.Kind
	ID       string
	Sequence uint64
	Time     time.Time
	Body     []byte // the event's JSON, out of its envelope in structured mode
}

// VerdictReader reads the stream of verdicts in its order, each once, over reconnects.
type VerdictReader struct {
	names Names
	it    jetstream.MessagesContext
}

// Verdicts begins to read: everything that is stored, or what came within the last while, or what comes from now on.
func Verdicts(ctx context.Context, js jetstream.JetStream, n Names, all bool, since time.Duration) (*VerdictReader, error) {
	s, err := js.Stream(ctx, n.verdictStream())
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", n.verdictStream(), err)
	}
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}
	switch {
	case all:
		cfg.DeliverPolicy = jetstream.DeliverAllPolicy
	case since > 0:
		start := time.Now().Add(-since)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &start
	}
	c, err := s.OrderedConsumer(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n.verdictStream(), err)
	}
	it, err := c.Messages()
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n.verdictStream(), err)
	}
	return &VerdictReader{n, it}, nil
}

// Next waits for the next verdict; the error is ctx's, or the stream's.
func (r *VerdictReader) Next(ctx context.Context) (StoredVerdict, error) {
	m, err := r.it.Next(jetstream.NextContext(ctx))
	if err != nil {
		return StoredVerdict{}, err
	}
	md, err := m.Metadata()
	if err != nil {
		return StoredVerdict{}, err
	}
	return StoredVerdict{Kind: r.names.kind(m.Subject()), ID: m.Headers().Get("Nats-Msg-Id"), Sequence: md.Sequence.Stream, Time: md.Timestamp,
		Body: unwrapped(m.Headers(), m.Data())}, nil
}

// kind says which kind of verdict a subject is for.
func (n Names) kind(subject string) relay.Kind {
	for _, k := range []relay.Kind{relay.KindReady, relay.KindAbsent, relay.KindFailed} {
		if subject == n.verdict(k) {
			return k
		}
	}
	return ""
}

// record is what a stored verdict says of itself.
func (n Names) record(m *jetstream.RawStreamMsg) relay.Record {
	rec := relay.Record{ID: m.Header.Get(nats.MsgIdHdr), Verdict: n.kind(m.Subject), At: m.Time.UTC(), Sequence: m.Sequence}
	var body struct {
		Reason   string `json:"reason"`
		Requests int    `json:"requests"`
		Attempts int    `json:"attempts"`
	}
	if json.Unmarshal(unwrapped(m.Header, m.Data), &body) == nil {
		rec.Reason, rec.Requests, rec.Attempts = body.Reason, body.Requests, body.Attempts
	}
	return rec
}

// unwrapped is an event's JSON, taken out of its envelope in structured mode.
func unwrapped(h nats.Header, body []byte) []byte {
	if !strings.HasPrefix(h.Get("Content-Type"), "application/cloudevents") {
		return body
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil || envelope.Data == nil {
		return body
	}
	return envelope.Data
}

// Stop ends the reading.
func (r *VerdictReader) Stop() { r.it.Stop() }
