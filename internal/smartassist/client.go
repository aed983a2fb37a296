// Package smartassist asks Kore.ai SmartAssist's voicemail API for a call's recording and transcript. HTTP ends here: statuses, bodies and
// headers become a relay.Voicemail or a *relay.Trouble. What the API does is undocumented in parts; each reading says how sure it is.
package smartassist

import (
	"context"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"voicemail-relay/internal/relay"
)

// Results lists what a request may come to, for metrics: each call of Config.Observe gets one of them.
func Results() []string {
	return []string{"ready", "nothing_yet", "limited", "refused", "rejected", "error", "timeout", "unreachable", "unreadable", "redirected", "cancelled"}
}

// Client implements relay.Source. It may be used from many goroutines, and has none of its own.
type Client struct {
	cfg    Config
	base   url.URL  // scheme and host
	path   []string // escaped; the bot's id belongs between the parts
	tokens *tokens
	// http1 says that the latest answer came by HTTP/1: see (*Client).request.
	http1   atomic.Bool
	bearing atomic.Pointer[bearing] // the latest token's header
	buffers sync.Pool
}

// New makes a client. The error names what is wrong in the Config, and never holds the secret.
func New(cfg Config) (*Client, error) {
	base, path, err := cfg.target()
	if err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	tokens, err := newTokens(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport(cfg)
	}
	if cfg.Wrap != nil {
		cfg.Transport = cfg.Wrap(cfg.Transport)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, float64) {}
	}
	return &Client{cfg: cfg, base: base, path: path, tokens: tokens}, nil
}

// Renew reads the account's secret anew, from one of the two places where it is now (see Config). Nothing changes before put is called; that
// says whether it is another secret.
func (c *Client) Renew(secret, file string) (put func() (changed bool), err error) {
	cfg := c.cfg
	cfg.Secret, cfg.SecretFile = secret, file
	s, err := newSecret(cfg, c.tokens.method)
	if err != nil {
		return nil, err
	}
	return func() bool { return c.tokens.renew(s) }, nil
}

// Close closes idle connections. Requests under way are not touched.
func (c *Client) Close() {
	if t, ok := c.cfg.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// How often one question is asked at most within a delivery; anything longer is an appointment.
const (
	maxRetries   = 2
	maxRedirects = 2
)

// Voicemail asks for a call's voicemail, as relay.Source says. A nil error is a good answer, 'nothing yet' included; every other error is a
// *relay.Trouble.
func (c *Client) Voicemail(ctx context.Context, call relay.Call, again func(ctx context.Context, wait time.Duration) bool) (relay.Voicemail, int, error) {
	var waits backoff.BackOff // made when it is needed, which is seldom
	target := c.address(call)
	for requests, redirects := 1, 0; ; requests++ {
		r := c.once(ctx, target)
		switch {
		case r.redirect != nil && redirects < maxRedirects:
			if ctx.Err() == nil && again(ctx, 0) {
				target = r.redirect
				redirects++
				continue
			}
			r.err = r.trouble("error", "a redirect within the API's host, and no budget to follow it now")
		case r.redirect != nil:
			r.err = r.trouble("error", "the API redirects within its host over and over; check smartassist.base_url and smartassist.path")
		case r.brief && ctx.Err() == nil:
			if waits == nil {
				waits = backoff.WithMaxRetries(backoff.NewExponentialBackOff(backoff.WithInitialInterval(c.cfg.RetryFirst)), maxRetries)
			}
			if wait := waits.NextBackOff(); wait != backoff.Stop && again(ctx, wait) {
				continue
			}
		}
		if r.err != nil {
			return relay.Voicemail{}, requests, r.err
		}
		return r.voicemail, requests, nil
	}
}

var _ relay.Source = (*Client)(nil)
