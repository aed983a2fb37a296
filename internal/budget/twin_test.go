package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a Record in memory, with a clock of its own and a network between: the twin of the bucket (internal/bus holds both to the same).
type memory struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	stored   time.Time
	skew     time.Duration // the server's clock before everybody's
	travel   time.Duration
	fails    func() error // before anything is done
	loses    func() bool  // the answer, after it is done
	writes   int
}

var errLost = errors.New("no answer")

// away is how long a way takes now.
func (m *memory) away() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.travel
}

func (m *memory) Read(context.Context, string) ([]byte, uint64, time.Time, error) {
	<-time.After(m.away())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		if err := m.fails(); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	return m.value, m.revision, m.stored, nil
}

func (m *memory) Write(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	<-time.After(m.away())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		if err := m.fails(); err != nil {
			return 0, err
		}
	}
	if revision != m.revision {
		return 0, fmt.Errorf("memory: %w", ErrConflict)
	}
	m.value, m.stored = value, time.Now().Add(m.skew)
	m.revision++
	m.writes++
	if m.loses != nil && m.loses() {
		return 0, errLost
	}
	return m.revision, nil
}

// spenders are replicas that spend all they are granted, and the window that their requests stand in.
type spenders struct {
	t     *testing.T
	limit int
	mu    sync.Mutex
	sent  []time.Time
	most  int
	total int
}

func (s *spenders) request() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sent = append(s.sent, now)
	for now.Sub(s.sent[0]) >= time.Minute {
		s.sent = s.sent[1:]
	}
	s.total++
	if s.most = max(s.most, len(s.sent)); s.most > s.limit {
		s.t.Errorf("%d requests within 60 s, want at most %d", len(s.sent), s.limit)
	}
}

// count is how many requests were made.
func (s *spenders) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// replica spends until ctx ends, with a clock that is wrong by skew.
func (s *spenders) replica(ctx context.Context, r Record, skew time.Duration) *Purse {
	p, err := New(Config{Limit: s.limit, Seats: 100, Shared: NewSeats(100), Key: "purse.a", ProbeFirst: time.Second, ProbeMax: time.Minute,
		Now: func() time.Time { return time.Now().Add(skew) }})
	if err != nil {
		s.t.Fatal(err)
	}
	go p.Run(ctx, r) // ends with ctx
	go func() {      // too
		for ctx.Err() == nil {
			if ok, _ := acquire(p, time.Minute); ok && ctx.Err() == nil {
				s.request()
				p.Release(false)
			}
		}
	}()
	return p
}

// pass lets time pass, and everybody act.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

// far is a Record at a distance.
type far struct {
	Record
	travel time.Duration
}

func (f far) Read(ctx context.Context, key string) ([]byte, uint64, time.Time, error) {
	<-time.After(f.travel)
	return f.Record.Read(ctx, key)
}

func (f far) Write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	<-time.After(f.travel)
	return f.Record.Write(ctx, key, value, revision)
}
