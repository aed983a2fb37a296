package budget

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mrand "math/rand/v2"
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

// How the record is asked: lookEvery is how old an account without a limit may see a pause of another replica's, askFor how long a question may
// take (what it takes longer is spent and not used, see kept), outOfReach how long it may fail before somebody is told.
const (
	lookEvery  = time.Second
	idle       = time.Minute // somebody knocks before
	askFor     = time.Second
	outOfReach = 10 * time.Second
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
		t.report(ctx, err)
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
			t.farewell(context.WithoutCancel(ctx))
			return
		}
	}
}

// A teller is what one process knows of the record.
//
// No two clocks are compared. The pot has a time of its own, which whoever writes it moves on by what has passed on its own clock since it last
// knew better; everybody takes over a time that is ahead of theirs. So the pot's time never runs ahead of the real one, whatever clocks say and
// servers do, and follows it as well as the best of the replicas can tell.
type teller struct {
	p        *Purse
	r        Record
	known    bool
	revision uint64
	pot      pot
	at       time.Time // when the pot was so, by this process's clock
	failing  time.Time // since when the record cannot be reached
	told     bool
	asked    bool // it answered in this round

	beaten time.Time // when another replica was quicker
	losses int       // since it had a token
	rest   time.Time // not to try before: the lot was so
	drawn  uint64    // for this revision
}

// rivalry is how long another replica that was quicker is reckoned with.
const rivalry = 10 * time.Second

// draw has lots drawn for a token that has to be waited for: who tries for it first, within a quarter of the time that one takes, and sooner the
// more often another was quicker. Else the replica nearest to the server would have all tokens, and the calls in the hands of the others would wait
// as long as the load lasts. It costs nothing, since tokens gather meanwhile.
func (t *teller) draw(q pot, batch int, now time.Time) {
	if t.drawn == t.revision || q.Tokens >= 1 && now.Sub(t.beaten) >= rivalry {
		return
	}
	every := float64(batch) * float64(time.Second) / (t.p.pace.rate * q.Pace)
	longest := min(every/4, float64(time.Second)) / float64(1+t.losses)
	t.drawn, t.rest = t.revision, now.Add(q.wait(t.p.pace)+time.Duration(mrand.Float64()*longest)) // #nosec G404 -- jitter
}

// round does what is wanted, and returns how long to wait if nothing else is.
func (t *teller) round(ctx context.Context) (wait time.Duration, err error) {
	p := t.p
	p.mu.Lock()
	wanted, news, active := p.granted.wanted, p.granted.news, p.granted.active
	p.granted.active = false
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.granted.asked.all()
		p.mu.Unlock()
	}()
	if p.cfg.Limit == 0 && active { // another replica may have been told to pause
		t.known = false
	}
	t.asked = false
	defer func() {
		if err != nil {
			p.mu.Lock()
			p.granted.active = p.granted.active || active
			p.mu.Unlock()
		}
	}()
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
			batch := min(max(1, int(p.pace.rate*q.Pace/20)), mostTokens)
			if t.draw(q, batch, now); !now.Before(t.rest) {
				n = q.take(batch)
			}
		}
		if n == 0 && len(news) == 0 {
			t.adopt(0, 0)
			switch {
			case wanted:
				return max(q.wait(p.pace), t.rest.Sub(now), time.Millisecond), nil
			case p.cfg.Limit == 0:
				return lookEvery, nil
			}
			return idle, nil
		}
		switch err := t.write(ctx, q, now); {
		case err == nil:
			if n > 0 {
				t.losses = 0
			}
			t.adopt(n, len(news))
			return lookEvery, nil
		case !errors.Is(err, ErrConflict) || tries > 20:
			t.known = false // what was taken is spent, whether it was stored or not
			return 0, err
		}
		t.known, t.beaten, t.losses = false, now, t.losses+1
		select {
		case <-time.After(time.Duration(mrand.Int64N(int64(tries+1) * int64(2*time.Millisecond)))): // #nosec G404 -- jitter: not all at once again
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// farewell tells the record of pauses that it does not know of yet.
func (t *teller) farewell(ctx context.Context) {
	t.p.mu.Lock()
	t.p.granted.wanted = false
	news := len(t.p.granted.news)
	t.p.mu.Unlock()
	if news > 0 {
		_, _ = t.round(ctx)
	}
}

// report says when the record has been out of reach for a while, and when it is back.
func (t *teller) report(ctx context.Context, err error) {
	now := t.p.cfg.Now()
	switch {
	case t.p.cfg.OnRecord == nil || ctx.Err() != nil:
	case err == nil && !t.asked:
	case err == nil:
		if t.told {
			t.p.cfg.OnRecord(nil)
		}
		t.failing, t.told = time.Time{}, false
	case t.failing.IsZero():
		t.failing = now
	case !t.told && now.Sub(t.failing) >= outOfReach:
		t.told = true
		t.p.cfg.OnRecord(err)
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

// read looks at the record.
func (t *teller) read(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, askFor)
	value, revision, stored, err := t.r.Read(try, t.p.cfg.Key)
	cancel()
	if err != nil {
		return err
	}
	t.asked = true
	now := t.p.cfg.Now()
	first := t.at.IsZero()
	if revision == t.revision && !first {
		t.known = true
		return nil
	}
	here := t.pot.At // the pot's time, as well as this process can tell
	if !first {
		here += now.Sub(t.at).Seconds()
	}
	t.revision, t.known, t.at = revision, true, now
	var q pot
	switch {
	case revision == 0:
		born := t.pot.Born
		t.pot = newPot()
		t.pot.Born, t.pot.At = born, here
		if first { // nobody has spent anything yet, or not that any of ours knows
			t.pot.Born, t.pot.Tokens = rand.Text(), t.p.pace.burst
		}
	case json.Unmarshal(value, &q) != nil || !q.sane(): // none of ours: begun anew
		t.pot = newPot()
		t.pot.Born = rand.Text()
	case first:
		t.pot = q
		t.date(ctx, q, stored)
	case q.Born != t.pot.Born: // the one we knew is gone: how old this one is, nobody can tell
		t.pot = q
	default:
		t.pot = q.after(time.Duration((here-q.At)*float64(time.Second)), t.p.pace)
	}
	t.pot.Tokens = min(t.pot.Tokens, t.p.pace.burst) // another limit may have been set
	return nil
}

// date finds out how old the record was that a new process found: it stores the same once more, the server's clock tells how long it was between,
// and that is written down. When any of it fails, the record was stored just now, for all that is known.
func (t *teller) date(ctx context.Context, q pot, stored time.Time) {
	if t.write(ctx, q, t.p.cfg.Now()) != nil {
		t.known = false
		return
	}
	try, cancel := context.WithTimeout(ctx, askFor)
	_, same, again, err := t.r.Read(try, t.p.cfg.Key)
	cancel()
	if now := t.p.cfg.Now(); err == nil && same == t.revision {
		t.known = t.write(ctx, q.after(min(again.Sub(stored), longest), t.p.pace), now) == nil
	}
}

// write stores the pot as it was at a moment just past.
func (t *teller) write(ctx context.Context, q pot, at time.Time) error {
	value, err := json.Marshal(q)
	if err != nil {
		return err
	}
	try, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	revision, err := t.r.Write(try, t.p.cfg.Key, value, t.revision)
	if err != nil {
		return err
	}
	t.revision, t.pot, t.at, t.asked = revision, q, at, true
	return nil
}
