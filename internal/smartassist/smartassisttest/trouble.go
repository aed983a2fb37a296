package smartassisttest

import (
	"net/http"
	"strconv"
)

// failure is the vendor's body for errors: {"errors":[{"msg":"…","code":4002}]}; the code is a number or a string.
type failure struct {
	Errors []failureEntry `json:"errors"`
}

type failureEntry struct {
	Msg  string `json:"msg"`
	Code any    `json:"code"`
}

func writeError(w http.ResponseWriter, status int, code any, msg string) {
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodGet)
	}
	writeJSON(w, status, failure{[]failureEntry{{msg, code}}})
}

// codeOf is the code in a body: 4002 for credentials and scopes, else the status again.
func codeOf(status int) int {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return 4002
	}
	return status
}

// Error is the vendor's body for errors under a status; the code is a number.
func Error(status int, msg string) Step {
	return Step{strconv.Itoa(status), func(p play) { writeError(p.w, status, codeOf(status), msg) }}
}

// ErrorStringCode is Error with the code as a string: both are seen.
func ErrorStringCode(status int, msg string) Step {
	return Step{"string_code:" + strconv.Itoa(status), func(p play) { writeError(p.w, status, strconv.Itoa(codeOf(status)), msg) }}
}

// InvalidStream is the final no to a bot's id: 400 Invalid StreamId.
func InvalidStream() Step {
	return named("invalid_stream", Error(http.StatusBadRequest, "Invalid StreamId"))
}

// Unauthorized refuses the client's credentials: 401.
func Unauthorized() Step {
	return named("unauthorized", Error(http.StatusUnauthorized, "Invalid SDK credentials"))
}

// Forbidden refuses the app's scope under 403. The vendor documents 401 for it: that is Error(401, "Permission denied. …").
func Forbidden() Step {
	return named("forbidden", Error(http.StatusForbidden, "Permission denied. Scope is incorrect!"))
}

// RateLimited is a 429. Retry-After is written as it is given, seconds or a date, and left out when empty: the vendor documents none.
func RateLimited(retryAfter string) Step {
	return withRetryAfter(retryAfter, Error(http.StatusTooManyRequests, "You have exceeded the per-minute rate limit"))
}

// RateLimitText is a rate limit told by the message alone, under another 4xx.
func RateLimitText(status int) Step {
	return named("rate_limit_text:"+strconv.Itoa(status), Error(status, "Rate limit for this API has been reached"))
}

// ServerError is a 5xx.
func ServerError(status int) Step { return Error(status, "Internal Server Error") }

// ServerErrorRetryAfter is a 5xx with Retry-After, written as it is given.
func ServerErrorRetryAfter(status int, retryAfter string) Step {
	return withRetryAfter(retryAfter, ServerError(status))
}

func withRetryAfter(value string, then Step) Step {
	if value == "" {
		return then
	}
	return Step{then.Name + "/" + value, func(p play) {
		p.w.Header().Set("Retry-After", value)
		then.run(p)
	}}
}

// HTML is a proxy's page where JSON should be.
func HTML(status int) Step {
	return named("html:"+strconv.Itoa(status), Raw(status, http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		[]byte("<!doctype html>\n<html><head><title>Gateway</title></head><body><h1>One moment</h1><p>Please come back later.</p></body></html>\n")))
}

// Redirect sends the client elsewhere: 302.
func Redirect(to string) Step {
	return named("redirect", Raw(http.StatusFound, http.Header{"Location": {to}}, nil))
}
