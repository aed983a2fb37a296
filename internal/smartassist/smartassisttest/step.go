package smartassisttest

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Step answers one request.
type Step struct {
	Name string
	play func(play)
}

// play is one request being answered.
type play struct {
	server       *Server
	w            http.ResponseWriter
	r            *http.Request
	bot, session string
}

func (p play) wantsText() bool { return p.r.URL.Query().Get("transcription") == "true" }

// Repeat is a step n times.
func Repeat(n int, s Step) []Step {
	steps := make([]Step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

// Raw answers with a status, headers and a body as they are.
func Raw(status int, h http.Header, body []byte) Step {
	return Step{fmt.Sprintf("raw %d", status), func(p play) {
		for k, vs := range h {
			p.w.Header()[k] = vs
		}
		p.w.WriteHeader(status)
		_, _ = p.w.Write(body)
	}}
}

// Status is a JSON 200 with that status and nothing else: call_in_progress, media_in_progress, media_unavailable, or any.
func Status(status string) Step {
	return Step{"status " + status, func(p play) { writeJSON(p.w, http.StatusOK, map[string]any{"status": status}) }}
}

// InProgress, MediaInProgress, Unavailable and Failed are the statuses that the sibling recording API documents.
func InProgress() Step { return Status("call_in_progress") }

// MediaInProgress says that the call was hung up and its media is not made yet.
func MediaInProgress() Step { return Status("media_in_progress") }

// Unavailable says that there is no media: never recorded, or deleted.
func Unavailable() Step { return Status("media_unavailable") }

// Failed is the permanent failure.
func Failed() Step { return Status("failed") }

// NotYet is a success with empty lists.
func NotYet() Step {
	return Step{"not_yet", func(p play) {
		writeJSON(p.w, http.StatusOK, map[string]any{"status": "success", "voicemail recording": []any{}, "transcriptions": []any{}})
	}}
}

// NoContent is a 204.
func NoContent() Step { return Raw(http.StatusNoContent, nil, nil) }

// Error is the vendor's body for errors, the code a number.
func Error(status int, msg string) Step {
	code := status
	if status == http.StatusUnauthorized {
		code = 4002
	}
	return Step{fmt.Sprintf("error %d", status), func(p play) { writeError(p.w, status, code, msg) }}
}

// ErrorStringCode is the same with the code as a string.
func ErrorStringCode(status int, msg string) Step {
	return Step{fmt.Sprintf("error %d", status), func(p play) { writeError(p.w, status, strconv.Itoa(status), msg) }}
}

// SessionNotFound is a 400 that names the session: it may mean 'not yet'.
func SessionNotFound() Step {
	return Step{"session not found", func(p play) { writeError(p.w, 400, 400, "Session "+p.session+" not found") }}
}

// NotFound404 is a 404 that says so in JSON.
func NotFound404() Step { return Error(http.StatusNotFound, "Resource not found") }

// InvalidStream is the final no to a bot's id.
func InvalidStream() Step { return Error(http.StatusBadRequest, "Invalid StreamId") }

// Unauthorized refuses the credentials.
func Unauthorized() Step { return Error(http.StatusUnauthorized, "Invalid SDK credentials") }

// Forbidden refuses them with a 403.
func Forbidden() Step { return Error(http.StatusForbidden, "Permission denied. Scope is incorrect!") }

// RateLimited is a 429; a Retry-After is written as it is given.
func RateLimited(retryAfter string) Step {
	return Step{"rate limited", func(p play) {
		if retryAfter != "" {
			p.w.Header().Set("Retry-After", retryAfter)
		}
		writeError(p.w, http.StatusTooManyRequests, 429, "You have exceeded the per-minute rate limit")
	}}
}

// RateLimitText is a rate limit under another 4xx.
func RateLimitText(status int) Step { return Error(status, "Rate limit for this API has been reached") }

// ServerError is a 5xx.
func ServerError(status int) Step { return Error(status, "Internal Server Error") }

// ServerErrorRetryAfter is a 5xx with a Retry-After.
func ServerErrorRetryAfter(status int, retryAfter string) Step {
	return Step{fmt.Sprintf("error %d", status), func(p play) {
		p.w.Header().Set("Retry-After", retryAfter)
		writeError(p.w, status, status, "Service Unavailable")
	}}
}

// HTML is a proxy's page.
func HTML(status int) Step {
	return Raw(status, http.Header{"Content-Type": {"text/html"}}, []byte("<!doctype html><title>Gateway</title><p>Please come back later.</p>"))
}

// Redirect sends the client elsewhere.
func Redirect(to string) Step { return Raw(http.StatusFound, http.Header{"Location": {to}}, nil) }

// Slow waits before another step.
func Slow(d time.Duration, then Step) Step {
	return Step{"slow " + then.Name, func(p play) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			then.play(p)
		case <-p.r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// Hang answers nothing until the client goes away.
func Hang() Step {
	return Step{"hang", func(p play) {
		<-p.r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// Cut drops the connection in the middle of a body.
func Cut() Step {
	return Step{"cut", func(p play) {
		p.w.Header().Set("Content-Length", "4096")
		p.w.WriteHeader(http.StatusOK)
		_, _ = p.w.Write([]byte(`{"status":"success","voicemail recording":[{"fileN`))
		_ = http.NewResponseController(p.w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Reset drops the connection without an answer.
func Reset() Step { return Step{"reset", func(play) { panic(http.ErrAbortHandler) }} }

// Garbage is a 200 that is no JSON.
func Garbage() Step {
	return Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, []byte("\x00\x01 not JSON"))
}

// Truncated is a 200 whose JSON ends in the middle.
func Truncated() Step {
	return Raw(http.StatusOK, nil, []byte(`{"status":"success","voicemail recording":[{"fileName":"voice`))
}

// huge is a body of over 4 MiB that would be a voicemail.
func huge() []byte {
	return []byte(`{"status":"success","padding":"` + strings.Repeat("x", 4<<20) + `","voicemail recording":[{"fileName":"a.wav","fileUrl":"https://media.example.com/a.wav"}]}`)
}

// Huge is a body of over 4 MiB.
func Huge() Step {
	return Step{"huge", func(p play) { Raw(http.StatusOK, nil, huge()).play(p) }}
}

// HugeGzip is small on the wire, and over 4 MiB when it is decompressed.
func HugeGzip() Step {
	return Step{"huge gzip", func(p play) {
		p.w.Header().Set("Content-Encoding", "gzip")
		p.w.WriteHeader(http.StatusOK)
		z := gzip.NewWriter(p.w)
		_, _ = z.Write(huge())
		_ = z.Close()
	}}
}
