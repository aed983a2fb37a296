package smartassist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"voicemail-relay/internal/relay"
)

// read translates an answer. The page documents success alone; the rest is read as the sibling recording API documents it, and as the
// error table of its pages has it.
func read(status int, h http.Header, body []byte, now time.Time) result {
	switch {
	case status == http.StatusNoContent:
		return result{status: status, voicemail: relay.Voicemail{Status: "no_content"}}
	case status >= 200 && status < 300:
		return readGood(status, body)
	}
	t := &relay.Trouble{Result: "error", Status: status, Text: fmt.Sprintf("HTTP %d", status)}
	r := result{status: status, err: t}
	if status >= 500 {
		t.Text += ": trouble at the API"
		if status == http.StatusServiceUnavailable {
			t.RetryAfter = retryAfter(h.Get("Retry-After"), now)
		}
		r.brief = t.RetryAfter == 0 && (status == 500 || status == 502 || status == 503 || status == 504)
		return r
	}
	msg, code := readError(body)
	if code != "" {
		t.Text += " (code " + code + ")"
	}
	switch {
	case status == http.StatusTooManyRequests, speaksOf(msg, "rate limit", "rate-limit", "ratelimit", "too many requests"):
		t.Result = "limited"
		t.RetryAfter = retryAfter(h.Get("Retry-After"), now)
		t.Text += ": over the account's rate limit"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		t.Kind, t.Result = relay.Refused, "refused"
		t.Text += ": the account's credentials are refused; check app_id, the secret and the scope 'SmartAssist Voicemail'"
	case status == http.StatusMethodNotAllowed, status == http.StatusPreconditionFailed, status == http.StatusUnprocessableEntity:
		t.Kind, t.Result = relay.Rejected, "rejected"
		t.Text += ": the API rejects the request for good; check smartassist.path"
	case status == http.StatusBadRequest && speaksOf(strings.ReplaceAll(msg, " ", ""), "invalidstreamid"):
		t.Kind, t.Result = relay.Rejected, "rejected"
		t.Text += ": the API does not know the bot's id"
	case (status == http.StatusBadRequest || status == http.StatusNotFound) && speaksOf(msg, "session", "request id", "requestid", "not found"):
		return result{status: status, voicemail: relay.Voicemail{Status: "not_found"}}
	}
	return r
}

// readGood reads a 2xx.
func readGood(status int, body []byte) result {
	a, err := decode(body)
	if err != nil {
		return result{status: status, err: &relay.Trouble{Result: "unreadable", Status: status, Text: fmt.Sprintf("HTTP %d with a body that is not a JSON object", status)}}
	}
	if strings.EqualFold(string(a.Status), "failed") && len(a.recordings()) == 0 {
		return result{status: status, err: &relay.Trouble{Kind: relay.Rejected, Result: "rejected", Status: status, Text: "the API says that the voicemail failed for good"}}
	}
	return result{status: status, voicemail: a.voicemail()}
}

// speaksOf says whether a message holds one of the words, whatever its case.
func speaksOf(msg string, words ...string) bool {
	msg = strings.ToLower(msg)
	for _, w := range words {
		if strings.Contains(msg, w) {
			return true
		}
	}
	return false
}

var plainCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

// readError reads {"errors":[{"msg":"…","code":4002}]}, whose code is a number or a string, and what comes near it. The message is for
// classifying alone: it may hold anything.
func readError(body []byte) (msg, code string) {
	type entry struct {
		Msg     lenient `json:"msg"`
		Message lenient `json:"message"`
		Code    lenient `json:"code"`
	}
	var top struct {
		entry
		Errors json.RawMessage `json:"errors"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &top) != nil {
		return "", ""
	}
	entries := []entry{top.entry}
	for _, raw := range []json.RawMessage{top.Errors, top.Error} {
		var list []entry
		var one entry
		var text string
		switch {
		case len(raw) == 0:
		case json.Unmarshal(raw, &list) == nil:
			entries = append(entries, list...)
		case json.Unmarshal(raw, &one) == nil:
			entries = append(entries, one)
		case json.Unmarshal(raw, &text) == nil:
			entries = append(entries, entry{Msg: lenient(text)})
		}
	}
	var all []string
	for _, e := range entries {
		all = append(all, string(e.Msg), string(e.Message))
		if code == "" && plainCode.MatchString(string(e.Code)) {
			code = string(e.Code)
		}
	}
	return strings.TrimSpace(strings.Join(all, " ")), code
}

// lenient is a string out of JSON that takes a number too, and is empty for anything else: astray types never make an answer unreadable.
type lenient string

// UnmarshalJSON never fails.
func (l *lenient) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	var s string
	switch {
	case len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil:
		*l = lenient(s)
	case len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9'):
		*l = lenient(b)
	default:
		*l = ""
	}
	return nil
}
