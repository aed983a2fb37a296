package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// Stats is how much waits, read from NATS.
type Stats struct {
	Lag         uint64                                   // calls in call.ended that no replica has taken yet
	Waiting     uint64                                   // calls in the work stream: appointments and lines
	Lines       map[string]uint64                        // of those, by account: due, and standing in line
	LineOldest  map[string]map[relay.Class]time.Duration // by account and class: since the call that is longest in line was put there; 0 when none is
	Oldest      time.Duration                            // since the longest unmoved call was put into the work stream; 0 when none waits
	DeadLetters uint64                                   // voicemail.failed in the verdicts' stream
}

// Stats reads them; several round trips, for a look every few seconds. Before Run has found its streams it is an error.
func (b *Bus) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Lines: map[string]uint64{}, LineOldest: map[string]map[relay.Class]time.Duration{}}
	b.mu.Lock()
	calls := b.calls
	b.mu.Unlock()
	if calls == "" {
		return st, errors.New("the streams are not known yet")
	}
	c, err := b.js.Consumer(ctx, calls, b.cfg.durable())
	if err != nil {
		return st, err
	}
	st.Lag = c.CachedInfo().NumPending
	work, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		return st, err
	}
	if s := work.CachedInfo().State; s.Msgs > 0 {
		st.Waiting, st.Oldest = s.Msgs, time.Since(s.FirstTime)
	}
	for _, a := range b.cfg.Accounts {
		st.LineOldest[a.Name] = map[relay.Class]time.Duration{}
		for _, class := range relay.Classes() {
			c, err := b.js.Consumer(ctx, b.cfg.workStream(), b.cfg.lineConsumer(relay.Token(a.Name), class))
			if err != nil {
				return st, err
			}
			st.Lines[a.Name] += c.CachedInfo().NumPending
			if st.LineOldest[a.Name][class], err = b.headAge(ctx, work, c.CachedInfo()); err != nil {
				return st, err
			}
		}
	}
	v, err := b.js.Stream(ctx, b.cfg.verdictStream())
	if err != nil {
		return st, err
	}
	failed := b.cfg.verdict(relay.KindFailed)
	info, err := v.Info(ctx, jetstream.WithSubjectFilter(failed))
	if err != nil {
		return st, err
	}
	st.DeadLetters = info.State.Subjects[failed]
	return st, nil
}

// headAge is since when the first call of a line's class stands there; 0 when none does.
func (b *Bus) headAge(ctx context.Context, work jetstream.Stream, info *jetstream.ConsumerInfo) (time.Duration, error) {
	// #nosec G115 -- NumAckPending is never under 0
	if info.NumPending+uint64(info.NumAckPending) == 0 {
		return 0, nil
	}
	m, err := b.next(ctx, work, info.Config.FilterSubject, 1)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // asked for and settled meanwhile
		return 0, nil
	case err != nil:
		return 0, err
	}
	return max(time.Since(m.Time), 0), nil
}

// Connected says whether there is a connection to NATS, and Reconnects how often a lost one came back.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// Reconnects counts them over the life of the connection.
func (b *Bus) Reconnects() uint64 { return b.nc.Stats().Reconnects }

// Stuck is how many calls wait for an operation that does not succeed, by operation out of Operations.
func (b *Bus) Stuck() map[string]int { return b.flow.all() }

// InFlight is how many deliveries are in this process's hands.
func (b *Bus) InFlight() int { return b.flight.count() }
