package simulation

import (
	"fmt"
	"math"
	"time"
)

// A Report is a day as the planner would fare, and the usual policies beside it.
type Report struct {
	Answer  string   `json:"answer"` // will the budget do? in a sentence
	Enough  bool     `json:"enough"`
	Results []Result `json:"results"` // the planner's first
}

// theFixed is the schedule that the planner is also compared with at equal cost.
const theFixed = "35/60/110/240/600 s"

// Play plays a day with each policy. equal asks for one more: the planner at a price at which it makes no more requests than the fixed schedule.
func Play(d Day, equal bool) (Report, error) {
	planner, err := Planner(d, "planner", 0)
	if err != nil {
		return Report{}, err
	}
	r := Report{Results: []Result{planner}}
	for _, u := range []struct {
		name     string
		schedule Schedule
	}{
		{"exponential 1…60 s", Exponential}, {"every 30 s", Every(30 * time.Second)},
		{theFixed, At(35*time.Second, 60*time.Second, 110*time.Second, 4*time.Minute, 10*time.Minute)},
	} {
		res, err := Usual(d, u.name, u.schedule)
		if err != nil {
			return Report{}, err
		}
		r.Results = append(r.Results, res)
	}
	fixed := r.Results[len(r.Results)-1]
	if equal && planner.Voicemails > 0 && planner.Requests > fixed.Requests && planner.WithinFiveMinutes < fixed.WithinFiveMinutes+.05 { // else the fixed one has collapsed
		res, err := asCheap(d, fixed.Requests)
		if err != nil {
			return Report{}, err
		}
		r.Results = append(r.Results[:1], append([]Result{res}, r.Results[1:]...)...)
	}
	r.Answer, r.Enough = answer(d, planner)
	return r, nil
}

// asCheap plays the planner at the lowest price at which it makes no more than so many requests. The fixed schedule has six minutes between its
// last two, so wait.max is left out of it.
func asCheap(d Day, requests int) (Result, error) {
	d.Policy.Max = d.Policy.RecordingFor
	low, high := 1.0, 4.0
	var best Result
	for range 5 {
		mid := math.Sqrt(low * high)
		res, err := Planner(d, "planner, as cheap as "+theFixed, mid)
		if err != nil {
			return Result{}, err
		}
		if res.Requests > requests {
			low = mid
		} else {
			high, best = mid, res
		}
	}
	if best.Policy == "" {
		return Planner(d, "planner, as cheap as "+theFixed, high)
	}
	return best, nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// answer says in a sentence whether the budget does, and whether it does.
func answer(d Day, p Result) (string, bool) {
	budget := plural(d.Limit, "request") + " a minute"
	if d.Limit == 0 {
		budget = "No limit"
	}
	cure := "raise the limit, or announce fewer calls (the hint voicemail: false costs nothing)"
	if p.PeakUrgent <= max(d.Limit, 1) { // never more than a minute's worth stood in line for early requests
		cure = "it is not the budget that is short: look at when media comes, and at wait.first and wait.max"
	}
	missed := ""
	if p.Missed > 0 {
		missed = " " + plural(p.Missed, "voicemail") + " came too late to be told: raise wait.recording_for and wait.transcript_for."
	}
	switch {
	case p.Unasked > 0:
		return fmt.Sprintf("No: with %s, %s still waited for a verdict %.0f hours after the last call; %s.", budget, plural(p.Unasked, "call"), patience.Hours(), cure) + missed, false
	case p.Voicemails == 0:
		return fmt.Sprintf("Nothing was left: with %s every call is told absent, the last %s after the last call, at %.1f requests a call.", budget, p.Drained, p.RequestsPerCall), true
	case p.WithinFiveMinutes < .95:
		return fmt.Sprintf("Not quite: with %s only %.0f%% of the voicemails are told within five minutes of being there, and the last verdict comes %s after the last call; %s.",
			budget, 100*p.WithinFiveMinutes, p.Drained, cure) + missed, false
	case p.Drained > Seconds((30*time.Minute + d.Policy.RecordingFor).Seconds()):
		return fmt.Sprintf("Yes for voicemails: with %s half of them are told within %s of being there, and 95%% within %s; but that a call left none is certain only later, the last time %s after the last call.",
			budget, p.DelayMedian, p.Delay95, p.Drained) + missed, p.Missed == 0
	}
	return fmt.Sprintf("Yes: with %s half of the voicemails are told within %s of being there, and 95%% within %s, at %.1f requests a call.", budget, p.DelayMedian, p.Delay95, p.RequestsPerCall) + missed, p.Missed == 0
}

// String writes seconds for people.
func (s Seconds) String() string {
	d := time.Duration(float64(s) * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
