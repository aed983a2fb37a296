package simulation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
)

// usual are the settings' defaults.
var usual = relay.Policy{First: 15 * time.Second, Max: 2 * time.Minute, RecordingFor: 10 * time.Minute, TranscriptFor: 10 * time.Minute,
	RetryFirst: 200 * time.Millisecond, RetryMax: 5 * time.Minute, GiveUpAfter: 24 * time.Hour}

// day is one as the vendor's customers have it: 15 % voicemails, recordings after some 25 s, text some 12 s later, 60 requests a minute.
func day(seed uint64, stretches ...Stretch) Day {
	return Day{Policy: usual, Calls: Arrivals(stretches, seed), Share: .15, Media: Lag{Median: 25 * time.Second, Sigma: .7},
		Text: Lag{Median: 12 * time.Second, Sigma: .5}, Limit: 60, Seed: seed}
}

// plan plays the planner, and holds what always holds.
func plan(t *testing.T, d Day) Result {
	t.Helper()
	r, err := Planner(d, "planner", 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Limit > 0 && r.Most > d.Limit {
		t.Errorf("%d requests within 60 s, want at most %d", r.Most, d.Limit)
	}
	if r.Missed > 0 || r.Unasked > 0 {
		t.Errorf("%d voicemails missed, %d calls without a verdict; want none", r.Missed, r.Unasked)
	}
	return r
}

func TestFewCallsAreToldSoon(t *testing.T) {
	for seed := range uint64(2) {
		r := plan(t, day(seed+1, Stretch{24, 100}))
		if r.DelayMedian > 10 || r.Delay95 > 60 || r.RequestsPerCall > 7 {
			t.Errorf("seed %d: delay %s in the middle and %s at 95 %%, %.2f requests a call; want at most 10 s, a minute, 7", seed+1, r.DelayMedian, r.Delay95, r.RequestsPerCall)
		}
	}
}

func TestNoMoreRequestsThanAFixedScheduleThatIsAsQuick(t *testing.T) {
	r, err := Play(day(1, Stretch{12, 100}), true)
	if err != nil {
		t.Fatal(err)
	}
	fixed := r.Results[len(r.Results)-1]
	for _, p := range r.Results {
		if strings.HasPrefix(p.Policy, "planner") && p.RequestsPerCall <= fixed.RequestsPerCall && p.DelayMedian <= fixed.DelayMedian && p.Delay95 <= fixed.Delay95 {
			return
		}
	}
	t.Errorf("no planner is as quick as the fixed schedule without more requests: %+v", r.Results)
}

func TestManyCallsAreToldInTime(t *testing.T) {
	r := plan(t, day(1, Stretch{4, 1200}))
	if r.Delay95 >= 90 || r.PeakUrgent > 60 {
		t.Errorf("95 %% within %s, a line of %d; want under 90 s and a minute's worth", r.Delay95, r.PeakUrgent)
	}
	for name, s := range map[string]Schedule{"exponential": Exponential, "fixed": At(35*time.Second, 60*time.Second, 110*time.Second, 4*time.Minute, 10*time.Minute)} {
		u, err := Usual(day(1, Stretch{4, 1200}), name, s)
		if err != nil {
			t.Fatal(err)
		}
		if u.DelayMedian < r.DelayMedian || u.RequestsPerCall < r.RequestsPerCall {
			t.Errorf("%s: %s with %.2f requests a call; the planner %s with %.2f", name, u.DelayMedian, u.RequestsPerCall, r.DelayMedian, r.RequestsPerCall)
		}
	}
}

func TestRushHourThatTheBudgetDoesNotCover(t *testing.T) {
	d := day(1, Stretch{3, 3000}, Stretch{5, 60})
	r := plan(t, d)
	if r.WithinFiveMinutes < .95 || r.PeakUrgent > 120 {
		t.Errorf("%.1f %% within five minutes, a line of %d apart from last requests; want 95 %% and two minutes' worth", 100*r.WithinFiveMinutes, r.PeakUrgent)
	}
	u, err := Usual(d, "exponential", Exponential)
	if err != nil {
		t.Fatal(err)
	}
	if u.WithinFiveMinutes > .2 {
		t.Errorf("exponential backoff tells %.1f %% within five minutes: then this is no rush hour", 100*u.WithinFiveMinutes)
	}
}

func TestMoreCallsThanRequests(t *testing.T) {
	r := plan(t, day(1, Stretch{2, 4500}, Stretch{4, 0}, Stretch{1, 60}))
	if r.WithinFiveMinutes < .6 {
		t.Errorf("%.1f %% within five minutes, want as many as there is budget for: the others wait, not all", 100*r.WithinFiveMinutes)
	}
}

func TestOtherProgramsSpendTheBudgetToo(t *testing.T) {
	d := day(1, Stretch{4, 300})
	d.Others = 30
	r := plan(t, d)
	if part := float64(r.Denied) / float64(r.Requests); part > .03 || r.Delay95 > 90 {
		t.Errorf("%.1f %% of requests turned away, 95 %% told within %s; want under 3 %% and 90 s", 100*part, r.Delay95)
	}
}

func TestWithoutALimitNothingWaits(t *testing.T) {
	d := day(1, Stretch{2, 600})
	d.Limit = 0
	r := plan(t, d)
	if r.PeakLine > 1 || r.Delay95 > 60 {
		t.Errorf("a line of %d, 95 %% within %s; want none and a minute", r.PeakLine, r.Delay95)
	}
}

func TestTheSameDayAgain(t *testing.T) {
	a, b := plan(t, day(7, Stretch{2, 300})), plan(t, day(7, Stretch{2, 300}))
	if a != b {
		t.Errorf("played twice: %+v, then %+v", a, b)
	}
}

func TestMeasuredLags(t *testing.T) {
	d := day(1, Stretch{4, 300})
	d.Media, d.Text = Lag{Measured: []time.Duration{40 * time.Second}}, Lag{}
	r := plan(t, d)
	if r.DelayMedian > 10 {
		t.Errorf("delay %s: what always takes 40 s is found right after", r.DelayMedian)
	}
}

func TestAnswers(t *testing.T) {
	for _, row := range []struct {
		r    Result
		want string
		ok   bool
	}{
		{Result{Voicemails: 10, WithinFiveMinutes: 1, DelayMedian: 9, Delay95: 30, RequestsPerCall: 4}, "Yes: with 60 requests a minute half of the voicemails are told within 9s of being there, and 95% within 30s, at 4.0 requests a call.", true},
		{Result{Voicemails: 10, WithinFiveMinutes: .99, DelayMedian: 100, Delay95: 200, Drained: 7200}, "Yes for voicemails", true},
		{Result{Voicemails: 10, WithinFiveMinutes: .5, Drained: 7200, PeakUrgent: 500}, "Not quite: with 60 requests a minute only 50% of the voicemails are told within five minutes of being there, and the last verdict comes 120 min after the last call; raise the limit", false},
		{Result{Voicemails: 10, WithinFiveMinutes: .5, Drained: 7200}, "Not quite: with 60 requests a minute only 50% of the voicemails are told within five minutes of being there, and the last verdict comes 120 min after the last call; it is not the budget that is short", false},
		{Result{Voicemails: 10, Missed: 2, WithinFiveMinutes: 1, DelayMedian: 9, Delay95: 30, RequestsPerCall: 4}, "Yes: with 60 requests a minute half of the voicemails are told within 9s of being there, and 95% within 30s, at 4.0 requests a call. 2 voicemails came too late to be told: raise", false},
		{Result{Voicemails: 10, Missed: 1, Unasked: 1}, "No: with 60 requests a minute, 1 call still waited for a verdict", false},
		{Result{RequestsPerCall: 4}, "Nothing was left", true},
		{Result{Voicemails: 10, WithinFiveMinutes: 1, Unasked: 3}, "No: with 60 requests a minute, 3 calls", false},
	} {
		got, ok := answer(Day{Limit: 60}, row.r)
		if !strings.HasPrefix(got, row.want) || ok != row.ok {
			t.Errorf("got %q, %v; want %q…, %v", got, ok, row.want, row.ok)
		}
	}
}

func TestImpossibleDaysAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Day){"calls": func(d *Day) { d.Calls = nil }, "share": func(d *Day) { d.Share = 2 }, "others": func(d *Day) { d.Others = 60 }} {
		d := day(1, Stretch{1, 60})
		spoil(&d)
		if _, err := Play(d, false); err == nil {
			t.Errorf("wrong %s is taken", name)
		}
	}
}

// ExamplePlanner prints what becomes of a rush hour.
func ExamplePlanner() {
	r, err := Planner(day(1, Stretch{1, 1200}), "planner", 0)
	fmt.Println(r.Calls, "calls,", r.Voicemails, "voicemails,", r.Missed, "missed", err)
	// Output: 1194 calls, 183 voicemails, 0 missed <nil>
}
