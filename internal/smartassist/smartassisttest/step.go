package smartassisttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A Step answers one request. Steps are values: one may stand in many scripts. The zero Step is NotYet.
type Step struct {
	Name string // its word in ParseStep's grammar, without texts; it stands in Server.Log
	play func(play)
}

// play is one request being answered.
type play struct {
	server        *Server
	w             http.ResponseWriter
	r             *http.Request
	bot, session  string
	transcription string    // the query's value
	ended         time.Time // hang-up
	underscored   bool      // how the recordings' key is spelled
}

func (s Step) run(p play) {
	if s.play == nil {
		s = NotYet()
	}
	s.play(p)
}

func named(name string, s Step) Step {
	s.Name = name
	return s
}

// script is a list of steps and how far each session is in it.
type script struct {
	steps []Step
	turns map[string]int
}

func (s *script) next(session string) Step {
	turn := s.turns[session]
	if turn < len(s.steps)-1 {
		s.turns[session] = turn + 1
	}
	return s.steps[turn]
}

// Repeat is a step n times.
func Repeat(n int, s Step) []Step { return slices.Repeat([]Step{s}, n) }

// Slow waits before another step, and gives up when the client does.
func Slow(d time.Duration, then Step) Step {
	return Step{"slow:" + d.String() + ":" + then.Name, func(p play) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			then.run(p)
		case <-p.r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// Underscored spells the recordings' key voicemail_recording, as the vendor's tables of parameters do; every sample has a space.
func Underscored(then Step) Step {
	return Step{"underscored:" + then.Name, func(p play) {
		p.underscored = true
		then.run(p)
	}}
}

// Raw answers with a status, headers and a body as they are.
func Raw(status int, header http.Header, body []byte) Step {
	header, body = header.Clone(), bytes.Clone(body)
	return Step{"raw:" + strconv.Itoa(status), func(p play) {
		for k, vs := range header {
			p.w.Header()[k] = slices.Clone(vs)
		}
		p.w.WriteHeader(status)
		_, _ = p.w.Write(body) // the client may be gone; a 204 takes none
	}}
}

// jsonType is the Content-Type of every JSON answer.
const jsonType = "application/json; charset=utf-8"

// writeJSON writes without HTML escaping: links hold &.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // a Message's component that JSON cannot hold: the script's mistake
		panic(err)
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
}
