package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

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
	v := StoredVerdict{ID: m.Headers().Get("Nats-Msg-Id"), Sequence: md.Sequence.Stream, Time: md.Timestamp, Body: m.Data()}
	for _, k := range []relay.Kind{relay.KindReady, relay.KindAbsent, relay.KindFailed} {
		if m.Subject() == r.names.verdict(k) {
			v.Kind = k
		}
	}
	if strings.HasPrefix(m.Headers().Get("Content-Type"), "application/cloudevents") {
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if json.Unmarshal(v.Body, &envelope) == nil && envelope.Data != nil {
			v.Body = envelope.Data
		}
	}
	return v, nil
}

// Stop ends the reading.
func (r *VerdictReader) Stop() { r.it.Stop() }
