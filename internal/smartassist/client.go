// Package smartassist asks Kore.ai SmartAssist's voicemail API for a call's recording and transcript. HTTP ends here: statuses, bodies and
// headers become a relay.Voicemail or a *relay.Trouble. What the API does is undocumented in parts; each reading says how sure it is.
package smartassist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"voicemail-relay/internal/relay"
)

// Config describes an account of the API.
type Config struct {
	BaseURL       string // scheme and host, such as https://smartassist.kore.ai
	Path          string // holds {botId}
	AppID         string
	Secret        string // or SecretFile; PEM for RS*
	SecretFile    string // read again when it changes
	Algorithm     string // HS256, HS512, RS256, RS512
	JTI           bool   // a fresh token with a jti for each request
	Transcription bool
	Timeout       time.Duration // of a request, its body included
	RetryFirst    time.Duration // before the first quick retry
	MaxConns      int           // connections that are kept
	Transport     http.RoundTripper
	Observe       func(result string, seconds float64) // told about each HTTP request; result is out of Results; may be nil
}

// Results lists what a request may come to, for metrics.
func Results() []string {
	return []string{"ready", "nothing_yet", "limited", "refused", "rejected", "error", "timeout", "unreachable", "unreadable", "redirected"}
}

// MaxBody is how much of an answer is read, in bytes after decompression: more is no voicemail.
const MaxBody = 4 << 20

// Client implements relay.Source. It may be used from many goroutines.
type Client struct {
	cfg    Config
	base   *url.URL
	head   string // of the path, before the bot's id
	tail   string
	http   *http.Client
	tokens *tokens
}

// New makes a client; the error names what is wrong, and never holds the secret.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("smartassist: BaseURL must be an http or https URL")
	}
	head, tail, ok := strings.Cut(cfg.Path, "{botId}")
	switch {
	case !ok:
		return nil, errors.New("smartassist: Path must hold {botId}")
	case cfg.AppID == "":
		return nil, errors.New("smartassist: AppID is missing")
	case cfg.Timeout <= 0:
		return nil, errors.New("smartassist: Timeout must be over 0")
	case cfg.RetryFirst <= 0:
		return nil, errors.New("smartassist: RetryFirst must be over 0")
	}
	tokens, err := newTokens(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Transport == nil {
		conns := max(cfg.MaxConns, 2)
		cfg.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ExpectContinueTimeout: time.Second,
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          conns, MaxIdleConnsPerHost: conns,
			IdleConnTimeout: 90 * time.Second,
		}
	}
	return &Client{cfg: cfg, base: base, head: strings.TrimSuffix(base.EscapedPath(), "/") + head, tail: tail, tokens: tokens,
		http: &http.Client{Transport: cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

const (
	maxRetries   = 2 // quick ones; anything longer is an appointment
	maxRedirects = 2
)

// Voicemail asks for a call's voicemail, as relay.Source says.
func (c *Client) Voicemail(ctx context.Context, call relay.Call, again func() bool) (relay.Voicemail, int, error) {
	quick := backoff.WithMaxRetries(backoff.NewExponentialBackOff(backoff.WithInitialInterval(c.cfg.RetryFirst)), maxRetries)
	target := c.target(call)
	for requests, redirects := 1, 0; ; requests++ {
		r := c.once(ctx, target)
		switch {
		case r.redirect != "" && redirects < maxRedirects && ctx.Err() == nil && again():
			target = r.redirect
			redirects++
			continue
		case r.redirect != "":
			r.err = &relay.Trouble{Result: "redirected", Status: r.status, Text: "the API redirects within its host, more than is followed; check smartassist.path"}
		case r.brief && ctx.Err() == nil:
			if wait := quick.NextBackOff(); wait != backoff.Stop && sleep(ctx, wait) == nil && again() {
				continue
			}
		}
		return r.voicemail, requests, r.err
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// target is the request's URL. The bot's id stands in the path: it has been checked, and is escaped all the same.
func (c *Client) target(call relay.Call) string {
	return c.base.Scheme + "://" + c.base.Host + c.head + url.PathEscape(call.Bot) + c.tail +
		"?sessionId=" + url.QueryEscape(call.Session) + "&transcription=" + strconv.FormatBool(c.cfg.Transcription)
}

// result is what one request came to.
type result struct {
	voicemail relay.Voicemail
	err       error
	status    int
	redirect  string // where else on the same host it is to be asked
	brief     bool   // a dropped connection or a 5xx blip: worth a quick retry
}

// once makes one request.
func (c *Client) once(ctx context.Context, target string) result {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	began := time.Now()
	r := c.do(ctx, target)
	if c.cfg.Observe != nil {
		c.cfg.Observe(label(r), time.Since(began).Seconds())
	}
	return r
}

func (c *Client) do(ctx context.Context, target string) result {
	token, err := c.tokens.get()
	if err != nil {
		return result{err: &relay.Trouble{Kind: relay.Refused, Result: "refused", Text: err.Error()}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil { // the text would print the URL
		return result{err: &relay.Trouble{Result: "error", Text: "the request's address cannot be made; check smartassist.base_url and smartassist.path"}}
	}
	// A body, if an empty one: net/http repeats requests without one by itself when a kept connection breaks, and each would cost budget
	// that nobody counted. Nothing of it goes over the wire.
	req.Body = io.NopCloser(strings.NewReader(""))
	req.Header.Set("auth", token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "voicemail-relay")
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // what is left of a small body: the connection can be used again
		_ = resp.Body.Close()
	}()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return redirected(req.URL, resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	switch {
	case err != nil && isTimeout(ctx, err):
		return c.unanswered(ctx, err)
	case err != nil:
		return result{status: resp.StatusCode, err: &relay.Trouble{Result: "unreadable", Status: resp.StatusCode, Text: fmt.Sprintf("HTTP %d with a body that was cut off", resp.StatusCode)}}
	case len(body) > MaxBody:
		return result{status: resp.StatusCode, err: &relay.Trouble{Result: "unreadable", Status: resp.StatusCode, Text: fmt.Sprintf("HTTP %d with a body of over 4 MiB", resp.StatusCode)}}
	}
	r := read(resp.StatusCode, resp.Header, body, time.Now())
	if r.err != nil && isRefused(r.err) {
		c.tokens.drop()
	}
	return r
}

// redirected decides where a redirect may be followed to: the same scheme, host and port, since the token goes along.
func redirected(from *url.URL, resp *http.Response) result {
	to, err := from.Parse(resp.Header.Get("Location"))
	moved := resp.StatusCode == 301 || resp.StatusCode == 302 || resp.StatusCode == 303 || resp.StatusCode == 307 || resp.StatusCode == 308
	if err == nil && moved && resp.Header.Get("Location") != "" && to.Scheme == from.Scheme && to.Host == from.Host {
		return result{status: resp.StatusCode, redirect: to.String()}
	}
	return result{status: resp.StatusCode, err: &relay.Trouble{Result: "redirected", Status: resp.StatusCode,
		Text: fmt.Sprintf("HTTP %d: the API redirects to another host, where the token is not sent; check smartassist.base_url", resp.StatusCode)}}
}

func label(r result) string {
	var t *relay.Trouble
	switch {
	case errors.As(r.err, &t):
		return t.Result
	case r.redirect != "":
		return "redirected"
	case len(r.voicemail.Recordings) > 0:
		return "ready"
	}
	return "nothing_yet"
}

func isRefused(err error) bool {
	var t *relay.Trouble
	return errors.As(err, &t) && t.Kind == relay.Refused
}
