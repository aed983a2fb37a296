package budget

import (
	"context"
	"slices"
	"time"
)

// patience is how long a call waits in hand for a seat. Where seats become free faster than that, nothing is stored only to be read again at
// once; where they do not, a stored place in line is the better one.
const patience = time.Second

// ShareOfLine is the line's part: where fresh calls and the line both wait for seats, the line gets one in so many. What is fresh has the
// better chance, and nothing starves.
const ShareOfLine = 8

// leftFor is how long the line takes to come for a seat that was left to it, at most: it may not want it any more.
const leftFor = 10 * time.Millisecond

// A queue is who waits for a seat that a request of the same account is about to leave, in their order. It is guarded by its owner's mutex.
type queue struct {
	returning []chan bool // of those who rested, before all others; told once: whether it has a seat now
	waiting   []chan bool // of fresh calls, in the same way
	line      bool        // the line waits for a seat, too
	owed      int         // free seats that are left to it
	left      time.Time   // when the latest was
	passed    int         // seats that were handed on since the line got one
	tired     time.Time   // when somebody last waited in vain: seats become free too slowly for others to wait, for a while
}

// Take takes a seat for a request to be made at once. Accounts with a limit always answer no: their calls stand in line for the budget. Where
// no seat is free it waits for one, a second at most, if Config.Queue lets one more wait; waiting is called before.
func (p *Purse) Take(ctx context.Context, waiting func()) bool {
	ok, seat := p.sitOrWait()
	if seat == nil {
		return ok
	}
	waiting()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case ok := <-seat:
		return ok
	case <-t.C:
	case <-ctx.Done():
	}
	return p.leave(seat)
}

func (p *Purse) sitOrWait() (ok bool, seat chan bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	owed := p.owed()
	idle := p.seats == p.cfg.Seats && owed == 0 // nobody will hand a seat on
	if (p.queue.empty() && p.free() > owed || idle) && p.tryTake() {
		return true, nil
	}
	// Seats of others are not waited for: they tell the line alone when they become free.
	if p.cfg.Limit > 0 || p.state != Open || idle || len(p.queue.waiting) >= p.cfg.Queue || p.cfg.Now().Sub(p.queue.tired) < patience {
		return false, nil
	}
	seat = make(chan bool, 1)
	p.queue.waiting = append(p.queue.waiting, seat)
	return false, seat
}

// leave is for who has waited long enough: a seat may have come just now.
func (p *Purse) leave(seat chan bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.queue.returning, seat); i >= 0 {
		p.queue.returning = slices.Delete(p.queue.returning, i, i+1)
		return false
	}
	if i := slices.Index(p.queue.waiting, seat); i >= 0 {
		p.queue.waiting = slices.Delete(p.queue.waiting, i, i+1)
		p.queue.tired = p.cfg.Now()
		return false
	}
	return <-seat // told already
}

// rest lets a seat go for a while and takes one again, before all who have made no request yet; it says whether a request may be made in it. Its
// holder gives a seat back afterwards in any case.
func (p *Purse) rest(ctx context.Context, d time.Duration) bool {
	lent := p.lend()
	t := time.NewTimer(d)
	defer t.Stop()
	slept := false
	select {
	case <-t.C:
		slept = true
	case <-ctx.Done():
	}
	if !lent {
		return slept
	}
	seated, seat := p.reseat(slept)
	if seat == nil {
		return seated
	}
	t.Reset(patience)
	select {
	case seated = <-seat:
	case <-t.C:
		seated = p.leave(seat)
	case <-ctx.Done():
		seated = p.leave(seat)
	}
	return p.rested(seated)
}

// lend lets the seat go. Where there is a limit seats are not what is short; and as many calls may rest as there are seats, or an API in trouble would
// have a whole line in hand.
func (p *Purse) lend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.Limit > 0 || p.state != Open || p.resting >= p.cfg.Seats {
		return false
	}
	p.resting++
	p.handOn(p.rise())
	p.wake.all()
	return true
}

// reseat takes a seat again, if there is one and one is wanted; otherwise it may return where it will be told.
func (p *Purse) reseat(wanted bool) (seated bool, seat chan bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case wanted && p.tryTake():
		p.resting--
		return true, nil
	case !wanted || p.state != Open: // no request will be made
		p.resting--
		p.lacking++
		return false, nil
	}
	seat = make(chan bool, 1)
	p.queue.returning = append(p.queue.returning, seat)
	return false, seat
}

func (p *Purse) rested(seated bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting--
	if !seated {
		p.lacking++
	}
	return seated
}

// Resting is how many calls are in hand without a seat: they wait before they ask again.
func (p *Purse) Resting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting
}

// owed is how many free seats are left to the line, as long as it may come for them.
func (p *Purse) owed() int {
	if p.cfg.Now().Sub(p.queue.left) > leftFor {
		p.queue.owed = 0
	}
	return p.queue.owed
}

// free is how many seats may be taken now.
func (p *Purse) free() int { return min(p.seats, p.own+p.cfg.Shared.left()) }

// Yield says that the line does not come for a seat, though it may have waited for one: those that are left to it go to who waits.
func (p *Purse) Yield() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue.line, p.queue.owed = false, 0
	p.handOn(p.cfg.Shared.wanted())
}

// handOn gives free seats to who waits, but for those that it is a line's turn to take: its own, or, where those for all are wanted, another's.
func (p *Purse) handOn(wanted bool) {
	for !p.queue.empty() && p.state == Open && p.free() > p.owed() {
		if p.queue.line || wanted && p.own == 0 {
			if p.queue.passed++; p.queue.passed >= ShareOfLine {
				p.queue.passed, p.queue.left = 0, p.cfg.Now()
				p.queue.owed++
				continue
			}
		}
		if !p.tryTake() {
			return
		}
		p.queue.next() <- true
	}
}

func (q *queue) empty() bool { return len(q.returning)+len(q.waiting) == 0 }

// next takes out whose turn it is.
func (q *queue) next() (seat chan bool) {
	from := &q.returning
	if len(*from) == 0 {
		from = &q.waiting
	}
	seat, *from = (*from)[0], (*from)[1:]
	return seat
}

// disperse sends away who waits: the account is closed.
func (p *Purse) disperse() {
	for !p.queue.empty() {
		p.queue.next() <- false
	}
}
