package relay

import "time"

// An Outcome is what is to be done with a delivery: a *Verdict, *Later or *Fold.
type Outcome interface{ outcome() }

// Fold says that the delivery repeats a call that is settled or on its way: nothing is published, and nothing asked.
type Fold struct {
	Call Call
	Why  string
}

// Later says that the call is to be handed in again: at a time, or, when that has come, as soon as its account's line gets to it.
type Later struct {
	Call    Call
	Account string
	At      time.Time
	Class   Class
	History History
	Fresh   bool   // the call comes from call.ended, and not out of the line
	Why     string // out of a closed set
}

// Class is the line within an account that a call stands in, best first.
type Class string

const (
	ClassNext  Class = "next"  // its recording was seen and only the text is awaited, or it was turned away in its turn: it goes before all others
	ClassFirst Class = "first" // nothing is known of it yet
	ClassAgain Class = "again"
	ClassLast  Class = "last" // the improbable final request before absent
)

// Classes lists every class, best first.
func Classes() []Class { return []Class{ClassNext, ClassFirst, ClassAgain, ClassLast} }

// Order is which class is asked for with an account's n-th request: the best, but one in twenty is offered to the calls asked before, and one in
// twenty to the last requests, so that nobody starves under a load that lasts.
func Order(n int) []Class {
	switch {
	case n%20 == 19:
		return []Class{ClassLast, ClassNext, ClassAgain, ClassFirst}
	case n%20 == 9:
		return []Class{ClassNext, ClassAgain, ClassFirst, ClassLast}
	}
	return Classes()
}

func (*Verdict) outcome() {}
func (*Later) outcome()   {}
func (*Fold) outcome()    {}

// later places a call in its line.
func (v *verdicts) later(at time.Time, why string) *Later {
	l := &Later{Call: v.call, Account: v.account, At: at, Class: ClassAgain, History: v.history, Fresh: v.fresh, Why: why}
	h := &l.History
	h.Due = at
	h.Recordings = kept(h.Recordings)
	switch {
	case h.Seen(), h.Turned:
		l.Class = ClassNext
	case h.LookedAt.IsZero() && h.Troubles == 0 && !h.Spared:
		l.Class = ClassFirst
	case at.Sub(h.EndedAt) >= v.policy.RecordingFor && h.Troubles == 0 && !h.Spared:
		l.Class = ClassLast
	}
	return l
}

func (v *verdicts) verdict(kind Kind, now time.Time, r Reason) *Verdict {
	h := &v.history
	return &Verdict{Kind: kind, Reason: r, ID: h.ID, Call: v.call, Account: v.account, At: now,
		FirstSeen: h.FirstSeen, Attempts: h.Attempts, Requests: h.Requests, Asks: h.Asks}
}

// ready tells what was seen, without text.
func (v *verdicts) ready(now time.Time) *Verdict {
	r := v.verdict(KindReady, now, "")
	r.Recordings = v.history.Recordings
	r.TranscriptStatus = TranscriptTimedOut
	if !v.transcription {
		r.TranscriptStatus = TranscriptOff
	}
	return r
}

// undeliverable is the verdict on a call that seems to stop the program. What was seen is told.
func (v *verdicts) undeliverable(now time.Time) *Verdict {
	if v.history.Seen() {
		return v.ready(now)
	}
	return v.failed(now, ReasonUndeliverable, "handed out over 20 times without being settled: it seems to stop the program that handles it")
}

func (v *verdicts) absent(now time.Time, r Reason) *Verdict { return v.verdict(KindAbsent, now, r) }

func (v *verdicts) failed(now time.Time, r Reason, text string) *Verdict {
	f := v.verdict(KindFailed, now, r)
	f.Error = text
	return f
}

// malformed is the verdict on an event that is no call: the original bytes, under an id of the event's own.
func malformed(d *Delivery) *Verdict {
	return &Verdict{Kind: KindFailed, Reason: ReasonMalformed, ID: Token("malformed\n" + d.ID), Call: d.Call, At: d.Now, FirstSeen: d.Stored,
		Error: d.Err.Error(), Raw: d.Body, isRaw: true}
}
