package budget

import (
	"math"
	"time"
)

// window is what a limit is told for, and what it is kept over: a second more, because a request that travels slower than the one behind
// it arrives closer to it than it was sent.
const (
	window = time.Minute
	kept   = window + time.Second
)

// pace is a token bucket that never lets more than limit requests into any 60 seconds. A bucket of b tokens refilled at r a second lets at
// most floor(b + 60·r) through in 60 s; with a burst of a tenth of the limit (at least 1) and r = (limit − burst + 1) ÷ 61 s that is the
// limit at most. It begins empty, so that a process that is started again does not spend its burst twice within one minute.
type pace struct {
	burst  float64
	rate   float64 // tokens a second
	tokens float64
	at     time.Time // when tokens was true
}

func newPace(limit int, now time.Time) *pace {
	burst := max(1, limit/10)
	return &pace{burst: float64(burst), rate: float64(limit-burst+1) / kept.Seconds(), at: now}
}

func (p *pace) refill(now time.Time) {
	if d := now.Sub(p.at); d > 0 {
		p.tokens = min(p.burst, p.tokens+d.Seconds()*p.rate)
		p.at = now
	}
}

// take takes up to n whole tokens.
func (p *pace) take(n int, now time.Time) int {
	p.refill(now)
	n = min(n, int(p.tokens))
	p.tokens -= float64(n)
	return n
}

// wait is how long until there is a whole token.
func (p *pace) wait(now time.Time) time.Duration {
	p.refill(now)
	if p.tokens >= 1 {
		return 0
	}
	return time.Duration(math.Ceil((1-p.tokens)/p.rate*float64(time.Second))) + time.Microsecond
}
