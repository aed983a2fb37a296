// Package simulation plays calls against the planner and the purse that ship, in virtual time, and beside them the policies that are usual
// elsewhere: it answers whether a budget will do. It knows neither NATS nor HTTP.
package simulation

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"voicemail-relay/internal/relay"
)

// A Day is what is played: when calls end, what they leave, and what may be spent.
type Day struct {
	Policy relay.Policy
	Calls  []time.Duration // when each ended, since the beginning
	Share  float64         // of calls that leave a voicemail
	Media  Lag             // from hang-up to the recording
	Text   Lag             // from the recording to its text
	Mute   bool            // no text is asked for: a voicemail is there with its recording
	Limit  int             // requests in any 60 s; 0: no limit
	Others float64         // requests a minute that other programs spend of it
	Seed   uint64
}

// A Lag says how long something takes: one of what was measured, or log-normal.
type Lag struct {
	Measured []time.Duration
	Median   time.Duration
	Sigma    float64 // of the logarithm
}

func (l Lag) draw(r *rand.Rand) time.Duration {
	if len(l.Measured) > 0 {
		return l.Measured[r.IntN(len(l.Measured))]
	}
	return time.Duration(float64(l.Median) * math.Exp(l.Sigma*r.NormFloat64()))
}

// A Stretch is a time with so many calls an hour.
type Stretch struct {
	Hours   float64
	PerHour float64
}

// Arrivals draws when calls end, at random within each stretch (a Poisson process).
func Arrivals(stretches []Stretch, seed uint64) []time.Duration {
	r := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- dice that fall alike for the same seed
	var calls []time.Duration
	begin := 0.0
	for _, s := range stretches {
		if s.PerHour > 0 {
			for at := r.ExpFloat64() / s.PerHour; at < s.Hours; at += r.ExpFloat64() / s.PerHour {
				calls = append(calls, time.Duration((begin+at)*float64(time.Hour)))
			}
		}
		begin += s.Hours
	}
	return calls
}

// SinceFirst sorts times and tells each since the first.
func SinceFirst(times []time.Duration) []time.Duration {
	ts := slices.Sorted(slices.Values(times))
	for i := len(ts) - 1; i >= 0; i-- {
		ts[i] -= ts[0]
	}
	return ts
}

// check says what is wrong with a day.
func (d Day) check() error {
	switch {
	case len(d.Calls) == 0:
		return errors.New("no call ends")
	case d.Share < 0 || d.Share > 1:
		return errors.New("the share of voicemails has to be from 0 to 1")
	case d.Limit > 0 && d.Others >= float64(d.Limit):
		return errors.New("other programs spend the whole budget")
	}
	return nil
}

// left is what a call left, if anything: when its recording and its text are there, since it ended.
type left struct {
	any         bool
	media, text time.Duration
}

// left draws what every call left, the same for every policy.
func (d Day) left() []left {
	r := rand.New(rand.NewPCG(d.Seed, 2)) // #nosec G404 -- dice that fall alike for the same seed
	ls := make([]left, len(d.Calls))
	for i := range ls {
		ls[i].any = r.Float64() < d.Share
		ls[i].media = d.Media.draw(r)
		if ls[i].text = ls[i].media + d.Text.draw(r); d.Mute {
			ls[i].text = ls[i].media
		}
	}
	return ls
}

// A Result is how a policy fared.
type Result struct {
	Policy            string  `json:"policy"`
	Calls             int     `json:"calls"`
	Voicemails        int     `json:"voicemails"`
	Missed            int     `json:"missed"`  // told absent, or without the text that came
	Unasked           int     `json:"waiting"` // calls that had no verdict when the simulation gave up waiting
	Requests          int     `json:"requests"`
	Denied            int     `json:"denied"` // requests over the limit that the API turned away
	RequestsPerCall   float64 `json:"requestsPerCall"`
	RequestsPerFound  float64 `json:"requestsPerVoicemail"`
	DelayMedian       Seconds `json:"delayMedian"` // from complete media to the event
	Delay95           Seconds `json:"delay95"`
	Delay99           Seconds `json:"delay99"`
	WithinFiveMinutes float64 `json:"withinFiveMinutes"` // share of all voicemails
	PeakLine          int     `json:"peakLine"`          // calls that were due and had no budget
	PeakUrgent        int     `json:"peakUrgent"`        // of these, without the last requests before absent
	Drained           Seconds `json:"drained"`           // from the last call's end to the last verdict
	Most              int     `json:"mostInAMinute"`     // requests within any 60 s
}

// Seconds are written as a number.
type Seconds float64

// tally gathers what becomes of calls.
type tally struct {
	Result
	day    Day
	left   []left
	delays []float64
	sent   []time.Duration // requests of the last minute
	close  int
	last   time.Duration
}

func (t *tally) request(now time.Duration) {
	t.Requests++
	t.sent = append(t.sent, now)
	for now-t.sent[0] >= time.Minute {
		t.sent = t.sent[1:]
	}
	t.Most = max(t.Most, len(t.sent))
}

// told notes a call's verdict; whole says that it had everything.
func (t *tally) told(call int, now time.Duration, whole bool) {
	t.last = max(t.last, now)
	l := t.left[call]
	switch {
	case !l.any:
	case !whole:
		t.Missed++
	default:
		delay := (now - t.day.Calls[call] - l.text).Seconds()
		t.delays = append(t.delays, delay)
		if delay <= (5 * time.Minute).Seconds() {
			t.close++
		}
	}
}

func (t *tally) result(policy string) Result {
	r := t.Result
	r.Policy, r.Calls = policy, len(t.day.Calls)
	for _, l := range t.left {
		if l.any {
			r.Voicemails++
		}
	}
	slices.Sort(t.delays)
	quantile := func(q float64) Seconds {
		if len(t.delays) == 0 {
			return 0
		}
		return Seconds(math.Round(t.delays[min(int(q*float64(len(t.delays))), len(t.delays)-1)]*10) / 10)
	}
	r.DelayMedian, r.Delay95, r.Delay99 = quantile(.5), quantile(.95), quantile(.99)
	r.RequestsPerCall = round(float64(r.Requests)/float64(r.Calls), 100)
	if len(t.delays) > 0 {
		r.RequestsPerFound = round(float64(r.Requests)/float64(len(t.delays)), 100)
		r.WithinFiveMinutes = round(float64(t.close)/float64(r.Voicemails), 1e4)
	}
	r.Drained = Seconds(math.Round(max(0, (t.last - t.day.Calls[len(t.day.Calls)-1]).Seconds())))
	return r
}

func round(x, to float64) float64 { return math.Round(x*to) / to }
