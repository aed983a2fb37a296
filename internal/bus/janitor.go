package bus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

const (
	scheduleHeader = "Nats-Schedule"
	targetHeader   = "Nats-Schedule-Target"
)

// overdue is how long past its date an appointment is stuck. The server fires within 200 ms, and a loaded one within seconds.
const overdue = time.Minute

// mend makes appointments anew that the server did not fire. One whose firing fails once, because the store was full, is never tried again
// by the server. Since none is dated further than hop ahead, stuck ones are found at the front of the stream: the walk ends at the first
// that is not.
func (b *Bus) mend(ctx context.Context) {
	mended := 0
	defer func() {
		if mended > 0 {
			b.incident(IncidentAppointment, mended, "made appointments anew that the server had not fired; it does not when its store is full")
		}
	}()
	added := b.added.Load()
	s, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		return // looked at again in a minute
	}
	b.replicated.Store(s.CachedInfo().Config.Replicas > 1)
	b.setClock(s.CachedInfo().TimeStamp)
	now := s.CachedInfo().TimeStamp // the dates are the server's: by a clock of ours that is ahead each would be moved on before it can fire
	if now.IsZero() {
		now = time.Now()
	}
	b.stood.Store(s.CachedInfo().State.Msgs)
	if s.CachedInfo().State.Msgs == 0 {
		b.none.Store(added + 1)
	}
	all := b.cfg.wait(place{account: "*", class: "*", key: "*"})
	for seq := s.CachedInfo().State.FirstSeq; ctx.Err() == nil; seq++ {
		m, err := b.next(ctx, s, all, seq)
		if err != nil {
			if !errors.Is(err, jetstream.ErrMsgNotFound) {
				b.cfg.Log.Warn("cannot look for appointments that did not fire; trying again in a minute", zap.Error(err))
			}
			return
		}
		seq = m.Sequence
		at, ok := scheduled(m.Header)
		if !ok { // none of ours
			continue
		}
		if now.Sub(at) < overdue {
			return
		}
		switch err := b.anew(ctx, m, now.Add(time.Duration(mended%1000)*2*time.Millisecond)); {
		case err == nil:
			mended++
		case !exists(err): // else it was fired, or another replica was quicker
			b.cfg.Log.Warn("cannot make an appointment anew that did not fire; trying again in a minute", zap.Error(err))
			return
		}
	}
}

// next reads the first message at or after a sequence on matching subjects.
func (b *Bus) next(ctx context.Context, s jetstream.Stream, subject string, seq uint64) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.GetMsg(ctx, max(seq, 1), jetstream.WithGetMsgSubject(subject))
}

// scheduled reads an appointment's date.
func scheduled(h nats.Header) (time.Time, bool) {
	date, ok := strings.CutPrefix(h.Get(scheduleHeader), "@at ")
	at, err := time.Parse(time.RFC3339Nano, date)
	return at, ok && err == nil
}

// anew stores an appointment once more, if it still stands.
func (b *Bus) anew(ctx context.Context, old *jetstream.RawStreamMsg, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m := again(old, old.Subject, old.Header.Get(targetHeader), at)
	m.Header.Set("Nats-Expected-Stream", b.cfg.workStream())
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(old.Sequence, 10))
	_, err := b.js.PublishMsg(ctx, m)
	return err
}

// again is a message of the work stream once more, as an appointment.
func again(old *jetstream.RawStreamMsg, subject, target string, at time.Time) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = old.Data
	for k, vs := range old.Header {
		if !strings.HasPrefix(k, "Nats-") {
			m.Header[k] = vs
		}
	}
	m.Header.Set(scheduleHeader, "@at "+at.UTC().Format(time.RFC3339Nano))
	m.Header.Set(targetHeader, target)
	return m
}
