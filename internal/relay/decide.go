package relay

import (
	"errors"
	"fmt"
	"time"
)

// An Answer is what one delivery's request brought.
type Answer struct {
	Voicemail Voicemail
	Err       error // nil for any good answer, 'nothing yet' included
	Requests  int
	Asked, At time.Time // when the request was made, and when it was answered
}

// Decide says what becomes of a call after a request, out of values alone:
//
//	answer                              recording seen   time                         outcome
//	link, and text or an empty message  any              any                          Ready
//	link, no transcription wanted       any              any                          Ready (off)
//	link, no message yet                any              before its deadline          Later, line of the seen
//	link, no message yet                any              seen + transcript_for        Ready (timed_out)
//	text or an empty message, no link   before           any                          Ready, the link as it was seen
//	nothing yet                         never            before end + recording_for   Later
//	nothing yet                         never            asked at it, or after        Absent (none_recorded)
//	nothing yet, or a final no          before           before its deadline          Later, line of the seen
//	nothing yet, or a final no          before           seen + transcript_for        Ready (timed_out), as it was seen
//	a final no                          never            any                          Failed (rejected)
//	trouble, refused credentials        before           seen + transcript_for        Ready (timed_out), as it was seen
//	trouble, refused credentials        any              give_up_after not reached    Later
//	trouble, refused credentials        never            give_up_after of trouble     Failed (gave_up)
//
// An entry of transcriptions without text is 'an empty message': the text will not come any more.
func Decide(c Call, h History, a Answer, acct Account, p Policy) Outcome {
	v := verdicts{call: c, history: h, account: acct.Name, policy: p, transcription: acct.Transcription}
	return v.decide(&a)
}

// verdicts writes the outcomes of one call. Calls and histories are large: within the package they are handed on by pointer.
type verdicts struct {
	call          Call
	history       History // decide brings it up to date
	account       string
	policy        Policy
	transcription bool
	fresh         bool
}

func (v *verdicts) decide(a *Answer) Outcome {
	h := &v.history
	h.asked(a)
	switch {
	case a.Err != nil && kindOf(a.Err) == Rejected && !h.Seen():
		return v.failed(a.At, ReasonRejected, a.Err.Error())
	case a.Err != nil && kindOf(a.Err) != Rejected:
		return v.troubled(a)
	}
	h.good(a)
	switch {
	case len(a.Voicemail.Recordings) > 0 && !v.transcription, h.Seen() && len(a.Voicemail.Transcriptions) > 0:
		r := v.ready(a.At)
		r.transcribe(a.Voicemail.Transcriptions, v.transcription)
		return r
	case h.Seen():
		at, last := v.policy.lookForText(&v.call, h, a.At)
		if last && !at.After(a.At) {
			return v.ready(a.At)
		}
		return v.later(at, why(a))
	case a.Asked.Sub(h.EndedAt) >= v.policy.RecordingFor:
		return v.absent(a.At, ReasonNoneRecorded)
	}
	at, _ := v.policy.lookAgain(&v.call, h, a.At)
	return v.later(at, why(a))
}

// troubled decides after an answer that says nothing about the call.
func (v *verdicts) troubled(a *Answer) Outcome {
	h := &v.history
	h.troubled(a)
	// A pause that the account wants is not the call's trouble; but a call that brings one each time is not to live for ever by that.
	if since := h.TroubleSince.Add(retryAfter(a.Err)); since.Before(h.FirstSeen.Add(v.policy.GiveUpAfter)) {
		h.TroubleSince = since
	}
	at := v.policy.nextTry(v.call.Key(), h.Troubles, a.At)
	if p := a.At.Add(retryAfter(a.Err)); at.Before(p) {
		at = p
	}
	if h.Seen() {
		deadline := v.deadline()
		if !a.At.Before(deadline) {
			return v.ready(a.At)
		}
		return v.later(earlier(at, deadline), why(a))
	}
	end := h.TroubleSince.Add(v.policy.GiveUpAfter)
	if !a.At.Before(end) {
		return v.failed(a.At, ReasonGaveUp, fmt.Sprintf("trouble for %s; the last: %s", v.policy.GiveUpAfter, a.Err))
	}
	if h.StillSince.IsZero() { // else the end moves on
		at = earlier(at, end)
	}
	return v.later(at, why(a))
}

// unasked decides for a call out of the line whose account is closed: nothing can be asked, but what was seen is told in time, and who waits for
// an API that is down gives up in time.
func (v *verdicts) unasked(d *Delivery) Outcome {
	h, at := &v.history, d.Now
	if d.Reopens.After(at) {
		at = d.Reopens
	}
	switch {
	case h.Seen() && !d.Now.Before(v.deadline()):
		return v.ready(d.Now)
	case h.Seen():
		at = earlier(at, v.deadline())
	case v.policy.outlasted(d):
		return v.failed(d.Now, ReasonGaveUp, fmt.Sprintf("the account's API has been in trouble for %s", v.policy.GiveUpAfter))
	}
	return v.later(at, "account closed")
}

// deadline is when a call whose recording was seen is told.
func (v *verdicts) deadline() time.Time { return v.history.SeenAt.Add(v.policy.TranscriptFor) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// heard names an answer for a call's history: why, and what came.
func heard(a *Answer) string {
	switch {
	case a.Err != nil || len(a.Voicemail.Recordings) == 0:
		return why(a)
	case len(a.Voicemail.Transcriptions) > 0:
		return "recording and transcript"
	}
	return "recording"
}

// why names an answer out of a closed set, for logs.
func why(a *Answer) string {
	if t, ok := errors.AsType[*Trouble](a.Err); ok {
		return t.Result
	}
	switch {
	case a.Err != nil:
		return "error"
	case len(a.Voicemail.Recordings) > 0:
		return "no transcript yet"
	case a.Voicemail.Status == "", a.Voicemail.Status == "success":
		return "nothing yet"
	}
	return a.Voicemail.Status
}
