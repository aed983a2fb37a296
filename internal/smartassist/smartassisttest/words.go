package smartassisttest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// word is one of the grammar's words. parse gets what stands behind its colon, and whether there was one.
type word struct {
	name, usage string
	parse       func(arg string, has bool) (Step, error)
}

// madeUp is what Ready says when the script does not tell.
const madeUp = "Hello, this is a made-up voicemail. Please call me back."

// words is the grammar's list.
func words() []word {
	return []word{
		plain("not_yet", NotYet), plain("in_progress", InProgress), plain("media_in_progress", MediaInProgress), plain("unavailable", Unavailable),
		plain("no_content", NoContent), texted("status", "STATUS", "", Status), plain("session_not_found", SessionNotFound), plain("not_found", NotFound404),
		plain("empty_link", EmptyLink), texted("ready", "[TEXT]", madeUp, Ready), plain("sample", Sample), plain("no_transcript", NoTranscript),
		plain("no_transcript_list", NoTranscriptList), plain("empty_transcript", EmptyTranscript), plain("several", Several), plain("astray", Astray),
		{"underscored", "underscored:STEP", func(arg string, _ bool) (Step, error) {
			then, err := ParseStep(arg)
			return Underscored(then), err
		}},
		plain("failed", Failed), plain("invalid_stream", InvalidStream), plain("unauthorized", Unauthorized), plain("forbidden", Forbidden),
		statused("rate_limit_text", 400, RateLimitText), statused("html", 502, HTML), texted("redirect", "URL", "", Redirect),
		{"string_code", "string_code:STATUS[:MESSAGE]", func(arg string, _ bool) (Step, error) {
			code, msg, _ := strings.Cut(arg, ":")
			status, err := statusOf(code)
			if err != nil {
				return Step{}, err
			}
			msg, err = unquote(msg)
			return ErrorStringCode(status, msg), err
		}},
		{"slow", "slow:DURATION[:STEP]", func(arg string, _ bool) (Step, error) {
			long, what, has := strings.Cut(arg, ":")
			d, err := time.ParseDuration(long)
			if err != nil || d < 0 {
				return Step{}, fmt.Errorf("%q is no duration such as 2s", long)
			}
			then := Ready(madeUp)
			if has {
				then, err = ParseStep(what)
			}
			return Slow(d, then), err
		}},
		plain("hang", Hang), plain("cut", Cut), plain("reset", Reset), plain("huge", Huge), plain("huge_gzip", HugeGzip), plain("garbage", Garbage),
		plain("truncated", Truncated),
	}
}

// Words lists what may stand in a script, each as it is written, for a command's help.
func Words() []string {
	var all []string
	for _, w := range words() {
		all = append(all, w.usage)
	}
	return append(all, "400…599[/RETRY-AFTER][:MESSAGE]")
}

func known() string { return strings.Join(Words(), ", ") }

func plain(name string, mk func() Step) word {
	return word{name, name, func(_ string, has bool) (Step, error) {
		if has {
			return Step{}, errors.New("nothing may stand behind it")
		}
		return mk(), nil
	}}
}

// texted takes a text; without a default it has to be there.
func texted(name, usage, otherwise string, mk func(string) Step) word {
	if otherwise == "" {
		usage = name + ":" + usage
	} else {
		usage = name + "[:TEXT]"
	}
	return word{name, usage, func(arg string, has bool) (Step, error) {
		text, err := unquote(arg)
		switch {
		case err != nil:
			return Step{}, err
		case !has && otherwise != "":
			text = otherwise
		case text == "" && otherwise == "":
			return Step{}, fmt.Errorf("write %s", usage)
		}
		return mk(text), nil
	}}
}

func statused(name string, otherwise int, mk func(int) Step) word {
	return word{name, name + "[:STATUS]", func(arg string, has bool) (Step, error) {
		if !has {
			return mk(otherwise), nil
		}
		status, err := strconv.Atoi(arg)
		if err != nil || status < 200 || status > 599 {
			return Step{}, fmt.Errorf("%q is no status from 200 to 599", arg)
		}
		return mk(status), nil
	}}
}

func statusOf(s string) (int, error) {
	status, err := strconv.Atoi(s)
	if err != nil || status < 400 || status > 599 {
		return 0, fmt.Errorf("%q is no status from 400 to 599", s)
	}
	return status, nil
}

// parseStatus reads STATUS[/RETRY-AFTER][:MESSAGE].
func parseStatus(s string) (Step, error) {
	i := strings.IndexAny(s, "/:")
	if i < 0 {
		i = len(s)
	}
	status, err := statusOf(s[:i])
	if err != nil {
		return Step{}, fmt.Errorf("script: %w", err)
	}
	retry, msg := "", ""
	switch rest := s[i:]; {
	case strings.HasPrefix(rest, `/"`):
		quoted, err := strconv.QuotedPrefix(rest[1:])
		if err != nil {
			return Step{}, fmt.Errorf("script: %s: the text has no closing quote", s)
		}
		retry, msg = quoted, strings.TrimPrefix(rest[1+len(quoted):], ":")
	case strings.HasPrefix(rest, "/"):
		retry, msg, _ = strings.Cut(rest[1:], ":")
		if retry == "" {
			return Step{}, fmt.Errorf("script: %s: write seconds or a date behind the /", s)
		}
	case rest != "":
		msg = rest[1:]
	}
	if retry, err = unquote(retry); err == nil {
		msg, err = unquote(msg)
	}
	if err != nil {
		return Step{}, fmt.Errorf("script: %s: %w", s, err)
	}
	return withRetryAfter(retry, statusStep(status, msg)), nil
}

// statusStep is what a bare status stands for: the vendor's usual message under it.
func statusStep(status int, msg string) Step {
	switch {
	case msg != "":
		return Error(status, msg)
	case status >= 500:
		return ServerError(status)
	case status == 429:
		return RateLimited("")
	case status == 401:
		return Unauthorized()
	case status == 403:
		return Forbidden()
	case status == 404:
		return NotFound404()
	case status == 405:
		return Error(status, "Method Not Allowed")
	}
	return Error(status, "Error "+strconv.Itoa(status))
}
