package smartassist

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 11, 22, 11, 24, 42, 0, time.UTC)

func msg(m string) string { return `{"errors":[{"msg":"` + m + `","code":4002}]}` }

func TestRead(t *testing.T) {
	const html = "<html>session not found</html>"
	for _, row := range []struct {
		name   string
		status int
		body   string
		want   string
		text   string // a part of the error's
	}{
		{"no content", 204, "", "nothing: no_content", ""},
		{"another success in JSON is a 200", 201, readyBody, "ready", ""},
		{"partial content in JSON too", 206, `{"status":"media_unavailable"}`, "nothing: media_unavailable", ""},
		{"a 200 without a body", 200, "", "transient: unreadable", "HTTP 200: a body that is not JSON"},
		{"a reset content, which is no 204", 205, "", "transient: unreadable", ""},
		{"null", 200, "null", "nothing: other", ""},
		{"a string", 200, `"success"`, "nothing: other", ""},
		{"an empty list", 200, " [] ", "nothing: other", ""},
		{"a number", 200, "1", "nothing: other", ""},
		{"true", 200, "true", "nothing: other", ""},
		{"a list of what is no answer", 200, `[null,"failed",{"status":"failed"}]`, "nothing: other", ""},
		{"a list with the answer in it", 200, `[{"status":"success"},` + readyBody + `,{}]`, "ready", ""},
		{"a list that is cut", 200, "[", "transient: unreadable", ""},
		{"a page", 200, html, "transient: unreadable", ""},
		{"spaces alone", 200, " \n", "transient: unreadable", ""},
		{"a link of spaces", 200, `{"status":"success","voicemail recording":[{"fileName":"a.wav","fileUrl":" \t\u00a0"}]}`, "nothing: success", ""},
		{"spaces round the object", 200, " \r\n\t" + readyBody + "\n ", "ready", ""},
		{"the sibling's final word in capitals", 200, `{"status":"FAILED"}`, "rejected: rejected", ""},

		{"a wrong token", 401, msg("Invalid JWT token"), "refused: refused",
			"HTTP 401 (code 4002): the account's credentials are refused; check smartassist.app_id, the secret and the scope 'SmartAssist Voicemail'"},
		{"a missing scope", 401, msg("Permission denied. Scope is incorrect!"), "refused: refused", ""},
		{"a 401 that speaks of the session", 401, msg("session not found"), "refused: refused", ""},
		{"a proxy's 403", 403, html, "refused: refused", "HTTP 403: the"},
		{"a 401 without a body", 401, "", "refused: refused", ""},

		{"a wrong method", 405, "", "rejected: rejected", ""},
		{"a precondition", 412, msg("x"), "rejected: rejected", ""},
		{"a validation", 422, msg("Validation errors"), "rejected: rejected", "HTTP 422 (code 4002): the API rejects"},
		{"an unknown stream", 400, msg("Invalid StreamId"), "rejected: rejected", ""},
		{"an unknown stream, spaced", 400, msg("invalid stream id: session"), "rejected: rejected", ""},
		{"an unknown stream in capitals", 400, msg("INVALID STREAM-ID"), "rejected: rejected", ""},
		{"an unknown stream under another status", 404, msg("Invalid StreamId"), "transient: error", ""},
		{"a word across two messages", 400, `{"errors":[{"msg":"Invalid"},{"msg":"StreamId"}]}`, "transient: error", ""},

		{"a session that is not there", 400, msg("Session 67aa not available"), "nothing: not_found", ""},
		{"a sessionId", 404, msg("unknown sessionId"), "nothing: not_found", ""},
		{"a request id", 400, msg("Invalid request ID"), "nothing: not_found", ""},
		{"a requestId", 400, msg("Invalid requestId"), "nothing: not_found", ""},
		{"something not found", 404, msg("Recording Not Found"), "nothing: not_found", ""},
		{"a 400 about something else", 400, msg("Bad Request"), "transient: error", "HTTP 400 (code 4002): an answer that is not understood"},
		{"a page that says not found", 404, html, "transient: error", "HTTP 404: an answer"},
		{"a 409 about the session", 409, msg("session not found"), "transient: error", ""},
		{"a 408", 408, msg("session not found"), "transient: error", ""},
		{"a 410", 410, "", "transient: error", ""},

		{"over the limit", 429, "", "limited: limited", ""},
		{"over the limit, told as a 400", 400, msg("You exceeded the per-minute Rate Limit of this session"), "limited: limited", ""},
		{"over the limit, without the word rate", 400, msg("You have exceeded the per-minute limit"), "limited: limited", ""},
		{"over the limit, without the hyphen", 403, msg("Per minute limit exceeded"), "limited: limited", ""},
		{"over the limit, told as a 401", 401, msg("Rate limit for this API has been reached"), "limited: limited", "HTTP 401 (code 4002): over the account's rate limit"},
		{"over the limit, told as a 405", 405, msg("rate-limit"), "limited: limited", ""},
		{"over the limit, told as a 422", 422, msg("RateLimit"), "limited: limited", ""},
		{"over the limit, told as a 403", 403, msg("Too many requests"), "limited: limited", ""},

		{"the API is in trouble", 500, msg("rate limit"), "transient: error", "HTTP 500: trouble at the API"},
		{"an unknown 5xx", 599, "", "transient: error", ""},
		{"a status beyond all", 999, "", "transient: error", ""},
		{"an early hint that was the end", 103, "", "transient: error", ""},

		{"an object of errors", 400, `{"errors":{"msg":"session","code":"E1"}}`, "nothing: not_found", ""},
		{"a string of errors", 400, `{"errors":"session"}`, "nothing: not_found", ""},
		{"a list of strings", 400, `{"errors":[null,7,"not found"]}`, "nothing: not_found", ""},
		{"a message on its own", 400, `{"message":"not found"}`, "nothing: not_found", ""},
		{"an error with a message", 400, `{"error":{"message":"not found"}}`, "nothing: not_found", ""},
		{"a code that is a string", 401, `{"errors":[{"msg":"x","code":"4002"}]}`, "refused: refused", "HTTP 401 (code 4002): "},
		{"a code on its own", 401, `{"code":"BAD_JWT"}`, "refused: refused", "HTTP 401 (code BAD_JWT): "},
		{"a code that is a sentence", 401, `{"code":"your token abc"}`, "refused: refused", "HTTP 401: "},
		{"a code that may be a telephone number", 401, `{"code":15550100}`, "refused: refused", "HTTP 401: "},
		{"errors of all types", 400, `{"errors":[[],{},{"msg":{},"code":[]},true],"msg":1,"error":[[{"msg":"session"}]]}`, "transient: error", "HTTP 400: "},
		{"a list of errors on its own", 400, `[{"msg":"session"}]`, "transient: error", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := read(row.status, http.Header{}, []byte(row.body), testNow)
			if got := r.told(); got != row.want {
				t.Fatalf("got %s, want %s", got, row.want)
			}
			if r.err != nil && (!strings.Contains(r.err.Text, row.text) || r.err.Status != row.status) {
				t.Errorf("got %q with status %d, want %q with status %d", r.err.Text, r.err.Status, row.text, row.status)
			}
		})
	}
}

// told is for tests: a nil *Trouble is no error.
func (r result) told() string {
	if r.err == nil {
		return told(r.voicemail, nil)
	}
	return told(r.voicemail, r.err)
}

func TestReadRetryAfter(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		body   string
		header string
		want   time.Duration
		brief  bool
	}{
		{"a 429 says when", 429, "", "7", 7 * time.Second, false},
		{"a 429 gives a date", 429, "", testNow.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second, false},
		{"a 429 says nothing", 429, "", "", 0, false},
		{"a 503 says when", 503, "", "7", 7 * time.Second, false},
		{"a 503 says nothing", 503, "", "", 0, true},
		{"a 503 talks nonsense", 503, "", "soon", 0, true},
		{"a rate limit under another status says when", 400, msg("rate limit"), "7", 7 * time.Second, false},
		{"a 500 says when, which is not obeyed for the account", 500, "", "7", 0, false},
		{"a 502 says nothing", 502, "", "", 0, true},
		{"a 504 says nothing", 504, "", "", 0, true},
		{"a 501 is no blip", 501, "", "", 0, false},
		{"a 401 says when, which means nothing", 401, "", "7", 0, false},
		{"a session that is not there is no blip", 404, msg("session"), "7", 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := read(row.status, http.Header{"Retry-After": {row.header}}, []byte(row.body), testNow)
			var got time.Duration
			if r.err != nil {
				got = r.err.RetryAfter
			}
			if got != row.want || r.brief != row.brief {
				t.Errorf("got %v, quick retry %v, want %v, %v", got, r.brief, row.want, row.brief)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		value string
		want  time.Duration
	}{
		{"0", 0}, {"1", time.Second}, {" 30 ", 30 * time.Second}, {"007", 7 * time.Second}, {"1.5", 1500 * time.Millisecond}, {".5", 500 * time.Millisecond},
		{"3600", time.Hour}, {"3601", time.Hour}, {strings.Repeat("9", 400), time.Hour},
		{"-1", 0}, {"+5", 0}, {"1e3", 0}, {"0x1p4", 0}, {"Inf", 0}, {"NaN", 0}, {"1,5", 0}, {"1.2.3", 0}, {".", 0}, {"", 0}, {"soon", 0}, {"10s", 0}, {"٣", 0},
		{testNow.Add(time.Minute).Format(http.TimeFormat), time.Minute},
		{testNow.Add(time.Minute).Format(time.RFC850), time.Minute},
		{testNow.Add(time.Minute).Format(time.ANSIC), time.Minute},
		{testNow.Add(-time.Minute).Format(http.TimeFormat), 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", time.Hour},
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0},
	} {
		if got := retryAfter(row.value, testNow); got != row.want {
			t.Errorf("%.40q: got %v, want %v", row.value, got, row.want)
		}
	}
}
