package budget

import "time"

// Answered says that the API serves the account: a refusal is over. A pause is not: it was asked for until a time.
func (p *Purse) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == Refused {
		p.probing = false
		p.change(Open, time.Time{})
	}
}

// Refused says that the API refuses the account's credentials. It is closed, but for a probe: after ProbeFirst, then twice as long after
// each probe that is refused too, up to ProbeMax.
func (p *Purse) Refused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state != Refused:
		p.delay = p.cfg.ProbeFirst
		p.probing = false
		p.change(Refused, p.probeAt())
	case p.probing:
		p.probing = false
		p.postpone()
		p.wake.all()
	}
}

// Paused says that the API wants nothing for the account before a time.
func (p *Purse) Paused(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.paused) {
		p.paused = until
	}
	switch {
	case p.state == Refused:
		p.until = later(p.until, p.paused)
	case p.state != Paused || p.paused.After(p.until):
		p.change(Paused, p.paused)
	}
}

// reopen ends a pause whose time has come.
func (p *Purse) reopen(now time.Time) {
	if p.state == Paused && !now.Before(p.until) {
		p.change(Open, time.Time{})
	}
}

// postpone dates the next probe.
func (p *Purse) postpone() {
	p.delay = min(2*p.delay, p.cfg.ProbeMax)
	p.until = p.probeAt()
}

// probeAt is when a refused account is tried again: not within a pause that it asked for as well.
func (p *Purse) probeAt() time.Time { return later(p.cfg.Now().Add(p.delay), p.paused) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (p *Purse) change(s State, until time.Time) {
	told := p.state != s
	p.state, p.until = s, until
	p.wake.all()
	if told && p.cfg.OnState != nil {
		p.cfg.OnState(s, until)
	}
}
