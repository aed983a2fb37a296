package relay

import "time"

// Experience is what has been learned about an account's voicemails, or those of one of its bots. Two can be added: replicas merge theirs.
type Experience struct {
	Asked float64 `json:"asked"` // calls that were answered for at least once
	Found float64 `json:"found"` // of these, calls that had left a voicemail
	Media Lags    `json:"media"` // from hang-up to the whole of it, text included where text is wanted

	Bare   float64 `json:"bare"`   // voicemails whose recording was there before its text
	Worded float64 `json:"worded"` // of these, whose text came
	Text   Lags    `json:"text"`   // from the first sight of the recording to its text
}

// A Lesson is what one answer teaches. The zero Lesson teaches nothing.
type Lesson struct {
	First            bool // it is the first good answer about its call
	Found            bool // the voicemail is complete: after From and not after To, from hang-up on
	From, To         time.Duration
	Bare             bool // its recording is there for the first time, and no text
	Worded           bool // its text has come: after TextFrom and not after TextTo, from the first sight of the recording on
	TextFrom, TextTo time.Duration
}

// Before anything is learned, this is what is guessed: one call in four leaves a voicemail, whole within seconds to a few minutes, and text comes soon
// after its recording. It counts as much as so many calls would, and fades beside what is learned.
const (
	guessedAsked = 32.0
	guessedFound = 8.0
	guessedBare  = 8.0
)

var (
	guessedMedia = logNormal(guessedFound, 40*time.Second, 0.9)
	guessedText  = logNormal(guessedBare, 15*time.Second, 0.9)
)

// How much is remembered: beyond it everything older fades, so that the relay follows when the API becomes faster or slower. A plan is made from
// what was learned once there are so many voicemails.
const (
	rememberedFound = 400
	rememberedAsked = 8000
	learnedFound    = 10
	knownAsked      = 300
)

// Learn adds a lesson.
func (e *Experience) Learn(l Lesson) {
	if l.First {
		e.Asked++
	}
	if l.Found {
		e.Found++
		e.Media.add(l.From, l.To, guessedMedia)
	}
	if l.Bare {
		e.Bare++
	}
	if l.Worded {
		e.Worded++
		e.Text.add(l.TextFrom, l.TextTo, guessedText)
	}
	e.forget()
}

// forget lets what is older fade.
func (e *Experience) forget() {
	const much = 1.05 // not with every lesson
	if f := min(rememberedFound/max(e.Found, 1), rememberedAsked/max(e.Asked, 1)); f*much < 1 {
		e.Asked, e.Found, e.Media = e.Asked*f, e.Found*f, e.Media.times(f)
	}
	if f := rememberedFound / max(e.Bare, 1); f*much < 1 {
		e.Bare, e.Worded, e.Text = e.Bare*f, e.Worded*f, e.Text.times(f)
	}
}

// Plus returns both together, as far as that is remembered.
func (e Experience) Plus(o Experience) Experience {
	e.Asked += o.Asked
	e.Found += o.Found
	e.Media = e.Media.plus(o.Media)
	e.Bare += o.Bare
	e.Worded += o.Worded
	e.Text = e.Text.plus(o.Text)
	e.forget()
	return e
}

// Learned says whether there is enough to plan by.
func (e Experience) Learned() bool { return e.Found >= learnedFound }

// Known says whether there is enough to tell a bot from the others of its account.
func (e Experience) Known() bool { return e.Learned() || e.Asked >= knownAsked }

// Faded is what is left of it after a time.
func (e Experience) Faded(by float64) Experience {
	e.Asked, e.Found, e.Media = e.Asked*by, e.Found*by, e.Media.times(by)
	e.Bare, e.Worded, e.Text = e.Bare*by, e.Worded*by, e.Text.times(by)
	return e
}

// Share is the part of calls that leave a voicemail.
func (e Experience) Share() float64 {
	return min((e.Found+guessedFound)/(e.Asked+guessedAsked), 1)
}

// lesson is what an answer teaches about a call with this history.
func lesson(h *History, a *Answer, o Outcome, transcription bool) Lesson {
	var l Lesson
	if v, ok := o.(*Verdict); ok && v.Kind == KindReady && v.TranscriptStatus == TranscriptTimedOut { // its text never came: it was whole with its recording
		seen := h.SeenAt
		if seen.IsZero() {
			seen = a.At
		}
		return Lesson{First: h.LookedAt.IsZero(), Found: true, To: max(seen.Sub(h.EndedAt), 0)}
	}
	if a.Err != nil && kindOf(a.Err) != Rejected {
		return l
	}
	l.First = h.LookedAt.IsZero()
	if a.Err != nil || len(a.Voicemail.Recordings) == 0 {
		return l
	}
	from := max(h.LookedAt.Sub(h.EndedAt), 0)
	if h.LookedAt.IsZero() {
		from = 0
	}
	switch whole := !transcription || len(a.Voicemail.Transcriptions) > 0; {
	case whole:
		l.Found, l.From, l.To = true, from, a.Asked.Sub(h.EndedAt)
		if h.Seen() {
			l.Worded, l.TextFrom, l.TextTo = true, max(h.LookedAt.Sub(h.SeenAt), 0), a.Asked.Sub(h.SeenAt)
		}
	case !h.Seen():
		l.Bare = true
	}
	return l
}

// Sane says whether the numbers can be what was learned; a record may hold anything.
func (e Experience) Sane() bool {
	for _, n := range []float64{e.Asked, e.Found, e.Bare, e.Worded} {
		if !(n >= 0 && n < 1e9) {
			return false
		}
	}
	return true
}
