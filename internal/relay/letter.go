package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
)

// FailedReasons lists why a call ends as a dead letter.
func FailedReasons() []Reason {
	return []Reason{ReasonMalformed, ReasonRejected, ReasonGaveUp, ReasonUndeliverable}
}

// A Letter is a dead letter: a voicemail.failed event, read again.
type Letter struct {
	ID        string // the verdict's id
	Call      Call   // its ids as far as they are known, the publisher's fields and the trace
	Reason    Reason
	Error     string
	Attempts  int
	Requests  int
	FirstSeen time.Time
	FailedAt  time.Time
	Raw       []byte // malformed: the event's bytes, or their beginning
	RawSize   int    // malformed: how many there were
	hasRaw    bool
}

// ReadLetter reads an event's JSON. What is not there stays empty: such a letter can be looked at, and nothing else.
func ReadLetter(id string, header map[string][]string, body []byte) Letter {
	var e struct {
		BotID     string          `json:"botId"`
		SessionID string          `json:"sessionId"`
		Reason    Reason          `json:"reason"`
		Error     string          `json:"error"`
		Attempts  int             `json:"attempts"`
		Requests  int             `json:"requests"`
		FirstSeen time.Time       `json:"firstSeen"`
		FailedAt  time.Time       `json:"failedAt"`
		Call      json.RawMessage `json:"call"`
		Raw       *[]byte         `json:"raw"`
		RawSize   int             `json:"rawSize"`
	}
	if json.Unmarshal(body, &e) != nil {
		return Letter{ID: oneLine(id)}
	}
	// Anybody may publish where the relay does: nothing of it reaches a terminal as it is.
	l := Letter{ID: oneLine(id), Reason: Reason(oneLine(string(e.Reason))), Error: oneLine(e.Error), Attempts: e.Attempts, Requests: e.Requests, FirstSeen: e.FirstSeen, FailedAt: e.FailedAt,
		Call: Call{Fields: e.Call, EndedAt: e.FirstSeen, Trace: trace(header, nil)}}
	if CheckID(e.BotID) == nil {
		l.Call.Bot = e.BotID
	}
	if CheckID(e.SessionID) == nil {
		l.Call.Session = e.SessionID
	}
	if e.Raw != nil {
		l.Raw, l.hasRaw = *e.Raw, true
		l.RawSize = max(e.RawSize, len(l.Raw))
	}
	return l
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Why a letter cannot be replayed.
var (
	ErrTruncated = errors.New("only the beginning of its event is kept (rawTruncated): ask its publisher to report the call again")
	ErrForeign   = errors.New("its id is not that of its session's verdict: publish BOT SESSION --again asks for the session")
	ErrUnwritten = errors.New("its fields do not fit a call.ended of 65536 bytes: publish BOT SESSION --again asks for the session without them")
)

// A Replay is a letter's call, to be reported once more.
type Replay struct {
	ID    string // of the verdict to come; "" for what was malformed: its next verdict gets an id of its own
	K     int    // ReplayHeader's value; 0: none
	Body  []byte
	Trace Trace
}

// Replay writes the call.ended that asks for a letter's call once more. Everything about it comes out of the letter: replayed twice, it
// asks for a verdict of the same id twice, and one of them is folded.
//
// When the call ended the letter does not say. When the relay first saw it comes close, and is never too early: a call of long ago is asked
// for at once, and one request that brings nothing decides; one of a minute ago is still waited for as usual.
func (l Letter) Replay() (Replay, error) {
	if l.Reason == ReasonMalformed {
		if !l.hasRaw || len(l.Raw) < l.RawSize {
			return Replay{}, ErrTruncated
		}
		return Replay{Body: l.Raw, Trace: l.Call.Trace}, nil
	}
	if !l.ofSession() {
		return Replay{}, ErrForeign
	}
	k := Replays(l.ID) + 1
	r := Replay{ID: ReplayID(l.Call.Key(), k), K: k, Trace: l.Call.Trace}
	for _, body := range l.bodies() {
		if l.readsAs(body) {
			r.Body = body
			return r, nil
		}
	}
	return Replay{}, ErrUnwritten
}

// ofSession says whether the letter is a verdict of the session that it names.
func (l Letter) ofSession() bool {
	return l.Call.Bot != "" && l.Call.Session != "" && l.ID == ReplayID(l.Call.Key(), Replays(l.ID))
}

// bodies are the ways to write the call, best first: plain; without endedAt, which the original may not have had room for; and in an
// envelope, for fields that would be taken for one themselves.
func (l Letter) bodies() [][]byte {
	fields, err := parseObject(l.Call.Fields)
	if err != nil {
		return nil
	}
	plain := func(ended time.Time) []byte {
		var w writer
		w.open()
		w.text("botId", l.Call.Bot)
		w.text("sessionId", l.Call.Session)
		w.some("endedAt", stamp(ended))
		for _, f := range fields {
			w.raw(f.name, f.raw)
		}
		w.close()
		return w.buf
	}
	var envelope writer
	envelope.open()
	envelope.text("specversion", "1.0")
	envelope.text("id", ReplayID(l.Call.Key(), Replays(l.ID)+1))
	envelope.text("source", "/voicemail-relay")
	envelope.text("type", "call.ended")
	envelope.raw("data", plain(l.Call.EndedAt))
	envelope.close()
	return [][]byte{plain(l.Call.EndedAt), plain(time.Time{}), envelope.buf}
}

// readsAs says whether an event will be taken for the letter's call.
func (l Letter) readsAs(body []byte) bool {
	c, err := Parse(Event{Body: body})
	want, bad := parseObject(l.Call.Fields)
	return err == nil && bad == nil && c.Bot == l.Call.Bot && c.Session == l.Call.Session && bytes.Equal(c.Fields, want.without())
}

// Remembered says whether a session's record, if it has one, folds a repeat of the letter's call even when the letter is gone: only such a
// letter may be deleted. A malformed event has no record: it is told anew each time that it comes.
func (l Letter) Remembered(rec Record, found bool) bool {
	return l.Reason == ReasonMalformed || found && l.ofSession() && !newerID(l.ID, rec.ID)
}

// Outdated says whether a session's record tells of a later verdict: the letter has been replayed, and that is settled.
func (l Letter) Outdated(rec Record) bool { return l.ofSession() && newerID(rec.ID, l.ID) }

// shown are the fields of a failed event that may stand on any screen.
var shown = map[string]bool{"botId": true, "sessionId": true, "reason": true, "error": true, "attempts": true, "requests": true, "firstSeen": true,
	"failedAt": true, "rawSize": true, "rawTruncated": true}

const mask = `"***"`

// Masked writes a failed event's JSON without what may be private: of the publisher's fields the names alone, and neither raw bytes nor any
// field that is not known.
func Masked(body []byte) []byte {
	top, err := parseObject(body)
	if err != nil {
		return []byte(mask)
	}
	var w writer
	w.open()
	for _, f := range top {
		call, notOne := parseObject(f.raw)
		switch {
		case shown[f.name]:
			w.raw(f.name, f.raw)
		case f.name == "call" && notOne == nil:
			var c writer
			c.open()
			for _, own := range call {
				c.raw(own.name, []byte(mask))
			}
			c.close()
			w.raw(f.name, c.buf)
		default:
			w.raw(f.name, []byte(mask))
		}
	}
	w.close()
	return w.buf
}
