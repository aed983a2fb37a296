package bus

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// sweep moves calls out of the lines of accounts that are configured no longer, such as one that was renamed. Their appointments come due
// in those lines too, so the keeper looks again and again.
func (b *Bus) sweep(ctx, work context.Context, h Handler, begin func(func())) {
	for _, name := range b.orphans(ctx) {
		if n := b.empty(ctx, work, name, h, begin); n > 0 {
			b.cfg.Log.Info("moved calls out of the line of an account that is configured no longer", zap.String("consumer", name), zap.Int("calls", n))
		}
	}
}

// orphans are the lines' consumers that belong to no account of ours, have something (a head that somebody had in hand counts, too), and are served by
// no other replica either: one with older settings would have a pull open.
func (b *Bus) orphans(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ours := map[string]bool{}
	for _, a := range b.cfg.Accounts {
		for _, c := range relay.Classes() {
			ours[b.cfg.lineConsumer(relay.Token(a.Name), c)] = true
		}
	}
	s, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		return nil // looked at again in a minute
	}
	for info := range s.ListConsumers(ctx).Info() {
		// #nosec G115 -- NumAckPending is never under 0
		if strings.HasPrefix(info.Name, b.cfg.lineConsumers()) && !ours[info.Name] && info.NumPending+uint64(info.NumAckPending) > 0 && info.NumWaiting == 0 {
			names = append(names, info.Name)
		}
	}
	return names
}

// quietLine is how long a line hands out nothing when it is empty for now. The pull's own beats do not count: they come more often.
const quietLine = 2 * pullBeat

// empty has the handler place again what stands in a line, without asking for any of it, and returns how many calls it found.
func (b *Bus) empty(ctx, work context.Context, consumer string, h Handler, begin func(func())) (n int) {
	const batch = 100
	msgs := make(chan *nats.Msg, 2*batch)
	p, err := b.newPuller(b.cfg.workStream(), consumer, msgs)
	if err != nil {
		return 0
	}
	defer b.handBack(msgs, p)
	quiet := time.NewTimer(quietLine)
	defer quiet.Stop()
	for ctx.Err() == nil {
		p.pull(batch, time.Now())
		select {
		case m := <-msgs:
			message, lost := p.take(m, time.Now())
			if lost {
				return n
			}
			if !message {
				break
			}
			if fl, ok := b.delivery(m); ok {
				n++
				fl.Now = time.Now()
				done := make(chan struct{})
				begin(func() { defer close(done); b.handle(work, h, fl, nil) })
				select {
				case <-done:
				case <-ctx.Done(): // it ends with work
				}
			}
			quiet.Reset(quietLine)
		case <-quiet.C:
			return n
		case <-ctx.Done():
		}
	}
	return n
}
