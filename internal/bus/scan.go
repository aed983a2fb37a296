package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// scan reads the messages that a stream holds now, in their order, or until do returns false.
func scan(ctx context.Context, s jetstream.Stream, cfg jetstream.OrderedConsumerConfig, do func(jetstream.Msg, *jetstream.MsgMetadata) (more bool, err error)) error {
	info, err := s.Info(ctx)
	if err != nil {
		return fmt.Errorf("read stream: %w", err)
	}
	trouble := func(err error) error { return fmt.Errorf("read stream %s: %w", info.Config.Name, err) }
	c, err := s.OrderedConsumer(ctx, cfg)
	if err != nil {
		return trouble(err)
	}
	if c.CachedInfo().NumPending == 0 {
		return nil
	}
	it, err := c.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return trouble(err)
	}
	defer it.Stop()
	for {
		m, err := next(ctx, it)
		if err != nil {
			return trouble(err)
		}
		md, err := m.Metadata()
		if err != nil {
			return trouble(err)
		}
		if md.Sequence.Stream > info.State.LastSeq { // came meanwhile, perhaps because of what do did
			return nil
		}
		if more, err := do(m, md); err != nil || !more {
			return err
		}
		if md.NumPending == 0 {
			return nil
		}
	}
}

// next bounds the wait for a message that is known to be there.
func next(ctx context.Context, it jetstream.MessagesContext) (jetstream.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := it.Next(jetstream.NextContext(wait))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, errors.New("nothing came for 10 s: is the server there?")
	}
	return m, err
}

// eachID reads ids, kinds and times of the verdicts that are stored now, from a sequence on, without their bodies.
func (n Names) eachID(ctx context.Context, s jetstream.Stream, from uint64, do func(id string, rec relay.Record)) error {
	cfg := jetstream.OrderedConsumerConfig{HeadersOnly: true, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1)}
	return scan(ctx, s, cfg, func(m jetstream.Msg, md *jetstream.MsgMetadata) (bool, error) {
		id := m.Headers().Get(nats.MsgIdHdr)
		do(id, relay.Record{ID: id, Verdict: n.kind(m.Subject()), At: md.Timestamp.UTC(), Sequence: md.Sequence.Stream})
		return true, nil
	})
}

// keyOf is the session's key in a verdict's id.
func keyOf(id string) string {
	key, _, _ := strings.Cut(id, "/r")
	return key
}
