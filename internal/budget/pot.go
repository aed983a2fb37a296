package budget

import (
	"math"
	"time"
)

// window is what a limit is told for, and what it is kept over: more by as much later as one request may arrive than another after its token was
// taken. Writing that down takes a second at most (askFor), it is granted within reserve, asked for within another second (relay), and travels.
const (
	window = time.Minute
	kept   = window + 2500*time.Millisecond
)

// pace is a token bucket that never lets more than limit requests into any 60 seconds. A bucket of b tokens refilled at r a second lets at
// most floor(b + 60·r) through in 60 s; with r = (limit − b + 1) ÷ kept that is the limit at most. The burst is a twentieth of the limit (at
// least 1): what it allows at once is taken from what may be used all the time, and a tenth would leave less than nine tenths of that.
type pace struct {
	burst float64
	rate  float64 // tokens a second
}

func paceOf(limit int) pace {
	burst := float64(max(1, limit/20))
	if limit >= 20 {
		burst += gathers
	}
	return pace{burst: burst, rate: (float64(limit) - burst + 1) / kept.Seconds()}
}

// gathers is the part of a token that gathers while replicas draw lots for the next (see draw): a burst of one token would be full at once. Limits
// so small that this part is dear go without.
const gathers = 0.25

// How an account slows down when others spend its budget too, and recovers: additive increase, multiplicative decrease (Chiu and Jain, Computer
// Networks and ISDN Systems 17, 1989).
const (
	slower  = 0.7       // each time that it is over the budget again
	slowest = 1.0 / 16  // part of the limit
	recover = 0.05 / 60 // part of the limit, each second
	again   = 600.0     // seconds: over the budget once in so long is somebody's burst, and answered by a pause alone
)

// A pot is what an account may spend at one moment of its own time.
type pot struct {
	Born   string  `json:"born"` // tells it from another one of the account, before somebody deleted the record
	At     float64 `json:"at"`   // its time, in seconds since it was born
	Tokens float64 `json:"tokens"`
	Pace   float64 `json:"pace"`            // part of the limit that is used
	Pause  float64 `json:"pause,omitempty"` // seconds that nothing is to be asked for
	Calm   float64 `json:"calm"`            // seconds since the account was last over its budget, without pauses
}

// newPot is empty, so that whoever is started again does not spend a burst twice within one minute.
func newPot() pot { return pot{Pace: 1, Calm: again} }

// longest is the longest time that a pot passes at once.
const longest = 365 * 24 * time.Hour

// sane says whether this can be a pot; a record may hold anything.
func (q pot) sane() bool {
	pause := (2 * time.Hour).Seconds()
	return q.Pace >= slowest && q.Pace <= 1 && q.Tokens >= 0 && q.Tokens < 1e9 && q.Pause >= 0 && q.Pause <= pause && q.Calm >= 0 && q.At >= 0 && q.At < 1e12
}

// after is the pot some time later.
func (q pot) after(d time.Duration, p pace) pot {
	s := d.Seconds()
	if s <= 0 {
		return q
	}
	q.At += s
	still := min(s, q.Pause)
	q.Pause -= still
	q.Calm = min(q.Calm+s-still, again)
	q.Tokens = min(p.burst, q.Tokens+(s-still)*p.rate*q.Pace)
	q.Pace = min(1, q.Pace+(s-still)*recover)
	return q
}

// paused has nothing asked for a while.
func (q pot) paused(d time.Duration) pot {
	q.Pause = max(q.Pause, d.Seconds())
	return q
}

// limited is paused because the account is over its budget; when that happens again and again the pace goes down. What several requests under
// way are told at once counts as one.
func (q pot) limited(d time.Duration) pot {
	if q.Pause == 0 {
		if q.Calm < again {
			q.Pace = max(slowest, q.Pace*slower)
		}
		q.Calm, q.Tokens = 0, 0
	}
	return q.paused(d)
}

// take takes up to n whole tokens.
func (q *pot) take(n int) int {
	if q.Pause > 0 {
		return 0
	}
	n = min(n, int(q.Tokens))
	q.Tokens -= float64(n)
	return n
}

// wait is how long until there is a whole token.
func (q pot) wait(p pace) time.Duration {
	s := q.Pause
	if q.Tokens < 1 {
		s += (1 - q.Tokens) / (p.rate * q.Pace)
	}
	if s == 0 {
		return 0
	}
	return time.Duration(math.Ceil(s*float64(time.Second))) + time.Microsecond
}
