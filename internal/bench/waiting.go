package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A WaitingReport tells what calls that wait cost, and whether fresh ones notice.
type WaitingReport struct {
	Load    Load `json:"load"`
	Waiting int  `json:"waiting"`

	Parked float64 `json:"parked_per_second"` // calls that were given an appointment
	Alone  float64 `json:"fresh_per_second"`  // fresh calls told while nobody waits
	Beside float64 `json:"fresh_per_second_beside_waiting"`
	Due    float64 `json:"fresh_per_second_while_all_come_due"`
	Told   float64 `json:"waiting_told_per_second_meanwhile"` // of those that had waited

	RelayMiB    float64 `json:"relay_mib"`         // resident, before anybody waited
	RelayMore   float64 `json:"relay_mib_more"`    // while they wait
	ServerBytes float64 `json:"server_bytes_each"` // resident, for each that waits; 0 where the server was given
}

// Waiting has fresh calls told while nobody waits, while so many do, and while all of these come due at once. Then all are told and proven.
func (p Programs) Waiting(ctx context.Context, l Load, waiting int, say func(string)) (r WaitingReport, err error) {
	r = WaitingReport{Load: l, Waiting: waiting}
	// Nothing may be due before all are parked and the fresh ones are through; and an appointment takes one hop, of ten minutes at most.
	first := 3*time.Second + time.Duration(waiting)*time.Second/1500 + time.Duration(l.Calls)*3*time.Second/1000
	if first > 10*time.Minute {
		first = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, 2*first+time.Duration(waiting+4*l.Calls)*5*time.Millisecond)
	defer cancel()
	s, err := open(ctx, p, upstreamRole{l.Latency, l.Faults})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.enter(ctx, contender{name: "relay", binary: p.Relay}, l.Concurrency, first); err != nil {
		return r, err
	}
	ctx, ignore := s.watched(ctx)
	defer ignore()
	heard, deaf, err := s.listen()
	if err != nil {
		return r, err
	}
	defer deaf()
	fresh := func(name string) batch {
		return batch{name: name, calls: l.Calls, ended: func() string { return stamp(time.Now().Add(-2 * first)) }}
	}
	var all []batch
	pace := func(name string) (float64, error) {
		b := fresh(name)
		all = append(all, b)
		release, err := s.subject.hold()
		if err != nil {
			return 0, err
		}
		err = publish(ctx, s.js, b)
		began := time.Now()
		release()
		if err != nil {
			return 0, err
		}
		err = heard.until(ctx, name, l.Calls)
		return float64(l.Calls) / time.Since(began).Seconds(), err
	}
	if _, err = pace("warm"); err != nil {
		return r, err
	}
	if r.Alone, err = pace("alone"); err != nil {
		return r, err
	}
	say(fmt.Sprintf("%.0f fresh calls/s while nobody waits", r.Alone))
	relay, server := s.subject.usage(), s.server.usage()
	ended := time.Now()
	b := batch{name: "waiting", calls: waiting, ended: func() string { return stamp(ended) }}
	all = append(all, b)
	if err := publish(ctx, s.js, b); err != nil {
		return r, err
	}
	if err := s.parked(ctx, waiting); err != nil {
		return r, err
	}
	r.Parked = float64(waiting) / time.Since(ended).Seconds()
	if left := first*19/20 - time.Since(ended) - time.Duration(float64(l.Calls)/r.Alone*1.5)*time.Second; left < 0 {
		return r, fmt.Errorf("bench: %d calls took %s to park: they come due before the others are measured; take fewer", waiting, time.Since(ended).Round(time.Second))
	}
	r.RelayMiB, r.RelayMore = float64(relay.resident)/(1<<20), (float64(s.subject.usage().resident)-float64(relay.resident))/(1<<20)
	if s.server != nil {
		r.ServerBytes = (float64(s.server.usage().resident) - float64(server.resident)) / float64(waiting)
	}
	say(fmt.Sprintf("%d calls wait: parked at %.0f/s; the relay has %.1f MiB, %+.1f; %.0f bytes of the server each", waiting, r.Parked, r.RelayMiB, r.RelayMore, r.ServerBytes))
	if r.Beside, err = pace("beside"); err != nil {
		return r, err
	}
	say(fmt.Sprintf("%.0f fresh calls/s beside them: %.2f", r.Beside, r.Beside/r.Alone))
	select {
	case <-time.After(time.Until(ended.Add(first))):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	before := heard.of("waiting")
	if r.Due, err = pace("due"); err != nil {
		return r, err
	}
	r.Told = float64(heard.of("waiting")-before) / (float64(l.Calls) / r.Due)
	say(fmt.Sprintf("%.0f fresh calls/s while all come due: %.2f; %.0f/s of those that had waited", r.Due, r.Due/r.Alone, r.Told))
	if err := s.settled(ctx, waiting+4*l.Calls); err != nil {
		return r, err
	}
	return r, prove(ctx, s.js, s.api, all...)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parked waits until so many calls have an appointment.
func (s *site) parked(ctx context.Context, n int) error {
	return until(ctx, fmt.Sprintf("%d appointments", n), func() (bool, error) {
		st, err := s.js.Stream(ctx, workStream)
		if err != nil {
			return false, err
		}
		return st.CachedInfo().State.Msgs >= uint64(n), nil // #nosec G115 -- never under 0
	})
}

// ears count the verdicts of each batch, as a plain subscriber hears them.
type ears struct {
	mu    sync.Mutex
	count map[string]int // by the batch's name
	news  chan struct{}
}

func (s *site) listen() (e *ears, deaf func(), err error) {
	e = &ears{count: map[string]int{}, news: make(chan struct{}, 1)}
	sub, err := s.nc.Subscribe(readySubject, func(m *nats.Msg) {
		name, _, _ := strings.Cut(sessionOf(m.Data), "-")
		e.mu.Lock()
		e.count[name]++
		e.mu.Unlock()
		select {
		case e.news <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, nil, err
	}
	return e, func() { _ = sub.Unsubscribe() }, nil
}

// until waits until so many of a batch were heard.
func (e *ears) until(ctx context.Context, name string, n int) error {
	for {
		have := e.of(name)
		if have >= n {
			return nil
		}
		select {
		case <-e.news:
		case <-ctx.Done():
			return fmt.Errorf("bench: %d of %d verdicts of %q: %w", have, n, name, context.Cause(ctx))
		}
	}
}

// of is how many of a batch were heard so far.
func (e *ears) of(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count[name]
}
