package relay

import (
	"math"
	"time"
)

// A Plan says at which ages a call is asked for: the schedule of least cost, where cost is the time that a voicemail which is there waits to be
// found, in seconds, plus a price for each request. Asking costs; not asking costs when there is something to find. The price is what a
// request is worth elsewhere: low while the budget has room, high when calls come faster than it (see Outlook).
//
// # What is optimal about it
//
// Let G(x) be the probability that a call leaves a voicemail that is whole by age x; it ends below 1, since most calls leave none. Looks at
// the ages x1 < x2 < … < xn find what became whole since the look before, and the last one, at recording_for, is made in any case before a
// call is absent. A call costs
//
//	Σ price · (1 − G(x[i−1]))  +  Σ ∫ from x[i−1] to x[i] of (x[i] − t) dG(t)
//
// in expectation: each look is paid only if the one before it found nothing, and what became whole between two looks waits for the second. This is
// the inspection problem of Barlow, Hunter and Proschan ("Optimum checking procedures", J. SIAM 11, 1963), with a defective distribution
// because most 'failures' never happen. The sum splits at each look into what was paid before and what is to come, so dynamic programming
// backwards over a grid of ages finds the minimum itself, whatever the shape of G: no schedule on the grid has a lower sum. Seldom looks
// while little can have arrived, frequent ones where most arrives, and none where next to nothing is to come any more, follow from that.
//
// Of all schedules with as many expected requests none has a shorter expected delay (the price is the Lagrange multiplier of the budget; see
// Everett, "Generalized Lagrange multiplier method", Operations Research 11, 1963): so a budget is spent best when every call of an account is
// planned at the same price, and the price is the lowest at which the budget suffices. What is learned of G has errors, and the grid has steps: both
// cost little, because the sum is flat around its minimum.
type Plan struct {
	curve
	price  float64
	cost   []float64 // of all that is to come after a look at each age that found nothing, times the probability of that
	follow []int     // which age is looked at next
}

// A curve is G on a grid of ages.
type curve struct {
	ages []float64 // seconds; the last is the deadline
	done []float64 // G at each age
	area []float64 // its integral up to each age
	late float64   // by how much the look at the deadline comes late, in seconds: the budget is short
	most float64   // between two looks, in seconds: wait.max, where the budget allows
	seen bool      // there was a look at age 0
}

// planSteps is how fine the grid of ages is: each is 3 to 6 % above the one before.
const planSteps = 128

// newCurve lays the lags of a share of calls on a grid from first to until.
func newCurve(share float64, lags Lags, first, until, late time.Duration) curve {
	end := max(until.Seconds(), 1e-3)
	low := min(max(first.Seconds(), end/2000), end)
	c := curve{late: late.Seconds(), most: math.Inf(1)}
	cdf := lags.cumulative()
	var x, area float64
	for i := range planSteps {
		age := low * math.Pow(end/low, float64(i)/(planSteps-1))
		const parts = 4 // of the trapezoidal rule, between two ages
		for h := (age - x) / parts; x < age-h/2; x += h {
			area += h * share * (cdf(x) + cdf(x+h)) / 2
		}
		x = age
		c.ages, c.done, c.area = append(c.ages, age), append(c.done, share*cdf(age)), append(c.area, area)
	}
	return c
}

// within is the curve where so much time may lie between two looks at most.
func (c curve) within(most time.Duration) curve {
	c.most = most.Seconds()
	return c
}

// fits says whether so much time between two looks can be told on the grid.
func (c curve) fits(most time.Duration) bool {
	end := len(c.ages) - 1
	return c.ages[end]-c.ages[end-1] <= most.Seconds()
}

// plan finds the looks of least cost.
func (c curve) plan(price float64) *Plan {
	p := &Plan{curve: c, price: price, cost: make([]float64, planSteps), follow: make([]int, planSteps)}
	for i := planSteps - 2; i >= 0; i-- {
		p.cost[i], p.follow[i] = p.best(p.done[i], p.area[i], p.ages[i], i+1)
	}
	return p
}

// best finds the look after one at an age that found nothing, among those of the grid from one on.
func (p *Plan) best(done, area, age float64, from int) (cost float64, next int) {
	end := len(p.ages) - 1
	cost = p.price*(1-done) + p.area[end] - area - done*(p.ages[end]-age) + p.late*(p.done[end]-done)
	next = end
	far := math.Inf(1)
	if age > 0 || p.seen {
		far = age + p.most
	}
	if p.ages[end] > far && from < end {
		cost = math.Inf(1)
	}
	for j := from; j < end && (p.ages[j] <= far || j == from && math.IsInf(cost, 1)); j++ {
		if c := p.price*(1-done) + p.area[j] - area - done*(p.ages[j]-age) + p.cost[j]; c < cost {
			cost, next = c, j
		}
	}
	return cost, next
}

// next is the age of the next look after one at an age that found nothing (0: after none), later than now. last says that it is the deadline.
func (p *Plan) next(looked, now float64) (age float64, last bool) {
	end := len(p.ages) - 1
	from := 0
	for from < end && p.ages[from] <= now {
		from++
	}
	done, area := 0.0, 0.0
	if looked > 0 {
		done, area = p.at(looked)
	}
	_, j := p.best(done, area, looked, from)
	return p.ages[j], j == end
}

// at interpolates G and its integral.
func (p *Plan) at(age float64) (done, area float64) {
	if age <= p.ages[0] {
		f := age / p.ages[0]
		return p.done[0] * f, p.area[0] * f * f
	}
	for i := 1; i < len(p.ages); i++ {
		if age <= p.ages[i] {
			f := (age - p.ages[i-1]) / (p.ages[i] - p.ages[i-1])
			return p.done[i-1] + f*(p.done[i]-p.done[i-1]), p.area[i-1] + f*(p.area[i]-p.area[i-1])
		}
	}
	return p.done[len(p.done)-1], p.area[len(p.area)-1]
}

// looks lists the ages, in seconds, at which a call that leaves nothing is asked for.
func (p *Plan) looks() (ages []float64) {
	for _, j := p.best(0, 0, 0, 0); ; j = p.follow[j] {
		ages = append(ages, p.ages[j])
		if j == len(p.ages)-1 {
			return ages
		}
	}
}

// requests is how many requests a call costs in expectation: all, and those before the last, which can wait.
func (p *Plan) requests() (all, early float64) {
	missed := 1.0
	for _, age := range p.looks() {
		early, all = all, all+missed
		done, _ := p.at(age)
		missed = 1 - done
	}
	return all, early
}
