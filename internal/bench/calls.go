package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Whatever takes part works on the streams that the relay's own setup makes, under a prefix that keeps them from others' on a given server.
const (
	prefix       = "bench-"
	callsSubject = "bench.call.ended"
	readySubject = "bench.voicemail.ready"
	callsStream  = prefix + "CALLS"
	workStream   = prefix + "VOICEMAIL_WORK"
	verdicts     = prefix + "VOICEMAILS"
	ledgerBucket = prefix + "VOICEMAIL_LEDGER"
	budgetBucket = prefix + "VOICEMAIL_BUDGET"
	durable      = prefix + "voicemail-relay"
)

// named are the relay's settings for that.
func named() []string {
	return []string{"--nats.prefix", prefix, "--calls.subject", callsSubject, "--ready.subject", readySubject}
}

// batch is a run of sessions that end.
type batch struct {
	name  string
	calls int
	ended func() string // endedAt, "" for none
}

const bot = "st-5f0c8e02-6c1a-5b7e-9d43-2a1f6c0b7e11"

func (b batch) session(i int) string { return b.name + "-" + strconv.Itoa(i) }

func (b batch) body(i int) []byte {
	body := fmt.Appendf(nil, `{"botId":%q,"sessionId":%q,"queue":"support","callId":"c-%08d"`, bot, b.session(i), i)
	if b.ended != nil {
		body = fmt.Appendf(body, `,"endedAt":%q`, b.ended())
	}
	return append(body, '}')
}

// publish stores all calls of a batch as fast as the server takes them.
func publish(ctx context.Context, js jetstream.JetStream, b batch) error {
	const window = 1000
	var open []jetstream.PubAckFuture
	for i := range b.calls {
		f, err := js.PublishMsgAsync(&nats.Msg{Subject: callsSubject, Data: b.body(i)})
		if err != nil {
			return err
		}
		if open = append(open, f); len(open) == window || i == b.calls-1 {
			for _, f := range open {
				select {
				case <-f.Ok():
				case err := <-f.Err():
					return err
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			open = open[:0]
		}
	}
	return nil
}

// look is how often the server is asked how far things are.
const look = 20 * time.Millisecond

// until waits for something to become true.
func until(ctx context.Context, what string, is func() (bool, error)) error {
	t := time.NewTicker(look)
	defer t.Stop()
	for {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}

// told waits until that many verdicts are stored.
func told(ctx context.Context, js jetstream.JetStream, n int) error {
	return until(ctx, fmt.Sprintf("%d verdicts", n), func() (bool, error) {
		s, err := js.Stream(ctx, verdicts)
		if err != nil {
			return false, err
		}
		return s.CachedInfo().State.Msgs >= uint64(n), nil // #nosec G115 -- never under 0
	})
}

// taken waits until every call is acknowledged.
func taken(ctx context.Context, js jetstream.JetStream) error {
	return until(ctx, "every call acknowledged", func() (bool, error) {
		c, err := js.Consumer(ctx, callsStream, durable)
		if err != nil {
			return false, err
		}
		i := c.CachedInfo()
		return i.NumPending == 0 && i.NumAckPending == 0, nil
	})
}

func isMissing(err error) bool { return errors.Is(err, jetstream.ErrStreamNotFound) }
