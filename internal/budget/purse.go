// Package budget is the purse: what each account may spend of the API, in requests a minute and in requests under way at once, and whether
// the API serves the account at all.
//
// It hands out grants and never sleeps with one in hand: who gets none waits for a place in the account's line, which is a stored message. All
// replicas draw on one record for each account (Run).
package budget

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// State is what the API last said of an account.
type State int

const (
	Open    State = iota
	Paused        // it wants nothing before a time: Retry-After, or the account is over its budget
	Refused       // it refuses the credentials: one call at a time tries whether that has been mended
	Down          // it is in trouble with one call after the other, or does not answer: one at a time tries
)

func (s State) String() string { return States()[s] }

// States lists the names of every state, in their order.
func States() []string { return []string{"open", "paused", "refused", "down"} }

// Config describes an account's purse.
type Config struct {
	Limit      int                    // requests in any 60 s; 0: no limit
	Seats      int                    // the most requests under way at once, at least 1
	Shared     *Seats                 // of the whole process
	Own        int                    // how many of Seats nobody else can take; they are not among Shared
	Queue      int                    // how many calls may wait in hand for a seat (Take)
	Key        string                 // of the account's record, which all replicas share and Run keeps; empty: this process alone keeps the limit
	ProbeFirst time.Duration          // from a refusal to the first probe; doubles up to ProbeMax
	ProbeMax   time.Duration          //
	OnState    func(State, time.Time) // told about each change of state, and when the account is asked again; may be nil
	OnRecord   func(error)            // told when the record has been out of reach for ten seconds, and nil when it is back; may be nil
	Now        func() time.Time       // nil: time.Now
}

// A Purse is one account's. Its methods may be called from many goroutines.
type Purse struct {
	cfg  Config
	pace pace

	mu       sync.Mutex
	pot      pot       // as it was
	at       time.Time // then
	granted  hoard     // of a shared record
	seats    int       // free
	resting  int       // calls that have let their seats go for a while and have none yet
	lacking  int       // calls that have come back to none, and will give one back
	own      int       // of these, free ones of its own
	borrowed int       // taken, of those for all
	served   bool      // it has answered, in this process's time
	state    State
	until    time.Time // paused: the end; refused or down: the next probe
	paused   time.Time // until when nothing is wanted, whatever the state
	down     time.Time // since when it is down
	trouble  int       // calls in trouble, one after the other
	delay    time.Duration
	probing  bool
	wake     wake
	queue    queue
}

// New makes a purse; the error names the field that is wrong.
func New(cfg Config) (*Purse, error) {
	switch {
	case cfg.Limit < 0:
		return nil, fmt.Errorf("budget: Limit must be at least 0")
	case cfg.Seats < 1:
		return nil, fmt.Errorf("budget: Seats must be at least 1")
	case cfg.Own < 0 || cfg.Own > cfg.Seats:
		return nil, fmt.Errorf("budget: Own must be from 0 to Seats")
	case cfg.Shared == nil:
		return nil, fmt.Errorf("budget: Shared is missing")
	case cfg.ProbeFirst <= 0 || cfg.ProbeMax < cfg.ProbeFirst:
		return nil, fmt.Errorf("budget: ProbeFirst must be over 0, and ProbeMax at least that")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Purse{cfg: cfg, pace: paceOf(cfg.Limit), seats: cfg.Seats, own: cfg.Own, pot: newPot(), at: cfg.Now(), granted: newHoard()}, nil
}

// A Wait tells who got no grant what to wait for.
type Wait struct {
	For     time.Duration   // over 0: look again then
	Changed <-chan struct{} // look again when it is closed
	Closed  bool            // the account is not to be asked: it paused, refuses or is down
	Down    time.Time       // since when it is down; zero when it is not
}

// Acquire takes a seat and the budget for one request, or tells what to wait for. probe marks the one request that tries whether a
// closed account works again. It never blocks; Release returns the seat.
func (p *Purse) Acquire() (ok, probe bool, w Wait) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	shut := p.state == Refused || p.state == Down
	probe = shut && !p.probing && !now.Before(p.until)
	if p.state != Open && !probe {
		w = Wait{Changed: p.wake.wait(), Closed: true, Down: p.downSince()}
		if !p.probing { // else the probe's answer opens it or sets the next date
			w.For = max(p.until.Sub(now), time.Millisecond)
		}
		return false, false, w
	}
	p.queue.line = true
	if p.seats == 0 {
		return false, false, Wait{Changed: p.wake.wait()}
	}
	if ok, changed := p.sit(); !ok {
		return false, false, Wait{Changed: changed}
	}
	p.queue.line, p.queue.owed = false, max(0, p.queue.owed-1)
	if !p.spend(now) {
		p.rise()
		w = Wait{Changed: p.wake.wait(), Closed: shut, Down: p.downSince()}
		if p.cfg.Key == "" {
			w.For = p.pot.wait(p.pace)
		}
		return false, false, w
	}
	p.probing = p.probing || probe
	return true, probe, Wait{Down: p.downSince()}
}

// sit takes a seat: one of its own, or of those for all; where there is none, the channel tells when there may be.
func (p *Purse) sit() (ok bool, changed <-chan struct{}) {
	if p.own > 0 {
		p.own--
	} else if n, changed := p.cfg.Shared.take(1); n == 0 {
		return false, changed
	} else {
		p.borrowed++
	}
	p.seats--
	return true, nil
}

// rise gives a seat back, first those for all, and says whether a line waited for one of these.
func (p *Purse) rise() (wanted bool) {
	if p.lacking > 0 { // somebody will give one back that he has not: this one is his
		p.lacking--
		return false
	}
	p.seats++
	if p.borrowed > 0 {
		p.borrowed--
		return p.cfg.Shared.give(1)
	}
	p.own++
	return p.cfg.Shared.give(0) // who waits for a seat of those for all may take this one
}

// spend takes the budget for one request, if there is any.
func (p *Purse) spend(now time.Time) bool {
	switch {
	case p.cfg.Limit == 0:
		p.granted.active = true
		return true
	case p.cfg.Key != "":
		return p.granted.take(now)
	}
	p.advance(now)
	return p.pot.take(1) > 0
}

// advance brings the pot to now.
func (p *Purse) advance(now time.Time) {
	if now.After(p.at) {
		p.pot, p.at = p.pot.after(now.Sub(p.at), p.pace), now
	}
}

// Release returns a seat after its request. A probe that brought no clear answer is tried again later.
func (p *Purse) Release(probe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if probe && p.probing {
		p.probing = false
		p.postpone()
	}
	p.handOn(p.rise())
	p.wake.all()
}

// HasLimit says whether calls of the account stand in line for a budget.
func (p *Purse) HasLimit() bool { return p.cfg.Limit > 0 }

// tryTake takes a seat for a request to be made at once, if there is one.
func (p *Purse) tryTake() bool {
	p.reopen(p.cfg.Now())
	if p.cfg.Limit > 0 || p.state != Open || p.seats == 0 {
		return false
	}
	if ok, _ := p.sit(); !ok {
		return false
	}
	p.granted.active = true
	return true
}

// Give returns the seat of Take.
func (p *Purse) Give() { p.Release(false) }

// Again waits for a while, and then takes the budget for one further request of who has a seat, if there is any. With a shared record it waits for
// that to be asked, a second at most. Without a limit the seat serves others meanwhile.
func (p *Purse) Again(ctx context.Context, wait time.Duration) bool {
	return (wait <= 0 || p.rest(ctx, wait)) && p.spendOn()
}

func (p *Purse) spendOn() bool {
	ok, asked := p.trySpend()
	if ok || asked == nil {
		return ok
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-asked:
	case <-t.C:
	}
	ok, _ = p.trySpend()
	return ok
}

// trySpend returns what to wait for where the record has to be asked.
func (p *Purse) trySpend() (ok bool, asked <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	switch {
	case p.state != Open:
		return false, nil
	case p.spend(now):
		return true, nil
	case p.cfg.Key == "":
		return false, nil
	}
	return false, p.granted.asked.wait()
}

// Snapshot is a purse at one moment, for metrics.
type Snapshot struct {
	State    State
	Limit    int     // 0: none
	Left     float64 // requests that may be made at once, as far as this process knows
	Pace     float64 // part of the limit that is used: below 1 while others spend the account's budget too
	Rate     float64 // requests a second that may be made all the time; 0: no limit
	InFlight int
}

// Snapshot reads the purse.
func (p *Purse) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.reopen(now)
	s := Snapshot{State: p.state, Limit: p.cfg.Limit, InFlight: p.cfg.Seats - p.seats, Pace: 1}
	if p.cfg.Limit > 0 {
		q := p.pot.after(now.Sub(p.at), p.pace)
		s.Left, s.Pace, s.Rate = q.Tokens+float64(p.granted.n), q.Pace, q.Pace*p.pace.rate
	}
	return s
}
