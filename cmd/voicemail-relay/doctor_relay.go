package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"voicemail-relay/internal/checkup"
)

// relay asks the relay at http.addr, if one runs here, how it is.
func (d *doctor) relay(ctx context.Context) {
	const check = "relay"
	host, port, err := net.SplitHostPort(d.s.HTTP.Addr)
	if err != nil || port == "0" {
		d.tell(checkup.Skipped(check, "http.addr "+d.s.HTTP.Addr, "no address at which a running relay could be asked"))
		return
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	base := "http://" + net.JoinHostPort(host, port)
	of := "the relay at " + base
	status, body, err := fetched(ctx, base+"/readyz")
	body = strings.TrimSpace(body)
	switch {
	case err != nil:
		d.tell(checkup.Skipped(check, of, "none answers: it does not run, or elsewhere"))
		return
	case status == http.StatusServiceUnavailable && strings.HasPrefix(body, "not ready: "):
		d.tell(checkup.Failure(check, of, plainLine(body), "look at its log, which says more"))
	case status == http.StatusOK && body == "ready":
		d.tell(checkup.Good(check, of, "ready"))
	default:
		d.tell(checkup.Skipped(check, of, "something else answers there"))
		return
	}
	_, metrics, err := fetched(ctx, base+"/metrics")
	if err != nil {
		return
	}
	for _, m := range closed.FindAllStringSubmatch(metrics, -1) {
		of := "account " + m[1] + " of " + of
		switch m[2] {
		case "refused":
			d.tell(checkup.Failure(check, of, "the API refuses its credentials: its calls wait", "check the account's app_id and app_secret, its scope 'SmartAssist Voicemail' and that the app is published"))
		case "down":
			d.tell(checkup.Failure(check, of, "the API is in trouble with one call after the other: its calls wait", "check the account's base_url, the network and the API's status"))
		case "paused":
			d.tell(checkup.Warning(check, of, "the API wants nothing for a while: its calls wait", "if it happens often, look who else spends the account's budget, and lower rate_limit"))
		}
	}
}

// closed finds the accounts that are not open among the metrics.
var closed = regexp.MustCompile(`(?m)^voicemail_relay_account_state\{account="([^"\\]*)",state="(paused|refused|down)"\} 1$`)

// fetched gets a small text.
func fetched(ctx context.Context, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, string(b), err
}

// plainLine is what another program said, as one line of bounded length.
func plainLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
