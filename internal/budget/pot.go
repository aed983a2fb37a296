package budget

import (
	"math"
	"time"
)

// window is what a limit is told for, and what it is kept over: a little more, because a request that travels slower than the one behind it
// arrives closer to it than it was sent, and a grant is used a moment after it was given.
const (
	window = time.Minute
	kept   = window + 1500*time.Millisecond
)

// pace is a token bucket that never lets more than limit requests into any 60 seconds. A bucket of b tokens refilled at r a second lets at
// most floor(b + 60·r) through in 60 s; with r = (limit − b + 1) ÷ kept that is the limit at most. The burst is a twentieth of the limit (at
// least 1): what it allows at once is taken from what may be used all the time, and a tenth would leave less than nine tenths of that.
type pace struct {
	burst float64
	rate  float64 // tokens a second
}

func paceOf(limit int) pace {
	burst := max(1, limit/20)
	return pace{burst: float64(burst), rate: float64(limit-burst+1) / kept.Seconds()}
}

// How an account slows down when others spend its budget too, and recovers: additive increase, multiplicative decrease (Chiu and Jain, Computer
// Networks and ISDN Systems 17, 1989).
const (
	slower  = 0.7       // each time that it is over the budget again
	slowest = 1.0 / 16  // part of the limit
	recover = 0.05 / 60 // part of the limit, each second
	again   = 600.0     // seconds: over the budget once in so long is somebody's burst, and answered by a pause alone
)

// A pot is what an account may spend at one moment. All in it is relative to that moment, which is when the server stored it: so no two clocks
// have to agree.
type pot struct {
	Tokens float64 `json:"tokens"`
	Pace   float64 `json:"pace"`            // part of the limit that is used
	Pause  float64 `json:"pause,omitempty"` // seconds that nothing is to be asked for
	Calm   float64 `json:"calm"`            // seconds since the account was last over its budget
}

// newPot is empty, so that whoever is started again does not spend a burst twice within one minute.
func newPot() pot { return pot{Pace: 1, Calm: again} }

// sane is what can be read out of any record: one that holds what cannot be is begun anew.
func (q pot) sane(p pace) pot {
	longest := (2 * time.Hour).Seconds()
	if q.Pace < slowest || q.Pace > 1 || q.Tokens < 0 || q.Pause < 0 || q.Pause > longest || q.Calm < 0 {
		return newPot()
	}
	q.Tokens = min(q.Tokens, p.burst) // another limit may have been set
	return q
}

// after is the pot some time later.
func (q pot) after(d time.Duration, p pace) pot {
	s := d.Seconds()
	if s <= 0 {
		return q
	}
	still := min(s, q.Pause)
	q.Pause -= still
	q.Calm = min(q.Calm+s, again)
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
