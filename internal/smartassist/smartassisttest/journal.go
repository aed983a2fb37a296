package smartassisttest

import (
	"net/http"
	"slices"
	"time"
)

// A Request is a voicemail request that was made of the emulator. It keeps no token.
type Request struct {
	At           time.Time // of arrival
	Bot, Session string
	Status       int    // of the answer; 0 while there is none, and where the connection was dropped or given up without one
	Step         string // name of what was played; denied, over_limit, wrong_method, no_session and bad_transcription are the door's own

	Transcription string // the query's value as it came
}

// keptRequests bounds the journal.
const keptRequests = 100_000

// journal holds the latest requests; number counts all there ever were.
type journal struct {
	number  int
	entries []Request
}

// begin writes a request down and returns its number.
func (j *journal) begin(r Request) int {
	if len(j.entries) >= keptRequests { // a tenth at a time: moving them costs each entry little
		j.entries = slices.Delete(j.entries, 0, keptRequests/10)
	}
	j.entries = append(j.entries, r)
	j.number++
	return j.number
}

// end adds how a request was answered, if it is still kept.
func (j *journal) end(number, status int) {
	if i := len(j.entries) - 1 - (j.number - number); i >= 0 {
		j.entries[i].Status = status
	}
}

// recorder remembers the status for the journal.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write notes a status that nobody wrote.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Requests counts the voicemail requests so far: all that reached an emulated path, refused ones too; downloads of files are none.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.number
}

// RequestsFor counts the voicemail requests of a session so far.
func (s *Server) RequestsFor(session string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.sessions[session]; ok {
		return known.requests
	}
	return 0
}

// Log returns the latest requests in the order of their arrival: 90,000 at least, once there were as many. Counters stay exact beyond that.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal.entries)
}

// MaxIn60s is the most voicemail requests that ever came within 60 seconds, whatever they were answered with, 429 included: what a client
// spent, not what it was allowed.
func (s *Server) MaxIn60s() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}
