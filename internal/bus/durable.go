package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/nats-io/nats.go/jetstream"
)

// consumer creates a durable, or brings it to the settings.
func (s *setup) consumer(ctx context.Context, stream string, want jetstream.ConsumerConfig) error {
	c, err := s.b.js.Consumer(ctx, stream, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if !s.may() {
			return missing("durable "+want.Durable+" on stream", stream)
		}
		_, err := s.b.js.CreateConsumer(ctx, stream, want)
		switch {
		case errors.Is(err, jetstream.ErrConsumerExists):
			return nil
		case err != nil:
			return consumerError(stream, want.Durable, err)
		}
		s.changed("durable %s on stream %s created for %s", want.Durable, stream, want.FilterSubject)
		return nil
	}
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		return anotherConsumer(stream, want)
	}
	if err != nil {
		return fmt.Errorf("look up durable %s of stream %s: %w", want.Durable, stream, err)
	}
	have := c.CachedInfo().Config
	if have.AckPolicy != jetstream.AckExplicitPolicy {
		return anotherConsumer(stream, want)
	}
	next := broughtConsumer(have, want)
	if reflect.DeepEqual(have, next) {
		return nil
	}
	if !s.update {
		s.b.flight.atLeast(have.AckWait / 3)
		return unfitConsumer(stream, have, want)
	}
	if _, err := s.b.js.UpdateConsumer(ctx, stream, next); err != nil {
		return consumerError(stream, want.Durable, err)
	}
	s.changed("durable %s on stream %s updated: ack_wait %s", want.Durable, stream, want.AckWait)
	return nil
}

func anotherConsumer(stream string, want jetstream.ConsumerConfig) error {
	return fmt.Errorf("%w: durable %s of stream %s is not a pull consumer with explicit acks: delete it, or set calls.durable", ErrSetup, want.Durable, stream)
}

// broughtConsumer is a durable, brought to the settings. How it started and whom it serves stays.
func broughtConsumer(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	next := have
	next.AckWait, next.MaxDeliver, next.FilterSubject, next.FilterSubjects, next.BackOff = want.AckWait, -1, want.FilterSubject, nil, nil
	next.Description = want.Description
	next.HeadersOnly, next.MaxRequestBatch, next.MaxRequestExpires, next.MaxRequestMaxBytes = false, 0, 0, 0
	return next
}

// unfitConsumer says why a durable cannot work as it is; nil when it can.
func unfitConsumer(stream string, have, want jetstream.ConsumerConfig) error {
	if limit := hindering(have); limit != "" {
		return fmt.Errorf("%w: durable %s of stream %s has %s, with which calls cannot be handled: run voicemail-relay setup", ErrSetup, want.Durable, stream, limit)
	}
	if have.FilterSubject != want.FilterSubject {
		return fmt.Errorf("%w: durable %s of stream %s is for %q, not for %q: run voicemail-relay setup, or set calls.durable", ErrSetup, want.Durable, stream, have.FilterSubject, want.FilterSubject)
	}
	return nil
}

// hindering names what somebody set on a durable that it cannot work with; "" when nothing.
func hindering(have jetstream.ConsumerConfig) string {
	switch {
	case have.MaxDeliver > 0:
		return fmt.Sprintf("max_deliver %d", have.MaxDeliver)
	case len(have.BackOff) > 0:
		return "backoff"
	case have.HeadersOnly:
		return "headers_only"
	case have.MaxRequestBatch > 0, have.MaxRequestExpires > 0, have.MaxRequestMaxBytes > 0:
		return "limits of what may be pulled at once"
	}
	return ""
}

// consumerError names the cure where one is known.
func consumerError(stream, durable string, err error) error {
	switch apiCode(err) {
	case 10099, 10100:
		return fmt.Errorf("%w: stream %s is a work queue and another consumer has its calls already: use a stream with limits retention, or delete that consumer", ErrSetup, stream)
	case 10026:
		return fmt.Errorf("%w: stream %s has as many consumers as its max_consumers allows: raise it", ErrSetup, stream)
	}
	if permanent(err) {
		return fmt.Errorf("%w: durable %s of stream %s: %w", ErrSetup, durable, stream, err)
	}
	return fmt.Errorf("durable %s of stream %s: %w", durable, stream, err)
}
