package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Load is what each contender is given.
type Load struct {
	Calls       int           `json:"calls"`
	Concurrency int           `json:"concurrency"`          // requests at once
	Rate        float64       `json:"rate,omitempty"`       // calls a second; 0: all of them stand there at the start
	Latency     time.Duration `json:"latency_ns,omitempty"` // of the API
	Faults      []Fault       `json:"faults,omitempty"`     // of the API
}

// Figures are what one pass of a contender came to. What could not be measured is 0.
type Figures struct {
	CallsPerSecond  float64 `json:"calls_per_second"`
	CPU             float64 `json:"cpu_us_per_call"`        // of the contender
	ServerCPU       float64 `json:"server_cpu_us_per_call"` // of the NATS server
	PeakMiB         float64 `json:"peak_mib"`               // resident, since its start
	StartMS         float64 `json:"start_ms"`               // until ready
	RequestsPerCall float64 `json:"requests_per_call"`
	Connections     int     `json:"connections"` // to the API, at once
	// From the moment at which a call was to come until its verdict was there; at a rate only.
	LatencyMS *Latency `json:"latency_ms,omitempty"`
}

// Latency holds quantiles in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// patience is how long a pass may take: far more than the slowest needs.
func (l Load) patience() time.Duration {
	return time.Minute + time.Duration(l.Calls)*(5*time.Millisecond+l.Latency/time.Duration(l.Concurrency))
}

// pass measures one contender on a site of its own.
func (p Programs) pass(ctx context.Context, c contender, l Load) (f Figures, err error) {
	if c.calm {
		l.Faults = nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	s, err := open(ctx, p, upstreamRole{l.Latency, l.Faults})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.enter(ctx, c, l.Concurrency, 0); err != nil {
		return f, err
	}
	ctx, ignore := s.watched(ctx)
	defer ignore()
	b := batch{name: "call", calls: l.Calls}
	var took time.Duration
	var used, served usage
	if l.Rate > 0 {
		took, used, served, f.LatencyMS, err = s.paced(ctx, b, l.Rate)
	} else {
		took, used, served, err = s.stored(ctx, b)
	}
	if err != nil {
		return f, err
	}
	t, err := s.tally()
	if err != nil {
		return f, err
	}
	if err := prove(ctx, s.js, s.api, b); err != nil {
		return f, fmt.Errorf("%s: %w", c.name, err)
	}
	n := float64(l.Calls)
	f.CallsPerSecond, f.CPU, f.ServerCPU = n/took.Seconds(), used.cpu/n*1e6, served.cpu/n*1e6
	f.PeakMiB, f.StartMS = float64(used.top)/(1<<20), float64(s.begun.Microseconds())/1e3
	f.RequestsPerCall, f.Connections = float64(t.Requests)/n, t.Connections-1 // the tally's own
	return f, nil
}

// stored measures calls that all stand in the stream when the clock starts: the contender is held until they do.
func (s *site) stored(ctx context.Context, b batch) (took time.Duration, used, served usage, err error) {
	release, err := s.subject.hold()
	if err != nil {
		return 0, used, served, err
	}
	err = publish(ctx, s.js, b)
	u0, s0, began := s.subject.usage(), s.server.usage(), time.Now()
	release()
	if err == nil {
		err = s.settled(ctx, b.calls)
	}
	return time.Since(began), s.subject.usage().since(u0), s.server.usage().since(s0), err
}

// settled waits until so many verdicts are stored and all calls are acknowledged.
func (s *site) settled(ctx context.Context, n int) error {
	if err := told(ctx, s.js, n); err != nil {
		return err
	}
	return taken(ctx, s.js)
}

// paced measures calls that come at a rate, whatever becomes of them, and how long each takes from when it should have come.
func (s *site) paced(ctx context.Context, b batch, rate float64) (took time.Duration, used, served usage, l *Latency, err error) {
	var mu sync.Mutex
	heard := map[string]time.Time{}
	sub, err := s.nc.Subscribe(readySubject, func(m *nats.Msg) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if id := sessionOf(m.Data); id != "" && heard[id].IsZero() {
			heard[id] = now
		}
	})
	if err != nil {
		return 0, used, served, nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	u0, s0, began := s.subject.usage(), s.server.usage(), time.Now()
	at := func(i int) time.Time { return began.Add(time.Duration(float64(i) / rate * float64(time.Second))) }
	var open []jetstream.PubAckFuture
	for i := range b.calls {
		if d := time.Until(at(i)); d > 0 {
			time.Sleep(d) // the rate is the point
		}
		f, err := s.js.PublishMsgAsync(&nats.Msg{Subject: callsSubject, Data: b.body(i)})
		if err != nil {
			return 0, used, served, nil, err
		}
		open = append(open, f)
	}
	for _, f := range open {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return 0, used, served, nil, err
		case <-ctx.Done():
			return 0, used, served, nil, ctx.Err()
		}
	}
	err = s.settled(ctx, b.calls)
	if err == nil {
		err = until(ctx, "every verdict heard", func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return len(heard) == b.calls, nil
		})
	}
	took, used, served = time.Since(began), s.subject.usage().since(u0), s.server.usage().since(s0)
	mu.Lock()
	defer mu.Unlock()
	var ms []float64
	for i := range b.calls {
		ms = append(ms, float64(heard[b.session(i)].Sub(at(i)).Microseconds())/1e3)
	}
	return took, used, served, quantiles(ms), err
}

func quantiles(ms []float64) *Latency {
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[min(len(ms)-1, int(q*float64(len(ms))))] }
	return &Latency{at(.5), at(.95), at(.99), ms[len(ms)-1]}
}

// since is what was used from an earlier look on; what is resident and the top stay.
func (u usage) since(before usage) usage {
	u.cpu -= before.cpu
	return u
}
