package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	ended  = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	policy = Policy{First: 15 * time.Second, Max: 2 * time.Minute, RecordingFor: 10 * time.Minute, TranscriptFor: 10 * time.Minute,
		RetryFirst: 200 * time.Millisecond, RetryMax: 5 * time.Minute, GiveUpAfter: 24 * time.Hour}
	aCall   = Call{Bot: "st-1", Session: "s1", EndedAt: ended}
	found   = Voicemail{Recordings: []Recording{{FileName: "a.wav", FileURL: "https://media.example.com/a"}}, Status: "success"}
	spoken  = Voicemail{Recordings: found.Recordings, Transcriptions: []Transcription{{ID: "1", Text: "hi"}}}
	text    = Voicemail{Transcriptions: spoken.Transcriptions, Status: "success"}
	silent  = Voicemail{Recordings: found.Recordings, Transcriptions: []Transcription{{ID: "1"}}}
	nothing = Voicemail{Status: "media_in_progress"}
	broken  = &Trouble{Result: "error", Status: 503, Text: "HTTP 503"}
	refused = &Trouble{Kind: Refused, Result: "refused", Status: 401, Text: "HTTP 401"}
	no      = &Trouble{Kind: Rejected, Result: "rejected", Status: 422, Text: "HTTP 422"}
)

// row is one question to Decide.
type row struct {
	name          string
	voicemail     Voicemail
	err           error
	seen          time.Duration // after the call's end; 0: never
	trouble       time.Duration // trouble since, before now; 0: none
	age           time.Duration // of the call when it was asked for
	transcription bool
	want          string
}

func rows() []row {
	const on, off = true, false
	return []row{
		{"link and text", spoken, nil, 0, 0, 15 * time.Second, on, "ready completed"},
		{"link and an empty message", silent, nil, 0, 0, 15 * time.Second, on, "ready empty"},
		{"link, no transcription wanted", found, nil, 0, 0, 15 * time.Second, off, "ready off"},
		{"link, no message yet", found, nil, 0, 0, 15 * time.Second, on, "later next"},
		{"link, no message at the deadline", found, nil, 15 * time.Second, 0, 11 * time.Minute, on, "ready timed_out"},
		{"nothing yet, young", nothing, nil, 0, 0, 15 * time.Second, on, "later again"},
		{"nothing yet, the next is the last", nothing, nil, 0, 0, 9 * time.Minute, on, "later last"},
		{"nothing yet, asked just before the end", nothing, nil, 0, 0, 10*time.Minute - time.Millisecond, on, "later last"},
		{"nothing yet, asked at the end", nothing, nil, 0, 0, 10 * time.Minute, on, "absent none_recorded"},
		{"nothing yet, seen before", nothing, nil, 15 * time.Second, 0, time.Minute, on, "later next"},
		{"nothing yet, seen before, deadline gone", nothing, nil, 15 * time.Second, 0, 11 * time.Minute, on, "ready timed_out"},
		{"text without a link, seen before", text, nil, 15 * time.Second, 0, time.Minute, on, "ready completed"},
		{"text without a link, never seen", text, nil, 0, 0, time.Minute, on, "later again"},
		{"a final no", nothing, no, 0, 0, 15 * time.Second, on, "failed rejected"},
		{"a final no, seen before", nothing, no, 15 * time.Second, 0, time.Minute, on, "later next"},
		{"a final no, seen before, deadline gone", nothing, no, 15 * time.Second, 0, 11 * time.Minute, on, "ready timed_out"},
		{"trouble", nothing, broken, 0, 0, 15 * time.Second, on, "later again"},
		{"trouble at the end of recording_for is not absence", nothing, broken, 0, 0, 10 * time.Minute, on, "later again"},
		{"trouble for long", nothing, broken, 0, 23 * time.Hour, 24 * time.Hour, on, "later again"},
		{"trouble for too long", nothing, broken, 0, 24 * time.Hour, 25 * time.Hour, on, "failed gave_up"},
		{"trouble, seen before", nothing, broken, 15 * time.Second, time.Second, time.Minute, on, "later next"},
		{"trouble, seen before, deadline gone", nothing, broken, 15 * time.Second, time.Minute, 11 * time.Minute, on, "ready timed_out"},
		{"refused", nothing, refused, 0, 0, 15 * time.Second, on, "later again"},
		{"refused, seen before, deadline gone", nothing, refused, 15 * time.Second, time.Minute, 11 * time.Minute, on, "ready timed_out"},
		{"an error that nobody classified", nothing, fmt.Errorf("odd"), 0, 0, 15 * time.Second, on, "later again"},
	}
}

func ask(r row) Outcome {
	now := ended.Add(r.age)
	h := History{ID: aCall.Key(), FirstSeen: ended, EndedAt: ended, Requests: 1, Attempts: 1}
	if r.seen > 0 {
		h.SeenAt, h.Recordings = ended.Add(r.seen), found.Recordings
	}
	if r.trouble > 0 {
		h.Troubles, h.TroubleSince = 3, now.Add(-r.trouble)
	}
	return Decide(aCall, h, Answer{Voicemail: r.voicemail, Err: r.err, Requests: 1, Asked: now, At: now}, Account{Name: "a", Transcription: r.transcription}, policy)
}

func said(o Outcome) string {
	switch o := o.(type) {
	case *Verdict:
		return strings.TrimSpace(string(o.Kind) + " " + string(o.Reason) + string(o.TranscriptStatus))
	case *Later:
		return "later " + string(o.Class)
	}
	return fmt.Sprintf("%T", o)
}

func TestDecide(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			got := ask(r)
			if said(got) != r.want {
				t.Errorf("got %s, want %s", said(got), r.want)
			}
			if again := ask(r); said(again) != said(got) {
				t.Errorf("asked twice it says %s, then %s", said(got), said(again))
			}
			if l, ok := got.(*Later); ok {
				if at := l.At.Sub(ended.Add(r.age)); at < 0 || at > 5*time.Minute {
					t.Errorf("later in %s, want within retry.max", at)
				}
				if l.History.Requests != 2 || l.History.Attempts != 2 {
					t.Errorf("history counts %d requests and %d attempts, want 2 and 2", l.History.Requests, l.History.Attempts)
				}
			}
			if v, ok := got.(*Verdict); ok && v.Kind == KindReady && len(v.Recordings) != 1 {
				t.Errorf("ready with %d recordings, want 1", len(v.Recordings))
			}
		})
	}
}

// What travels with a call is bounded, and what is told out of the answer itself is not.
func TestEveryRecordingOfTheAnswerIsTold(t *testing.T) {
	long := Voicemail{}
	for range 40 {
		long.Recordings = append(long.Recordings, Recording{FileURL: strings.Repeat("x", 1000)})
	}
	if v := ask(row{voicemail: long, seen: 15 * time.Second, age: 11 * time.Minute, transcription: true}).(*Verdict); len(v.Recordings) != 40 {
		t.Errorf("%d recordings are told at the deadline, want all 40 of the answer", len(v.Recordings))
	}
	if l := ask(row{voicemail: long, age: time.Minute, transcription: true}).(*Later); len(l.History.Recordings) < 20 || len(l.History.Recordings) > 24 {
		t.Errorf("%d recordings travel with the call, want what 24 KiB hold", len(l.History.Recordings))
	}
}

// The table of decisions, as it is.
func ExampleDecide() {
	for _, r := range rows() {
		fmt.Printf("%-42s → %s\n", r.name, said(ask(r)))
	}
	// Output:
	// link and text                              → ready completed
	// link and an empty message                  → ready empty
	// link, no transcription wanted              → ready off
	// link, no message yet                       → later next
	// link, no message at the deadline           → ready timed_out
	// nothing yet, young                         → later again
	// nothing yet, the next is the last          → later last
	// nothing yet, asked just before the end     → later last
	// nothing yet, asked at the end              → absent none_recorded
	// nothing yet, seen before                   → later next
	// nothing yet, seen before, deadline gone    → ready timed_out
	// text without a link, seen before           → ready completed
	// text without a link, never seen            → later again
	// a final no                                 → failed rejected
	// a final no, seen before                    → later next
	// a final no, seen before, deadline gone     → ready timed_out
	// trouble                                    → later again
	// trouble at the end of recording_for is not absence → later again
	// trouble for long                           → later again
	// trouble for too long                       → failed gave_up
	// trouble, seen before                       → later next
	// trouble, seen before, deadline gone        → ready timed_out
	// refused                                    → later again
	// refused, seen before, deadline gone        → ready timed_out
	// an error that nobody classified            → later again
}

func TestPolicyKeepsItsBounds(t *testing.T) {
	policies := map[string]Policy{"defaults": policy,
		"no first wait":   {Max: 2 * time.Minute, RecordingFor: 10 * time.Minute, RetryFirst: time.Millisecond, RetryMax: time.Second},
		"milliseconds":    {First: 5 * time.Millisecond, Max: 20 * time.Millisecond, RecordingFor: 100 * time.Millisecond, RetryFirst: time.Millisecond, RetryMax: 3 * time.Millisecond},
		"max below first": {First: time.Minute, Max: time.Second, RecordingFor: time.Hour, RetryFirst: time.Second, RetryMax: time.Second}}
	for name, p := range policies {
		for session := range 200 {
			k := Token(fmt.Sprint(session))
			now, n := ended.Add(p.First), 1
			for ; now.Before(ended.Add(p.RecordingFor)); n++ {
				at, last := p.nextLook(k, n, now, ended, p.RecordingFor)
				gap := at.Sub(now)
				if gap <= 0 || !last && gap > p.Max || last && gap > p.Max+p.RecordingFor/100 {
					t.Fatalf("%s: request %d follows after %s, want over 0 and at most %s", name, n+1, gap, p.Max)
				}
				if last && at.Before(ended.Add(p.RecordingFor)) {
					t.Fatalf("%s: the last request is at %s, before the deadline", name, at.Sub(ended))
				}
				now = at
			}
			if name == "defaults" && n != 8 {
				t.Errorf("%s: %d requests for a call that left nothing, want 8", name, n)
			}
			for try := range 60 {
				if gap := p.nextTry(k, try, now).Sub(now); gap <= 0 || gap > p.RetryMax {
					t.Fatalf("%s: try %d follows after %s, want over 0 and at most %s", name, try, gap, p.RetryMax)
				}
			}
		}
	}
}

// A call that is paused again and again is in no trouble of its own.
func TestPausesAreNoTrouble(t *testing.T) {
	h := History{EndedAt: ended, FirstSeen: ended}
	now := ended
	for n := range 40 {
		o := Decide(aCall, h, Answer{Err: &Trouble{Kind: Limited, Result: "limited", Status: 429, RetryAfter: time.Hour, Text: "HTTP 429"}, Asked: now, At: now, Requests: 1}, Account{}, policy)
		l, ok := o.(*Later)
		if !ok {
			t.Fatalf("%s after %d pauses of an hour", said(o), n+1)
		}
		now, h = l.At, l.History
		h.resume(&Delivery{Line: true, Queued: now, Now: now})
	}
	for n := 0; ; n++ { // but one that brings a pause each time ends
		o := Decide(aCall, h, Answer{Err: &Trouble{Result: "error", Status: 503, RetryAfter: time.Hour, Text: "HTTP 503"}, Asked: now, At: now, Requests: 1}, Account{}, policy)
		l, ok := o.(*Later)
		if !ok {
			break
		}
		if n > 40 {
			t.Fatal("it never ends")
		}
		now, h = l.At, l.History
	}
}

func TestTroubleOfAnAccountThatIsDown(t *testing.T) {
	down := ended.Add(30 * time.Hour)
	for _, r := range []struct {
		name string
		h    History
		d    Delivery
		want bool
	}{
		{"down for a minute, in line for a day", History{}, Delivery{Queued: ended, Now: down.Add(time.Minute), Down: down}, false},
		{"down for a day", History{}, Delivery{Queued: ended, Now: down.Add(24 * time.Hour), Down: down}, true},
		{"down for a day, in line for an hour", History{}, Delivery{Queued: down.Add(23 * time.Hour), Now: down.Add(24 * time.Hour), Down: down}, false},
		{"in trouble since yesterday, but in line for most of it", History{TroubleSince: ended}, Delivery{Queued: ended.Add(time.Hour), Now: down.Add(time.Minute), Down: down}, false},
		{"in trouble since yesterday, and down", History{TroubleSince: ended}, Delivery{Queued: down.Add(time.Minute), Now: down.Add(2 * time.Minute), Down: down}, true},
		{"not down", History{TroubleSince: ended}, Delivery{Queued: ended, Now: down}, false},
	} {
		r.d.History = r.h
		r.d.Line = true
		if got := policy.outlasted(&r.d); got != r.want {
			t.Errorf("%s: outlasted %v, want %v", r.name, got, r.want)
		}
	}
}

func TestClockOfGivingUpStandsStill(t *testing.T) {
	since := ended
	now := ended.Add(10 * time.Hour)
	rows := []struct {
		name  string
		d     Delivery
		still time.Duration // before now; 0: none
		want  time.Duration // that the clock ran
	}{
		{"asked as soon as it was due", Delivery{Line: true, Queued: now, Now: now}, 0, 10 * time.Hour},
		{"three hours in line for budget", Delivery{Line: true, Queued: now.Add(-3 * time.Hour), Now: now}, 0, 7 * time.Hour},
		{"the probe of an account refused for four hours", Delivery{Line: true, Queued: now, Now: now, Probe: true}, 4 * time.Hour, 6 * time.Hour},
		{"refused, but its account works for others", Delivery{Line: true, Queued: now, Now: now}, 4 * time.Hour, 10 * time.Hour},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			h := History{TroubleSince: since}
			if r.still > 0 {
				h.StillSince = now.Add(-r.still)
			}
			h.resume(&r.d)
			if got := now.Sub(h.TroubleSince); got != r.want {
				t.Errorf("the clock ran %s, want %s", got, r.want)
			}
		})
	}
}

func TestHistoryTellsItsLatestRequests(t *testing.T) {
	h := History{ID: aCall.Key(), FirstSeen: ended, EndedAt: ended}
	answers := []Answer{{Requests: 1}, {Requests: 2, Err: &Trouble{Result: "timeout"}}}
	for range 10 {
		for _, a := range answers {
			a.Asked, a.At = ended.Add(time.Minute), ended.Add(time.Minute)
			l, ok := Decide(aCall, h, a, Account{Name: "a", Transcription: true}, policy).(*Later)
			if !ok {
				t.Fatal("got no appointment")
			}
			before := h
			h = l.History
			if n := len(before.Asks); n > 0 && n < keptAsks && !slices.Equal(before.Asks, h.Asks[:n]) {
				t.Fatalf("got %v, want what was there before it, too: %v", h.Asks, before.Asks)
			}
		}
	}
	want := []Ask{{At: ended.Add(time.Minute), Answer: "nothing yet", Requests: 1}, {At: ended.Add(time.Minute), Answer: "timeout", Requests: 2}}
	if got := h.Asks[len(h.Asks)-2:]; len(h.Asks) != keptAsks || !slices.Equal(got, want) {
		t.Errorf("got %d, the last %v, want %d and %v", len(h.Asks), got, keptAsks, want)
	}
	found := Decide(aCall, h, Answer{Voicemail: found, Requests: 1, Asked: ended, At: ended}, Account{Name: "a"}, policy).(*Verdict)
	if got := found.Asks[len(found.Asks)-1].Answer; got != "recording" && got != "recording and transcript" {
		t.Errorf("the verdict's last request is told as %q", got)
	}
}
