package relay

import (
	"encoding/base64"
	"slices"
	"sort"
	"time"
	"unicode/utf8"
)

// Kind is what became of a call.
type Kind string

const (
	KindReady  Kind = "ready"
	KindAbsent Kind = "absent"
	KindFailed Kind = "failed"
)

// Reason says why a call ended absent or failed: a closed set.
type Reason string

const (
	ReasonNoneRecorded  Reason = "none_recorded" // absent: nothing there in time
	ReasonHint          Reason = "hint"          // absent: the publisher said so
	ReasonMalformed     Reason = "malformed"     // failed: the event is no call
	ReasonRejected      Reason = "rejected"      // failed: the API's final no
	ReasonGaveUp        Reason = "gave_up"       // failed: trouble outlasted retry.give_up_after
	ReasonUndeliverable Reason = "undeliverable" // failed: handed out over 20 times without being settled
)

// A Verdict is what became of a call, and the event that tells it.
type Verdict struct {
	Kind      Kind
	Reason    Reason // "" for ready
	ID        string // stable: the same verdict has the same id, and a session's first verdict has its key as id, whatever it is
	Call      Call   // of a malformed event only the ids that could be read
	Account   string
	At        time.Time
	FirstSeen time.Time
	Attempts  int // deliveries that asked
	Requests  int
	Asks      []Ask // not told; for the ledger

	Recordings       []Recording // ready: at least one
	Transcript       string
	TranscriptStatus TranscriptStatus
	Language         string
	Transcriptions   []Transcription

	Error string // failed: one human line without secrets
	Raw   []byte // malformed: the event's bytes
	isRaw bool
}

// transcribe adds the text that came, if it is wanted.
func (v *Verdict) transcribe(ts []Transcription, wanted bool) {
	if !wanted {
		return
	}
	v.Transcriptions = inOrder(ts)
	v.Transcript, v.Language = joined(v.Transcriptions)
	v.TranscriptStatus = TranscriptCompleted
	if v.Transcript == "" {
		v.TranscriptStatus = TranscriptEmpty
	}
}

// AppendBody writes the event's JSON behind buf as the schemas describe it, in at most limit bytes as far as that can be had (0: no limit).
// Text is what gives way: first the single messages, then the end of the transcript, and the status says so; of a malformed event the end of
// the raw bytes. Only then further recordings and the publisher's own fields go.
func (v *Verdict) AppendBody(buf []byte, limit int) []byte {
	b := v.body(buf)
	if limit += len(buf); limit <= len(buf) || len(b) <= limit {
		return b
	}
	short := *v
	if v.isRaw {
		over := len(b) + len(`,"rawSize":65536,"rawTruncated":true`) + 16 - limit
		short.Raw = v.Raw[:max(0, len(v.Raw)-(over+3)/4*3-3)]
		return short.bodyOf(buf, len(v.Raw))
	}
	if v.Kind == KindReady && (v.Transcript != "" || len(v.Transcriptions) > 0) { // messages without text are large too, when they are many
		short.TranscriptStatus, short.Transcriptions = TranscriptTruncated, nil
		if b = short.body(buf); len(b) > limit {
			written := len(appendString(nil, short.Transcript)) - len(`""`)
			short.Transcript = cut(short.Transcript, written-(len(b)-limit))
			b = short.body(buf)
		}
	}
	if len(b) > limit && len(short.Recordings) > 1 {
		short.Recordings = short.Recordings[:1]
		b = short.body(buf)
	}
	if len(b) > limit {
		short.Call.Fields = nil
		b = short.body(buf)
	}
	return b
}

// cut shortens a text to what takes at most room bytes as JSON has it, between characters.
func cut(s string, room int) string {
	whole := func(n int) string { // characters, in at most n bytes
		for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		return s[:n]
	}
	return whole(sort.Search(len(s), func(n int) bool { return len(appendString(nil, whole(n+1)))-len(`""`) > room }))
}

func (v *Verdict) body(buf []byte) []byte { return v.bodyOf(buf, len(v.Raw)) }

func (v *Verdict) bodyOf(buf []byte, rawSize int) []byte {
	w := writer{buf: slices.Grow(buf, v.size())}
	w.open()
	w.some("botId", v.Call.Bot)
	w.some("sessionId", v.Call.Session)
	switch v.Kind {
	case KindReady:
		v.readyBody(&w)
	case KindAbsent:
		w.text("reason", string(v.Reason))
		w.raw("call", fields(v.Call))
		w.time("endedAt", v.Call.EndedAt)
		w.time("absentAt", v.At)
		w.int("requests", v.Requests)
	case KindFailed:
		w.text("reason", string(v.Reason))
		w.text("error", v.Error)
		w.int("attempts", v.Attempts)
		w.int("requests", v.Requests)
		w.time("firstSeen", v.FirstSeen)
		w.time("failedAt", v.At)
		if !v.isRaw {
			w.raw("call", fields(v.Call))
			break
		}
		w.text("raw", base64.StdEncoding.EncodeToString(v.Raw))
		if rawSize > len(v.Raw) {
			w.int("rawSize", rawSize)
			w.raw("rawTruncated", []byte("true"))
		}
	}
	w.close()
	return w.buf
}

func (v *Verdict) readyBody(w *writer) {
	w.text("transcript", v.Transcript)
	w.text("transcriptStatus", string(v.TranscriptStatus))
	w.some("language", v.Language)
	if len(v.Recordings) > 0 {
		r := v.Recordings[0]
		w.text("fileUrl", r.FileURL)
		w.text("fileName", r.FileName)
		w.some("fileUrlExpiresAt", stamp(r.ExpiresAt))
	}
	w.list("recordings", len(v.Recordings), func(i int) {
		r := v.Recordings[i]
		w.text("fileName", r.FileName)
		w.text("fileUrl", r.FileURL)
		w.some("expiresAt", stamp(r.ExpiresAt))
	})
	w.list("transcriptions", len(v.Transcriptions), func(i int) {
		t := v.Transcriptions[i]
		w.text("id", t.ID)
		w.text("text", t.Text)
		w.some("language", t.Language)
		w.some("createdOn", t.CreatedOn)
		w.some("authorId", t.AuthorID)
		w.some("authorType", t.AuthorType)
	})
	w.raw("call", fields(v.Call))
	w.time("endedAt", v.Call.EndedAt)
	w.time("readyAt", v.At)
	w.int("requests", v.Requests)
}

// size is about how many bytes the body will have.
func (v *Verdict) size() int {
	n := 640 + len(v.Call.Fields) + len(v.Transcript) + len(v.Error) + 4*len(v.Raw)/3
	for _, r := range v.Recordings {
		n += 128 + 2*len(r.FileURL)
	}
	for _, t := range v.Transcriptions {
		n += 256 + len(t.Text)
	}
	return n
}

func fields(c Call) []byte {
	if len(c.Fields) == 0 {
		return []byte("{}")
	}
	return c.Fields
}

// stamp writes a time as RFC 3339 in UTC; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
