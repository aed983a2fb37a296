package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
)

// show tells the demo's calls on the terminal as they go.
type show struct {
	mu       sync.Mutex
	out      io.Writer
	colour   bool
	began    time.Time
	calls    int            // of the demo's own that have ended
	number   map[string]int // of a session's call, where it is one of these; "" is what was no call
	settledN int
	changed  chan struct{}
	verdicts map[relay.Kind]int
	repeats  int
}

func newShow(out io.Writer, colour bool) *show {
	return &show{out: out, colour: colour, began: time.Now(), number: map[string]int{}, changed: make(chan struct{}, 1), verdicts: map[relay.Kind]int{}}
}

// ended tells that a call ended.
func (s *show) ended(session, title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.number[session] = s.calls
	s.line(session, "ended", "", title)
}

// settled is told about everything that the relay does.
func (s *show) settled(st bus.Settlement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := st.Outcome.(type) {
	case *relay.Fold:
		s.repeats++
		s.line(o.Call.Session, "repeat", "", "announced again: folded, nothing asked")
	case *relay.Later:
		if st.Repeat {
			s.repeats++
			s.line(o.Call.Session, "repeat", "", "announced again: folded, nothing asked")
			return
		}
		in := max(0, time.Until(o.At)).Round(10 * time.Millisecond)
		if o.History.Requests == 0 {
			s.line(o.Call.Session, "waits", "", fmt.Sprintf("first request in %s", in))
			return
		}
		s.line(o.Call.Session, "asked", "", fmt.Sprintf("%s (%s); again in %s", strings.ReplaceAll(o.Why, "_", " "), plural(o.History.Requests, "request"), in))
	case *relay.Verdict:
		s.verdict(o)
	}
}

func (s *show) verdict(v *relay.Verdict) {
	s.verdicts[v.Kind]++
	s.settledN++
	cost := plural(v.Requests, "request")
	switch v.Kind {
	case relay.KindReady:
		what := fmt.Sprintf("%q", firstWords(v.Transcript))
		if v.Transcript == "" {
			what = "recording alone, transcript " + strings.ReplaceAll(string(v.TranscriptStatus), "_", " ")
		}
		s.line(v.Call.Session, "READY", "32", what+" ("+cost+")")
	case relay.KindAbsent:
		s.line(v.Call.Session, "ABSENT", "33", strings.ReplaceAll(string(v.Reason), "_", " ")+" ("+cost+")")
	case relay.KindFailed:
		s.line(v.Call.Session, "FAILED", "31", string(v.Reason)+": "+v.Error)
	}
	if v.Call.Session == "" {
		delete(s.number, "") // the next of them is another's
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// line writes one line: when, which call, what.
func (s *show) line(session, word, colour, what string) {
	word = fmt.Sprintf("%-6s", word)
	if s.colour && colour != "" {
		word = "\x1b[" + colour + "m" + word + "\x1b[0m"
	}
	fmt.Fprintf(s.out, "%6.2fs  %-7s  %s  %s\n", time.Since(s.began).Seconds(), s.label(session), word, what)
}

// label is what people know a call by: its number in the demo, or its session where they have published it themselves.
func (s *show) label(session string) string {
	switch n := s.number[session]; {
	case n > 0:
		return fmt.Sprintf("call %2d", n)
	case session == "":
		return "no call"
	}
	return session
}

// wait waits for n verdicts.
func (s *show) wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		done := s.settledN >= n
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// summary tells what became of all.
func (s *show) summary(requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "\n%s: %d ready, %d absent, %d failed. %s of the API, %s folded.\n", plural(s.settledN, "call"),
		s.verdicts[relay.KindReady], s.verdicts[relay.KindAbsent], s.verdicts[relay.KindFailed], plural(requests, "request"), plural(s.repeats, "repeat"))
}

func plural[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// firstWords shortens a text for a line.
func firstWords(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	words := strings.Fields(s)
	if len(words) > 7 {
		return strings.Join(words[:7], " ") + " …"
	}
	return s
}
