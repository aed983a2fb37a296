package budget

import "time"

// troubled is how many calls in a row, none of which was in trouble before, are in trouble when the whole account is taken to be down.
const troubled = 10

// Open says whether the account may be asked: it neither pauses, refuses nor is down.
func (p *Purse) Open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reopen(p.cfg.Now())
	return p.state == Open
}

// Answered says that the API serves the account: a refusal, or trouble, is over. A pause is not: it was asked for until a time.
func (p *Purse) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.served = 0, true
	if p.state == Refused || p.state == Down {
		p.probing = false
		p.change(Open, time.Time{})
	}
}

// Refused says that the API refuses the account's credentials. It is closed, but for a probe: after ProbeFirst, then twice as long after
// each probe that is refused too, up to ProbeMax. probe: a probe's request heard it, and not one that was under way before.
func (p *Purse) Refused(probe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = 0
	p.shut(Refused, probe)
}

// Renewed says that the account may have other credentials: where it was refused, it is tried at once.
func (p *Purse) Renewed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != Refused {
		return
	}
	p.delay = p.cfg.ProbeFirst
	if !p.probing {
		p.until = later(p.cfg.Now(), p.paused)
		p.wake.all()
	}
}

// Troubled says that the API is in trouble; news: with a call that was in none before. When that goes on from call to call, the account is closed
// but for a probe, as if it were refused: asking for each of its calls would only cost budget and seats. As long as it has never answered this
// process, every trouble counts: all calls may have been in trouble before.
func (p *Purse) Troubled(probe, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if news || !p.served {
		p.trouble++
	}
	switch {
	case p.state == Refused || p.state == Down:
		p.shut(p.state, probe)
	case p.trouble >= troubled:
		p.shut(Down, probe)
	}
}

// shut closes the account but for a probe, or, when that has failed, dates the next one.
func (p *Purse) shut(s State, probe bool) {
	switch {
	case p.probing && !probe: // what was under way before says nothing about the probe that is out
	case p.state != s:
		p.delay = p.cfg.ProbeFirst
		p.probing = false
		p.down = p.cfg.Now()
		p.change(s, p.probeAt())
	case probe && p.probing:
		p.probing = false
		p.postpone()
		p.wake.all()
	}
}

// Paused says that the API wants nothing for the account before a time.
func (p *Purse) Paused(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	if d := until.Sub(now); d > 0 {
		p.advance(now)
		p.pot = p.pot.paused(d)
		p.granted.tell(func(q pot) pot { return q.paused(until.Sub(p.cfg.Now())) })
		p.pause(until)
	}
}

// Limited says that the account is over its budget: nothing is asked for as long as the API says, or, when it does not say and the limit is
// known, to the end of the minute. Without either it is an ordinary trouble of one call.
func (p *Purse) Limited(pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	until := now.Add(pause)
	switch {
	case pause > 0:
	case p.cfg.Limit == 0:
		return
	default:
		until = now.Truncate(window).Add(window)
	}
	p.trouble = 0
	if p.state == Down && !p.probing { // it is there
		p.state = Open
	}
	p.advance(now)
	p.pot = p.pot.limited(until.Sub(now))
	p.granted.n = 0
	p.granted.tell(func(q pot) pot { return q.limited(until.Sub(p.cfg.Now())) })
	p.pause(until)
}

func (p *Purse) pause(until time.Time) {
	if until.After(p.paused) {
		p.paused = until
	}
	switch {
	case p.state == Refused || p.state == Down:
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

// probeAt is when a closed account is tried again: not within a pause that it asked for as well.
func (p *Purse) probeAt() time.Time { return later(p.cfg.Now().Add(p.delay), p.paused) }

func (p *Purse) downSince() time.Time {
	if p.state != Down {
		return time.Time{}
	}
	return p.down
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (p *Purse) change(s State, until time.Time) {
	told := p.state != s
	p.state, p.until = s, until
	if s != Open {
		p.disperse()
	}
	p.wake.all()
	if told && p.cfg.OnState != nil {
		p.cfg.OnState(s, until)
	}
}
