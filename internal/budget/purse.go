// Package budget is the purse: what each account may spend of the API, in requests a minute and in requests under way at once, and whether
// the API serves the account at all.
//
// It hands out grants and never sleeps with one in hand: who gets none waits for a place in the account's line, which is a stored message.
// In this form one process keeps the limit. Several replicas need a share of it each (rate_limit divided by their number) until they
// draw from one record.
package budget

import (
	"fmt"
	"sync"
	"time"
)

// State is what the API last said of an account.
type State int

const (
	Open    State = iota
	Paused        // it wants nothing before a time: Retry-After
	Refused       // it refuses the credentials: one call at a time tries whether that has been mended
)

func (s State) String() string { return [...]string{"open", "paused", "refused"}[s] }

// Config describes an account's purse.
type Config struct {
	Limit      int                    // requests in any 60 s; 0: no limit
	Seats      int                    // the most requests under way at once, at least 1
	Shared     *Seats                 // of the whole process
	ProbeFirst time.Duration          // from a refusal to the first probe; doubles up to ProbeMax
	ProbeMax   time.Duration          //
	OnState    func(State, time.Time) // told about each change of state, and when the account is asked again; may be nil
	Now        func() time.Time       // nil: time.Now
}

// A Purse is one account's. Its methods may be called from many goroutines.
type Purse struct {
	cfg Config

	mu      sync.Mutex
	pace    *pace // nil: no limit
	seats   int   // free
	state   State
	until   time.Time // paused: the end; refused: the next probe
	paused  time.Time // until when nothing is wanted, whatever the state
	delay   time.Duration
	probing bool
	wake    wake
}

// New makes a purse; the error names the field that is wrong.
func New(cfg Config) (*Purse, error) {
	switch {
	case cfg.Limit < 0:
		return nil, fmt.Errorf("budget: Limit must be at least 0")
	case cfg.Seats < 1:
		return nil, fmt.Errorf("budget: Seats must be at least 1")
	case cfg.Shared == nil:
		return nil, fmt.Errorf("budget: Shared is missing")
	case cfg.ProbeFirst <= 0 || cfg.ProbeMax < cfg.ProbeFirst:
		return nil, fmt.Errorf("budget: ProbeFirst must be over 0, and ProbeMax at least that")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Purse{cfg: cfg, seats: cfg.Seats}
	if cfg.Limit > 0 {
		p.pace = newPace(cfg.Limit, cfg.Now())
	}
	return p, nil
}

// A Wait tells who got no grant what to wait for.
type Wait struct {
	For     time.Duration   // over 0: look again then
	Changed <-chan struct{} // look again when it is closed
	Closed  bool            // the account is not to be asked: it paused or refuses
}

// Acquire takes a seat and the budget for one request, or tells what to wait for. probe marks the one request that tries whether a
// refused account works again. It never blocks; Release returns the seat.
func (p *Purse) Acquire() (ok, probe bool, w Wait) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	probe = p.state == Refused && !p.probing && !now.Before(p.until)
	if p.state != Open && !probe {
		w = Wait{Changed: p.wake.wait(), Closed: true}
		if !p.probing { // else the probe's answer opens it or sets the next date
			w.For = max(p.until.Sub(now), time.Millisecond)
		}
		return false, false, w
	}
	if p.seats == 0 {
		return false, false, Wait{Changed: p.wake.wait()}
	}
	if n, changed := p.cfg.Shared.take(1); n == 0 {
		return false, false, Wait{Changed: changed}
	}
	if p.pace != nil && p.pace.take(1, now) == 0 {
		p.cfg.Shared.give(1)
		return false, false, Wait{For: p.pace.wait(now), Changed: p.wake.wait()}
	}
	p.seats--
	p.probing = p.probing || probe
	return true, probe, Wait{}
}

// Release returns a seat after its request. A probe that brought no clear answer is tried again later.
func (p *Purse) Release(probe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if probe && p.probing {
		p.probing = false
		p.postpone()
	}
	p.seats++
	p.cfg.Shared.give(1)
	p.wake.all()
}

// Limited says whether calls of the account stand in line for a budget.
func (p *Purse) Limited() bool { return p.pace != nil }

// TryTake takes a seat for a request to be made at once. Accounts with a limit always answer no: their calls stand in line for the budget.
func (p *Purse) TryTake() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reopen(p.cfg.Now())
	if p.pace != nil || p.state != Open || p.seats == 0 {
		return false
	}
	if n, _ := p.cfg.Shared.take(1); n == 0 {
		return false
	}
	p.seats--
	return true
}

// Give returns the seat of TryTake.
func (p *Purse) Give() { p.Release(false) }

// Spend takes the budget for one further request in a seat already held, if there is any.
func (p *Purse) Spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	if p.state != Open || p.pace != nil && p.pace.take(1, now) == 0 {
		return false
	}
	return true
}

// Snapshot is a purse at one moment, for metrics.
type Snapshot struct {
	State    State
	Limit    int     // 0: none
	Left     float64 // requests that may be made at once
	InFlight int
}

// Snapshot reads the purse.
func (p *Purse) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	s := Snapshot{State: p.state, Limit: p.cfg.Limit, InFlight: p.cfg.Seats - p.seats}
	if p.pace != nil {
		p.pace.refill(now)
		s.Left = p.pace.tokens
	}
	return s
}
