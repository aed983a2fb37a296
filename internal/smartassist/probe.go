package smartassist

import (
	"context"
	"net/http"
	"time"

	"voicemail-relay/internal/relay"
)

// A Probe is what one request told about an account.
type Probe struct {
	Err    *relay.Trouble // nil: a good answer
	Scope  bool           // of a refusal: the credentials are good, and may not ask for voicemails
	Status int            // 0: no answer
	Took   time.Duration
	Date   time.Time // the API's clock, to the second, by its Date header; zero: it told none
	At     time.Time // this machine's clock when the headers came
}

// Ask makes one request as Voicemail does, without retries and without following a redirect.
func Ask(ctx context.Context, cfg Config, call relay.Call) (Probe, error) {
	if cfg.Transport == nil {
		t := newTransport(cfg)
		defer t.CloseIdleConnections()
		cfg.Transport = t
	}
	w := &witness{next: cfg.Transport}
	cfg.Transport = w
	c, err := New(cfg)
	if err != nil {
		return Probe{}, err
	}
	began := time.Now()
	r := c.once(ctx, c.address(call))
	p := Probe{Err: r.err, Scope: r.scope, Status: r.status, Took: time.Since(began), Date: w.date, At: w.at}
	if r.redirect != nil {
		p.Err = r.trouble("error", "a redirect within the API's host costs each call a second request; write smartassist.base_url and smartassist.path as it says")
	}
	return p, nil
}

// A witness reads the Date of one answer.
type witness struct {
	next     http.RoundTripper
	date, at time.Time
}

func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err == nil {
		w.at = time.Now()
		w.date, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	return resp, err
}
