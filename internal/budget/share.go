package budget

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"
)

// A Record keeps each account's purse where all replicas see it.
type Record interface {
	// Read returns a value, its revision and when the server stored it; revision 0 when there is none.
	Read(ctx context.Context, key string) (value []byte, revision uint64, stored time.Time, err error)
	// Write stores a value if its revision is still the one that is given (0: there is none), and returns the new one. Wrap ErrConflict to
	// say that it is another; any other error leaves open whether it was stored.
	Write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// ErrConflict says that somebody else has written meanwhile.
var ErrConflict = errors.New("written by another meanwhile")

// A hoard is what was taken from a shared record and not used yet, and what the record is still to be told. It is guarded by its purse's mutex.
type hoard struct {
	n      int
	until  time.Time // to be used before: what is not is spent all the same
	wanted bool
	active bool            // an account without a limit: used since the record was last looked at
	news   []func(pot) pot // pauses that other replicas have to know of
	ring   chan struct{}   // somebody wants something
	asked  wake            // the record was asked
}

// reserve is how long a token that was taken from the record may be used; with its use it has to fit into what kept has over a minute.
const reserve = 250 * time.Millisecond

func newHoard() hoard { return hoard{ring: make(chan struct{}, 1)} }

func (h *hoard) take(now time.Time) bool {
	if h.n > 0 && now.Before(h.until) {
		h.n--
		return true
	}
	h.n, h.wanted = 0, true
	h.knock()
	return false
}

func (h *hoard) tell(f func(pot) pot) {
	h.news = append(h.news, f)
	h.knock()
}

func (h *hoard) knock() {
	select {
	case h.ring <- struct{}{}:
	default:
	}
}

// How the record is asked: lookEvery is how old an account without a limit may see a pause of another replica's, askFor how long a try may take.
const (
	lookEvery  = time.Second
	idle       = time.Minute // somebody knocks before
	askFor     = 2 * time.Second
	measure    = 10 * time.Second
	mostTokens = 64
)

// Run draws on the account's record until ctx ends, for all seats of this process: from each seat at once the compare-and-set would mostly fail.
// Without a Key there is nothing to do. While the record cannot be reached, nothing is granted.
func (p *Purse) Run(ctx context.Context, r Record) {
	if p.cfg.Key == "" {
		return
	}
	t := &teller{p: p, r: r}
	for failures := 0; ; {
		wait, err := t.round(ctx)
		if err != nil {
			failures = min(failures+1, 5)
			wait = 50 * time.Millisecond << failures
		} else {
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-p.granted.ring:
			if err != nil { // else asking again at once helps nobody
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
			}
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// A teller is what one process knows of the record.
type teller struct {
	p        *Purse
	r        Record
	known    bool
	revision uint64
	pot      pot
	at       time.Time     // when it was so: rather too late than too early
	current  time.Time     // when the revision was last known to be the latest
	ahead    time.Duration // the server's clock before ours: at least so much
	measured time.Time     // when
}

// round does what is wanted, and returns how long to wait if nothing else is.
func (t *teller) round(ctx context.Context) (wait time.Duration, err error) {
	p := t.p
	p.mu.Lock()
	wanted, news, active := p.granted.wanted, p.granted.news, p.granted.active
	p.granted.active = false
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	defer func() {
		p.mu.Lock()
		p.granted.asked.all()
		p.mu.Unlock()
	}()
	if p.cfg.Limit == 0 && active { // another replica may have been told to pause
		t.known = false
	}
	for tries := 0; ; tries++ {
		if !t.known && (wanted || active || len(news) > 0) {
			if err := t.read(ctx); err != nil {
				return 0, err
			}
		}
		now := p.cfg.Now()
		q := t.pot.after(now.Sub(t.at), p.pace)
		for _, f := range news {
			q = f(q)
		}
		n := 0
		if wanted && p.cfg.Limit > 0 {
			n = q.take(min(max(1, int(p.pace.rate*q.Pace/20)), mostTokens))
		}
		if n == 0 && len(news) == 0 {
			t.adopt(0, 0)
			switch {
			case wanted && t.known:
				return q.wait(p.pace), nil
			case p.cfg.Limit == 0:
				return lookEvery, nil
			}
			return idle, nil
		}
		switch err := t.write(ctx, q, now); {
		case err == nil:
			t.adopt(n, len(news))
			return lookEvery, nil
		case !errors.Is(err, ErrConflict) || tries > 20:
			t.known = false // what was taken is spent, whether it was stored or not
			return 0, err
		}
		t.known = false
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(tries+1) * int64(2*time.Millisecond)))): // not all at once again
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// adopt shows the purse what is known of the record, and gives it what was taken.
func (t *teller) adopt(n, told int) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.granted.news = p.granted.news[told:]
	if !t.known {
		return
	}
	now := p.cfg.Now()
	p.pot, p.at = t.pot, t.at
	if left := p.pot.after(now.Sub(p.at), p.pace).Pause; left > 0 && len(p.granted.news) == 0 {
		if until := now.Add(time.Duration(left * float64(time.Second))); until.Sub(p.paused) > time.Second {
			p.pause(until)
		}
	}
	if n > 0 {
		p.granted.n, p.granted.until, p.granted.wanted = n, now.Add(reserve), false
		p.wake.all()
	}
}

// read looks at the record. How old it is follows from the server's clock as far as that is known, and is never more than the time since
// the revision before was the latest: so neither clocks that differ nor one that jumps let anybody spend too much.
func (t *teller) read(ctx context.Context) error {
	value, revision, stored, err := t.r.Read(ctx, t.p.cfg.Key)
	if err != nil {
		return err
	}
	now := t.p.cfg.Now()
	first := t.at.IsZero()
	if revision == t.revision && !first {
		t.known, t.current = true, now
		return nil
	}
	var age time.Duration
	if !t.measured.IsZero() && !t.current.IsZero() {
		age = min(max(now.Add(t.ahead).Sub(stored), 0), now.Sub(t.current))
	}
	t.revision, t.known, t.current, t.at = revision, true, now, now.Add(-age)
	t.pot = newPot()
	if revision == 0 {
		if first { // nobody has spent anything yet, or not that any of ours knows
			t.pot.Tokens = t.p.pace.burst
		}
		return nil
	}
	if ahead := stored.Sub(now); t.measured.IsZero() || ahead > t.ahead {
		t.ahead, t.measured = ahead, now
	}
	var q pot
	if json.Unmarshal(value, &q) == nil { // else it is none of ours: begun anew
		t.pot = q.sane(t.p.pace)
	}
	if first {
		t.date(ctx, value, stored)
	}
	return nil
}

// date finds out how old the record was that a new process found: it stores the same once more, and the server's clock tells. When that fails,
// it was stored just now, for all that is known.
func (t *teller) date(ctx context.Context, value []byte, stored time.Time) {
	revision, err := t.r.Write(ctx, t.p.cfg.Key, value, t.revision)
	if err != nil {
		return
	}
	_, same, again, err := t.r.Read(ctx, t.p.cfg.Key)
	if err != nil || same != revision {
		return
	}
	now := t.p.cfg.Now()
	t.pot = t.pot.after(again.Sub(stored), t.p.pace)
	t.revision, t.at, t.current = revision, now, now
	t.ahead, t.measured = again.Sub(now), now
}

// write stores the pot as it was at a moment just past.
func (t *teller) write(ctx context.Context, q pot, at time.Time) error {
	value, err := json.Marshal(q)
	if err != nil {
		return err
	}
	revision, err := t.r.Write(ctx, t.p.cfg.Key, value, t.revision)
	if err != nil {
		return err
	}
	now := t.p.cfg.Now()
	t.revision, t.pot, t.at, t.current = revision, q, at, now
	if now.Sub(t.measured) < measure {
		return nil
	}
	if _, again, stored, err := t.r.Read(ctx, t.p.cfg.Key); err == nil && again == revision {
		t.ahead, t.measured = stored.Sub(now), now // both ways: a clock may have been set back
	}
	return nil
}
