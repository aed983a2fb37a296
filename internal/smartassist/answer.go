package smartassist

import (
	"fmt"
	"net/http"
	"time"

	"voicemail-relay/internal/relay"
)

// read translates an answer. The vendor's page documents success alone; the rest is read as the sibling recording API documents it, and as the
// table of errors of its pages has it.
func read(status int, h http.Header, body []byte, now time.Time) result {
	switch {
	case status == http.StatusNoContent:
		return result{status: status, voicemail: relay.Voicemail{Status: "no_content"}}
	case status >= 200 && status < 300:
		return readGood(status, body)
	case status >= 400 && status < 500:
		return readMistake(status, h, body, now)
	}
	r := result{status: status}
	if status < 500 {
		r.err = r.trouble("error", "neither an answer nor an error; check smartassist.base_url and smartassist.path")
		return r
	}
	r.err = r.trouble("error", "trouble at the API")
	wait := retryAfter(h.Get("Retry-After"), now)
	switch status {
	case http.StatusServiceUnavailable:
		r.err.RetryAfter = wait
		r.brief = wait == 0
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		r.brief = wait == 0 // who names a time is not to be asked before it
	}
	return r
}

// readGood reads a 2xx. 'Nothing yet' is the common answer.
func readGood(status int, body []byte) result {
	r := result{status: status}
	v, word, ok := decode(body)
	switch {
	case !ok:
		r.err = r.trouble("unreadable", "a body that is not JSON; check smartassist.base_url and smartassist.path")
	case word == "failed" && len(v.Recordings) == 0:
		r.err = r.trouble("rejected", "the API says that the voicemail failed for good")
		r.err.Kind = relay.Rejected
	default:
		r.voicemail = v
	}
	return r
}

// readMistake reads a 4xx. Not every one is final: a session may be unknown because it is too early, and wrong credentials are the operator's
// matter, never the call's.
func readMistake(status int, h http.Header, body []byte, now time.Time) result {
	c := readComplaint(body)
	r := result{status: status}
	say := func(kind relay.TroubleKind, label, text string) result {
		code := ""
		if c.code != "" {
			code = " (code " + c.code + ")"
		}
		r.err = &relay.Trouble{Kind: kind, Result: label, Status: status, Text: fmt.Sprintf("HTTP %d%s: %s", status, code, text)}
		return r
	}
	switch {
	case status == http.StatusTooManyRequests, c.says("rate limit", "rate-limit", "ratelimit", "per-minute", "per minute limit", "too many requests"):
		r = say(relay.Limited, "limited", "over the account's rate limit; check smartassist.rate_limit and who else uses the account")
		r.err.RetryAfter = retryAfter(h.Get("Retry-After"), now)
		return r
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && (c.says("scope", "permission") || status == http.StatusForbidden):
		// The vendor answers 401 with 'Permission denied. Scope is incorrect!' [D]; who is forbidden is known [I].
		r = say(relay.Refused, "refused", "the account's credentials are good, but may not ask for voicemails; give the app the scope 'SmartAssist Voicemail' and publish it")
		r.scope = true
		return r
	case status == http.StatusUnauthorized:
		return say(relay.Refused, "refused", "the account's credentials are refused; check smartassist.app_id, the secret and the scope 'SmartAssist Voicemail'")
	case status == http.StatusMethodNotAllowed, status == http.StatusPreconditionFailed, status == http.StatusUnprocessableEntity:
		return say(relay.Rejected, "rejected", "the API rejects the request for good; check smartassist.path")
	case status == http.StatusBadRequest && c.saysTight("invalidstreamid"):
		return say(relay.Rejected, "rejected", "the API does not know the bot's id; check the call's botId and the account that serves it")
	case (status == http.StatusBadRequest || status == http.StatusNotFound) && (c.says("session", "not found") || c.saysTight("requestid")):
		r.voicemail = relay.Voicemail{Status: "not_found"}
		return r
	}
	return say(relay.Transient, "error", "an answer that is not understood; check smartassist.base_url and smartassist.path")
}
