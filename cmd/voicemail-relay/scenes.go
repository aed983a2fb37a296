package main

import (
	"encoding/json"
	"fmt"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// demoCallOf is one call of the demo: what its caller does, and how the API answers.
type demoCallOf struct {
	session, title string
	body           []byte
	times          int // how often it is announced
	steps          []emu.Step
}

// demoCall makes the i-th call. The scenes come round again after the last.
func demoCall(i int) demoCallOf {
	texts := []string{"Hi, this is voicemail testing.", "Hello, my router has been blinking red since Monday.", "Good morning, could you call me back after four?",
		"Hey, I forgot my umbrella at your desk.", "Hello, the lamp I bought hums in B flat."}
	text := texts[i%len(texts)]
	at := func(n int) []emu.Step { return emu.Repeat(n, emu.MediaInProgress()) }
	scenes := []struct {
		title string
		times int
		hint  any
		steps []emu.Step
	}{
		{"the caller leaves a voicemail", 1, nil, []emu.Step{emu.Ready(text)}},
		{"a voicemail whose media comes late", 1, nil, append(at(1), emu.Ready(text))},
		{"the caller hangs up without a word", 1, nil, []emu.Step{emu.NotYet()}},
		{"a voicemail whose text comes late", 1, nil, []emu.Step{emu.NoTranscript(), emu.NoTranscript(), emu.Ready(text)}},
		{"the API is in trouble twice", 1, nil, append(emu.Repeat(4, emu.ServerError(503)), emu.Ready(text))},
		{"a call that is announced three times", 3, nil, []emu.Step{emu.Ready(text)}},
		{"the media failed for good", 1, nil, []emu.Step{emu.Failed()}},
		{"the publisher knows: none was left", 1, false, []emu.Step{emu.NotYet()}},
		{"a voicemail whose text never comes", 1, nil, []emu.Step{emu.NoTranscript()}},
		{"a voicemail of silence", 1, nil, []emu.Step{emu.EmptyTranscript()}},
		{"over the rate limit once", 1, nil, []emu.Step{emu.RateLimited("1"), emu.Ready(text)}},
		{"a voicemail in two recordings", 1, nil, []emu.Step{emu.Several()}},
		{"the connection breaks", 1, nil, append(emu.Repeat(3, emu.Reset()), emu.Ready(text))},
		{"something that is no call at all", 1, "garbage", nil},
	}
	s := scenes[i%len(scenes)]
	c := demoCallOf{session: fmt.Sprintf("67aa38026e199c8f47%06x", i+1), title: s.title, times: s.times, steps: s.steps}
	if s.hint == "garbage" {
		c.body = []byte("this is not a call")
		c.session = ""
		return c
	}
	event := map[string]any{"botId": "st-demo", "sessionId": c.session, "queue": "sales", "endedAt": time.Now().UTC().Format(time.RFC3339Nano)}
	if s.hint != nil {
		event["voicemail"] = s.hint
	}
	c.body, _ = json.Marshal(event) // strings and booleans always encode
	return c
}
