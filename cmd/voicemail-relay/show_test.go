package main

import (
	"bytes"
	"strings"
	"testing"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
)

func TestWatchCountsInWords(t *testing.T) {
	for n, want := range map[string]string{"0": "0 requests", "1": "1 request", "2": "2 requests"} {
		line := verdictLine(bus.StoredVerdict{Kind: relay.KindAbsent, Body: []byte(`{"botId":"b","sessionId":"s","requests":` + n + `}`)}, false)
		if !strings.HasSuffix(line, "  "+want) {
			t.Errorf("%s: %q", n, line)
		}
	}
}

// What people publish while demo runs is not among its numbered calls.
func TestDemoNamesCallsOfOthersByTheirSession(t *testing.T) {
	var out bytes.Buffer
	s := newShow(&out, false)
	told := func(session, want string) {
		t.Helper()
		out.Reset()
		s.settled(bus.Settlement{Outcome: &relay.Verdict{Kind: relay.KindAbsent, Call: relay.Call{Session: session}, Requests: 1}})
		if !strings.Contains(out.String(), "s  "+want+"  ABSENT  ") {
			t.Errorf("want %q in %q", want, out.String())
		}
	}
	s.ended("s1", "a call")
	s.ended("", "no call at all")
	told("", "call  2")
	s.ended("s3", "a call")
	told("s3", "call  3")
	told("my-session-1", "my-session-1")
	told("s1", "call  1")
	told("", "no call")
}
