package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// starved is how long a consumer may hand out nothing, while it is asked and has something, before it is rebuilt.
const starved = time.Minute

// hunger is since when a consumer has been asked without handing anything out: nanoseconds since 1970, 0 while it does or is not asked.
type hunger struct{ since atomic.Int64 }

func (h *hunger) begin(now time.Time) { h.since.CompareAndSwap(0, now.UnixNano()) }
func (h *hunger) end()                { h.since.Store(0) }

func (h *hunger) lasts(now time.Time) time.Duration {
	since := h.since.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

// guard has the watchdog look at consumers that this process pulls from.
func (b *Bus) guard(ps ...*puller) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pulls = append(b.pulls, ps...)
}

// watch looks at consumers that hand out nothing: one that has something to hand out is rebuilt, one that an operator has paused is named.
// (A consumer that does not even answer is looked after by its puller.) Those of the lines are looked at also while they hand out something:
// they may have forgotten a call.
func (b *Bus) watch(ctx context.Context) {
	b.mu.Lock()
	pulls := slices.Clone(b.pulls)
	b.mu.Unlock()
	for _, p := range pulls {
		what := "consumer " + p.consumer
		if p.hungry.lasts(time.Now()) < starved && p.on() != b.cfg.workStream() {
			b.health.set(what, nil)
			continue
		}
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := b.look(try, p, time.Now())
		cancel()
		b.health.set(what, err)
		if err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn("a consumer hands out nothing", zap.Error(err))
		}
	}
}

// look finds out why a consumer hands out nothing, and rebuilds it where that helps. The error is what an operator has to know.
func (b *Bus) look(ctx context.Context, p *puller, now time.Time) error {
	c, err := b.js.Consumer(ctx, p.on(), p.consumer)
	if err != nil {
		return nil // its puller notices, too, and restores it
	}
	info, hungry := c.CachedInfo(), p.hungry.lasts(now) >= starved
	if hungry && info.Paused {
		return fmt.Errorf("consumer %s of stream %s is paused for another %s: resume it with nats consumer resume", p.consumer, p.on(), info.PauseRemaining.Round(time.Second))
	}
	forgotten, err := b.forgotten(ctx, p, info)
	switch {
	case err != nil:
		return nil // looked at again in a minute
	case hungry && starving(info, now), forgotten:
		return b.rebuild(ctx, p, info)
	}
	return nil
}

// forgotten says that the work stream holds a due call which its consumer takes for acknowledged: it will never be handed out, and bars its
// session's way. A server that is killed between noting an acknowledgement and dropping the message leaves such.
//
// All up to the consumer's floor is acknowledged, so what stands there still is forgotten; if it hands out nothing and waits for nothing, so is
// all that it has. Only what was so at the last look already counts: a message that was just acknowledged, or just came, is not meant.
func (b *Bus) forgotten(ctx context.Context, p *puller, info *jetstream.ConsumerInfo) (bool, error) {
	if p.on() != b.cfg.workStream() {
		return false, nil
	}
	before := p.passed
	p.passed = 0
	m, err := b.ofLeader(ctx, p.on(), map[string]any{"seq": 1, "next_by_subj": info.Config.FilterSubject})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m.Sequence <= info.AckFloor.Stream || info.NumPending == 0 && info.NumAckPending == 0 {
		p.passed = m.Sequence
	}
	return p.passed > 0 && p.passed == before, nil
}

// starving says whether a consumer that hands out nothing ought to: it has something, is allowed to, and no replica has just rebuilt it.
func starving(info *jetstream.ConsumerInfo, now time.Time) bool {
	allowed := info.Config.MaxAckPending <= 0 || info.NumAckPending < info.Config.MaxAckPending
	return info.NumPending > 0 && allowed && now.Sub(info.Created) >= starved
}

// rebuild replaces a durable by one that goes on where it stood. What was in hand is handed out again; the ledger, the verdict's id and
// compare-and-set fold it.
func (b *Bus) rebuild(ctx context.Context, p *puller, info *jetstream.ConsumerInfo) error {
	if !b.cfg.Provision {
		return fmt.Errorf("consumer %s of stream %s has %s and hands out none: delete it, and run voicemail-relay setup", p.consumer, p.on(), plural(info.NumPending, "message"))
	}
	cfg := info.Config
	if cfg.DeliverPolicy != jetstream.DeliverAllPolicy { // a stream that keeps what is handled
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartSequencePolicy, info.AckFloor.Stream+1, nil
	}
	if err := b.js.DeleteConsumer(ctx, p.on(), p.consumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("rebuild consumer %s: %w", p.consumer, err)
	}
	if _, err := b.js.CreateConsumer(ctx, p.on(), cfg); err != nil && !errors.Is(err, jetstream.ErrConsumerExists) {
		return fmt.Errorf("rebuild consumer %s: %w", p.consumer, err) // missing now: its puller restores it
	}
	p.hungry.end()
	b.incident(IncidentConsumer, 1, "rebuilt a consumer that handed out nothing", zap.String("consumer", p.consumer), zap.Uint64("pending", info.NumPending))
	return nil
}
