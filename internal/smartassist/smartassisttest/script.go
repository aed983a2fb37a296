package smartassisttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseScript reads a script as it is written on a command line: steps separated by commas, each a word, some with a text behind a colon,
// *n repeating it. A number is a status; 429/30 and 503/30 say Retry-After. slow:2s waits, then is ready.
//
//	not_yet*2,ready:Hello there
//	503*3,ready
//	hang
func ParseScript(s string) ([]Step, error) {
	var steps []Step
	for _, word := range strings.Split(s, ",") {
		n := 1
		if head, times, ok := cutLast(word, "*"); ok {
			k, err := strconv.Atoi(times)
			if err != nil || k < 1 || k > 10_000 {
				return nil, fmt.Errorf("script: %q: %q is not how often", word, times)
			}
			word, n = head, k
		}
		step, err := ParseStep(word)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Repeat(n, step)...)
	}
	return steps, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// ParseStep reads one step.
func ParseStep(word string) (Step, error) {
	name, arg, _ := strings.Cut(strings.TrimSpace(word), ":")
	if code, retry, ok := strings.Cut(name, "/"); ok || isNumber(name) {
		status, err := strconv.Atoi(code)
		switch {
		case err != nil || status < 400 || status > 599:
			return Step{}, fmt.Errorf("script: %q is no status from 400 to 599", code)
		case status == 429:
			return RateLimited(retry), nil
		case retry != "":
			return ServerErrorRetryAfter(status, retry), nil
		}
		return Error(status, "Error "+code), nil
	}
	if name == "slow" {
		d, err := time.ParseDuration(arg)
		if err != nil {
			return Step{}, fmt.Errorf("script: slow: %q is no duration such as 2s", arg)
		}
		return Slow(d, Ready("It took a while.")), nil
	}
	known := words()
	mk, ok := known[name]
	if !ok {
		return Step{}, fmt.Errorf("script: unknown step %q; known are %s, slow:DURATION, a status, 429/SECONDS", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return mk(arg), nil
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

func words() map[string]func(arg string) Step {
	plain := func(mk func() Step) func(string) Step { return func(string) Step { return mk() } }
	return map[string]func(string) Step{
		"ready": func(text string) Step {
			if text == "" {
				text = "Hello, this is a made-up voicemail."
			}
			return Ready(text)
		},
		"status":  Status,
		"not_yet": plain(NotYet), "in_progress": plain(InProgress), "media_in_progress": plain(MediaInProgress), "unavailable": plain(Unavailable),
		"no_content": plain(NoContent), "session_not_found": plain(SessionNotFound), "not_found": plain(NotFound404), "empty_link": plain(EmptyLink),
		"sample": plain(Sample), "no_transcript": plain(NoTranscript), "no_transcript_list": plain(NoTranscriptList), "empty_transcript": plain(EmptyTranscript),
		"failed": plain(Failed), "invalid_stream": plain(InvalidStream), "unauthorized": plain(Unauthorized), "forbidden": plain(Forbidden),
		"html": plain(func() Step { return HTML(502) }), "hang": plain(Hang), "cut": plain(Cut), "reset": plain(Reset), "huge": plain(Huge), "huge_gzip": plain(HugeGzip),
		"garbage": plain(Garbage), "truncated": plain(Truncated), "several": plain(Several), "astray": plain(Astray), "redirect": Redirect,
	}
}
