package relay

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// learned is the experience of n calls, a share of which left a voicemail after log-normal lags, each asked for at the given ages.
func learned(n int, share float64, median time.Duration, sigma float64, ages ...time.Duration) (e Experience) {
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		left, lag := r.Float64() < share, time.Duration(float64(median)*math.Exp(sigma*r.NormFloat64()))
		var missed time.Duration
		for i, age := range ages {
			found := left && lag <= age
			e.Learn(Lesson{First: i == 0, Found: found, From: missed, To: age})
			if found {
				break
			}
			missed = age
		}
	}
	return e
}

// cost is what a schedule of looks costs by a curve, from the definition: each look that is made, and each voicemail's waiting.
func cost(c curve, price float64, looks []int) float64 {
	sum, before := 0.0, 0
	done := 0.0
	for n, j := range looks {
		from := 0
		if n > 0 {
			from = before
		}
		sum += price * (1 - done)
		if n == 0 {
			sum += c.area[j]
		} else {
			sum += c.area[j] - c.area[from] - c.done[from]*(c.ages[j]-c.ages[from])
		}
		if j == planSteps-1 {
			sum += c.late * (c.done[j] - done)
		}
		done, before = c.done[j], j
	}
	return sum
}

func TestNoScheduleCostsLess(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, late := range []time.Duration{0, time.Hour} {
		for _, price := range []float64{.3, 1, 5, 60} {
			c := newCurve(.15, logNormal(100, 40*time.Second, .7), policy.First, policy.RecordingFor, late)
			p := c.plan(price)
			var best []int
			for _, age := range p.looks() {
				best = append(best, slices.Index(c.ages, age))
			}
			least := cost(c, price, best)
			for range 20000 {
				var other []int
				if r.IntN(2) == 0 { // near the best, where it would be beaten if anywhere
					for _, j := range best {
						if r.IntN(6) > 0 {
							other = append(other, min(max(j+r.IntN(7)-3, 0), planSteps-1))
						}
					}
				}
				for range r.IntN(4) {
					other = append(other, r.IntN(planSteps))
				}
				other = append(other, planSteps-1)
				slices.Sort(other)
				if got := cost(c, price, slices.Compact(other)); got < least-1e-9 {
					t.Fatalf("price %g: looks %v cost %.4f, fewer than %.4f of %v", price, other, got, least, best)
				}
			}
		}
	}
}

func TestPlanGoesOnWhereACallStands(t *testing.T) {
	c := newCurve(.15, logNormal(100, 40*time.Second, .7), policy.First, policy.RecordingFor, 0)
	p := c.plan(1)
	looks := p.looks()
	looked := 0.0
	for i, want := range looks {
		age, last := p.next(looked, looked)
		if age != want || last != (i == len(looks)-1) {
			t.Fatalf("after %.0f s: next at %.1f, last %v; the plan says %.1f of %.0f", looked, age, last, want, looks)
		}
		looked = age
	}
	for now := 0.0; now < 700; now += 7 { // wherever it was held up
		for looked := 0.0; looked <= now; looked += 13 {
			if age, _ := p.next(looked, now); age <= now && now < 600 || age > 600 {
				t.Fatalf("looked at %.0f s, now %.0f: next at %.1f", looked, now, age)
			}
		}
	}
	if looks[0] < 15 || looks[len(looks)-1] != 600 {
		t.Errorf("looks at %.0f, want none before wait.first, and the last at recording_for", looks)
	}
}

func TestHigherPriceAsksLess(t *testing.T) {
	c := newCurve(.15, logNormal(100, 40*time.Second, .7), policy.First, policy.RecordingFor, 0)
	before := math.Inf(1)
	for price := .1; price < 100; price *= 1.3 {
		all, early := c.plan(price).requests()
		if all > before+1e-9 || early >= all {
			t.Errorf("price %.2f: %.3f requests, %.3f before the last; %.3f at a lower price", price, all, early, before)
		}
		before = all
	}
}

func TestOutlook(t *testing.T) {
	const perHour = 1.0 / 3600
	e := learned(1000, .15, 40*time.Second, .6, 20*time.Second, 40*time.Second, time.Minute, 2*time.Minute, 10*time.Minute)
	rate := 57.0 / 60
	for _, row := range []struct {
		name                string
		e                   Experience
		l                   Load
		planned, short      bool
		spare               float64
		leastPrice, highest float64
	}{
		{"nothing learned, few calls: the fixed schedule", Experience{}, Load{Calls: 100 * perHour, Budget: rate}, false, false, 0, 0, 0},
		{"nothing learned, too many calls for it", Experience{}, Load{Calls: 1200 * perHour, Budget: rate}, true, false, 0, 1, 60},
		{"no limit: the fixed schedule", e, Load{Calls: 5}, false, false, 0, 0, 0},
		{"few calls: the lowest price", e, Load{Calls: 100 * perHour, Budget: rate}, true, false, 0, lowestPrice, lowestPrice},
		{"more calls: a higher one", e, Load{Calls: 1200 * perHour, Budget: rate}, true, false, 0, 1.2, 20},
		{"a rush: last requests wait", e, Load{Calls: 2700 * perHour, Budget: rate}, true, true, 0, 1.2, 60},
		{"more calls than requests: some are spared", e, Load{Calls: 6000 * perHour, Budget: rate}, true, true, .5, 60, 60},
		{"the budget of an account that was slowed down", e, Load{Calls: 1200 * perHour, Budget: rate / 4}, true, true, .37, 60, 60},
	} {
		o := policy.Plan(row.e, Experience{}, row.l)
		if (o.Media != nil) != row.planned || o.Short != row.short || math.Abs(o.Spare-row.spare) > .05 || o.Price < row.leastPrice || o.Price > row.highest {
			t.Errorf("%s: planned %v, short %v, spare %.2f, price %.2f; want %v, %v, %.2f, %.1f…%.1f", row.name, o.Media != nil, o.Short, o.Spare, o.Price, row.planned, row.short, row.spare, row.leastPrice, row.highest)
		}
		if o.Media == nil {
			continue
		}
		all, early := o.Media.requests()
		if used := all * row.l.Calls; !o.Short && used > row.l.Budget {
			t.Errorf("%s: %.2f requests a second are planned, and %.2f may be made", row.name, used, row.l.Budget)
		}
		if used := early * row.l.Calls * (1 - o.Spare); used > row.l.Budget*.9 || early < .99 {
			t.Errorf("%s: %.2f requests a second before the last, of %.2f; %.2f for a call, want one at least", row.name, used, row.l.Budget, early)
		}
	}
}

func TestShortWaitMaxIsKept(t *testing.T) {
	p := policy
	p.Max = time.Second
	e := learned(1000, .15, 40*time.Second, .6, 20*time.Second, time.Minute, 10*time.Minute)
	if o := p.Plan(e, Experience{}, Load{Calls: .01, Budget: 100}); o.Media != nil {
		t.Error("planned on a grid that is coarser than wait.max, though the fixed schedule can be afforded")
	}
	if o := p.Plan(e, Experience{}, Load{Calls: .01, Budget: 1}); o.Media == nil || o.Bound {
		t.Error("the fixed schedule holds, though the budget does not allow for it")
	}
}

func TestBotsAreKnownApart(t *testing.T) {
	slow := learned(1000, .15, 3*time.Minute, .3, time.Minute, 2*time.Minute, 3*time.Minute, 4*time.Minute, 5*time.Minute, 10*time.Minute)
	quick := learned(1000, .15, 20*time.Second, .3, 10*time.Second, 20*time.Second, 30*time.Second, time.Minute, 10*time.Minute)
	l := Load{Calls: .1, Budget: 1}
	if a, b := policy.Plan(slow.Plus(quick), slow, l).first(HintUnknown), policy.Plan(slow.Plus(quick), quick, l).first(HintUnknown); a < 90*time.Second || b > 40*time.Second {
		t.Errorf("the slow bot's calls are asked for first after %s, the quick one's after %s", a, b)
	}
}

func TestHintedCallsAreAskedForSooner(t *testing.T) {
	e := learned(1000, .05, 40*time.Second, .6, 20*time.Second, 40*time.Second, time.Minute, 2*time.Minute, 10*time.Minute)
	o := policy.Plan(e, Experience{}, Load{Calls: 2000.0 / 3600, Budget: .95})
	if left, unknown := o.first(HintLeft), o.first(HintUnknown); left >= unknown {
		t.Errorf("a call that left a voicemail is asked for after %s, any other after %s", left, unknown)
	}
	o.Spare = 1
	p := policy
	p.Outlook = o
	for _, h := range []Hint{HintLeft, HintUnknown} {
		c := aCall
		c.Hint = h
		if _, spared := p.due(&c, &History{}); spared != (h == HintUnknown) {
			t.Errorf("hint %d: spared %v", h, spared)
		}
	}
}

func TestSparedCallsAreADrawnShare(t *testing.T) {
	p := policy
	p.Outlook = policy.Plan(learned(1000, .15, 40*time.Second, .6, 20*time.Second, 10*time.Minute), Experience{}, Load{Calls: 2, Budget: 1})
	spared, n := 0, 20000
	for i := range n {
		at, is := p.due(&Call{Bot: "st-1", Session: fmt.Sprint(i), EndedAt: ended}, &History{})
		if is {
			spared++
			if at.Before(ended.Add(p.RecordingFor)) {
				t.Fatalf("a spared call is due after %s", at.Sub(ended))
			}
		}
	}
	if got := float64(spared) / float64(n); math.Abs(got-p.Outlook.Spare) > .02 || got == 0 {
		t.Errorf("%.3f of the calls are spared, want %.3f", got, p.Outlook.Spare)
	}
}

func TestWhatIsLearnedFollowsWhatHappens(t *testing.T) {
	e := learned(4000, .2, 40*time.Second, .6, 15*time.Second, 30*time.Second, time.Minute, 2*time.Minute, 4*time.Minute, 10*time.Minute)
	if s := e.Share(); math.Abs(s-.2) > .03 {
		t.Errorf("share %.3f, want 0.2", s)
	}
	cdf := e.Media.cumulative()
	for _, row := range []struct{ age, want float64 }{{15, .051}, {30, .316}, {40, .5}, {60, .75}, {120, .966}, {600, 1}} {
		if got := cdf(row.age); math.Abs(got-row.want) > .06 {
			t.Errorf("%.3f of the lags are within %.0f s, want %.3f", got, row.age, row.want)
		}
	}
	later := learned(4000, .2, 3*time.Minute, .4, time.Minute, 2*time.Minute, 3*time.Minute, 5*time.Minute, 10*time.Minute)
	if got := e.Plus(later).Media.cumulative()(60); got > .45 {
		t.Errorf("after the API became slower still %.2f within a minute, want less than half", got)
	}
}

func TestWhatIsLearnedIsKeptAsJSON(t *testing.T) {
	e := learned(500, .2, 40*time.Second, .6, 15*time.Second, time.Minute, 10*time.Minute)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var again Experience
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if len(b) > 1500 {
		t.Errorf("%d bytes, want a small record", len(b))
	}
	for i := range e.Media {
		if math.Abs(e.Media[i]-again.Media[i]) > .001 {
			t.Fatalf("bucket %d: %g became %g", i, e.Media[i], again.Media[i])
		}
	}
	for _, bad := range []string{`{"media":{"first":-3,"counts":[1,2,3,4,1e300,-1]}}`, `{"media":{"first":79,"counts":[1,1,1]}}`} {
		if err := json.Unmarshal([]byte(bad), &again); err != nil || !again.Sane() {
			t.Errorf("%s: %v, sane %v", bad, err, again.Sane())
		}
	}
	if err := json.Unmarshal([]byte(`{"asked":-1}`), &again); err != nil || again.Sane() {
		t.Errorf("fewer than no calls are taken for what was learned")
	}
}

func TestLessons(t *testing.T) {
	at := func(d time.Duration) time.Time { return ended.Add(d) }
	looked := History{EndedAt: ended, LookedAt: at(20 * time.Second)}
	seen := looked
	seen.SeenAt = at(21 * time.Second)
	for _, row := range []struct {
		name          string
		h             History
		a             Answer
		transcription bool
		want          Lesson
	}{
		{"nothing yet, the first time", History{EndedAt: ended}, Answer{Voicemail: nothing, Asked: at(time.Minute)}, true, Lesson{First: true}},
		{"nothing yet, again", looked, Answer{Voicemail: nothing, Asked: at(time.Minute)}, true, Lesson{}},
		{"all at once", History{EndedAt: ended}, Answer{Voicemail: spoken, Asked: at(time.Minute)}, true, Lesson{First: true, Found: true, To: time.Minute}},
		{"all after a look", looked, Answer{Voicemail: spoken, Asked: at(time.Minute)}, true, Lesson{Found: true, From: 20 * time.Second, To: time.Minute}},
		{"the recording alone", looked, Answer{Voicemail: found, Asked: at(time.Minute)}, true, Lesson{Bare: true}},
		{"the recording alone, and no more wanted", looked, Answer{Voicemail: found, Asked: at(time.Minute)}, false, Lesson{Found: true, From: 20 * time.Second, To: time.Minute}},
		{"its text", seen, Answer{Voicemail: spoken, Asked: at(time.Minute)}, true, Lesson{Found: true, From: 20 * time.Second, To: time.Minute, Worded: true, TextTo: 39 * time.Second}},
		{"no text yet", seen, Answer{Voicemail: found, Asked: at(time.Minute)}, true, Lesson{}},
		{"trouble", looked, Answer{Err: broken, Asked: at(time.Minute)}, true, Lesson{}},
		{"over the budget", History{EndedAt: ended}, Answer{Err: &Trouble{Kind: Limited}, Asked: at(time.Minute)}, true, Lesson{}},
		{"a final no", History{EndedAt: ended}, Answer{Err: no, Asked: at(time.Minute)}, true, Lesson{First: true}},
	} {
		if got := lesson(&row.h, &row.a, nil, row.transcription); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
}

// An account whose voicemails never get a text is planned by its recordings.
func TestVoicemailsWithoutTextTeachToo(t *testing.T) {
	at := func(d time.Duration) time.Time { return ended.Add(d) }
	h := History{EndedAt: ended, LookedAt: at(9 * time.Minute), SeenAt: at(40 * time.Second), Recordings: found.Recordings}
	a := Answer{Voicemail: found, Asked: at(11 * time.Minute), At: at(11 * time.Minute)}
	o := Decide(aCall, h, a, Account{Transcription: true}, policy)
	if got, want := lesson(&h, &a, o, true), (Lesson{Found: true, To: 40 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTextIsAskedForWithinWaitMax(t *testing.T) {
	for _, most := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		p := policy
		p.Max = most
		p.Outlook = p.Plan(learned(1000, .15, 40*time.Second, .6, 20*time.Second, time.Minute, 10*time.Minute), Experience{}, Load{Calls: .001, Budget: 1})
		if !p.Outlook.Bound {
			t.Fatalf("wait.max %s: not bound, though hardly any call comes", most)
		}
		now := ended.Add(time.Minute)
		h := History{EndedAt: ended}
		for n := 0; ; n++ {
			o, ok := Decide(aCall, h, Answer{Voicemail: found, Asked: now, At: now, Requests: 1}, Account{Transcription: true}, p).(*Later)
			if !ok {
				break
			}
			if gap := o.At.Sub(now); gap > most+p.TranscriptFor/100 || gap <= 0 || n > 100 {
				t.Fatalf("wait.max %s: request %d follows after %s", most, n, gap)
			}
			now, h = o.At, o.History
		}
	}
}

// Whatever is planned, a call that had nothing is absent only by a request made at recording_for or later, and wait.first holds.
func TestPlannedCallsKeepTheBounds(t *testing.T) {
	e := learned(1000, .15, 40*time.Second, .6, 20*time.Second, time.Minute, 10*time.Minute)
	for _, l := range []Load{{Calls: .01, Budget: 1}, {Calls: .3, Budget: 1}, {Calls: .8, Budget: 1}, {Calls: 3, Budget: 1}} {
		p := policy
		p.Outlook = policy.Plan(e, Experience{}, l)
		for i := range 200 {
			c := Call{Bot: "st-1", Session: fmt.Sprint(i), EndedAt: ended}
			at, spared := p.due(&c, &History{})
			if at.Before(ended.Add(p.First)) {
				t.Fatalf("asked for %s after its end", at.Sub(ended))
			}
			h := History{EndedAt: ended, Spared: spared}
			for n := 1; ; n++ {
				a := Answer{Voicemail: nothing, Asked: at, At: at.Add(300 * time.Millisecond), Requests: 1}
				o := Decide(c, h, a, Account{Name: "a", Transcription: true}, p)
				if v, ok := o.(*Verdict); ok {
					if v.Kind != KindAbsent || at.Sub(ended) < p.RecordingFor || at.Sub(ended) > p.RecordingFor*102/100 {
						t.Fatalf("%s %s after the end", v.Kind, at.Sub(ended))
					}
					break
				}
				next := o.(*Later)
				if p.Outlook.Bound && next.Class != ClassLast && next.At.Sub(a.At) > p.Max || p.Outlook.Bound != (l.Calls == .01) {
					t.Fatalf("bound by wait.max: %v; request %d at %s, the next at %s", p.Outlook.Bound, n, at.Sub(ended), next.At.Sub(ended))
				}
				if !next.At.After(a.At) || n > 12 {
					t.Fatalf("request %d at %s, the next at %s", n, at.Sub(ended), next.At.Sub(ended))
				}
				at, h = next.At, next.History
			}
		}
	}
}
