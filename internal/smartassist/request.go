package smartassist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"voicemail-relay/internal/relay"
)

// MaxBody is how much of an answer is read, in bytes after decompression: more is no voicemail.
const MaxBody = 4 << 20

// result is what one request came to.
type result struct {
	voicemail relay.Voicemail
	err       *relay.Trouble
	status    int      // 0 without an answer
	redirect  *url.URL // where else on the same host it is to be asked
	brief     bool     // a dropped connection or a 5xx blip: worth a quick retry
	scope     bool     // of a refusal: for lack of the scope
}

// address is where a call is asked for. Its ids have been checked before, and are escaped all the same.
func (c *Client) address(call relay.Call) *url.URL {
	u := c.base
	u.RawPath = strings.Join(c.path, url.PathEscape(call.Bot))
	u.Path, _ = url.PathUnescape(u.RawPath) // New has tried it
	u.RawQuery = "sessionId=" + url.QueryEscape(call.Session) + "&transcription=" + strconv.FormatBool(c.cfg.Transcription)
	return &u
}

// once makes one HTTP request and reports it.
func (c *Client) once(ctx context.Context, u *url.URL) result {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	r := c.ask(limited, u)
	c.cfg.Observe(r.label(), time.Since(began).Seconds())
	return r
}

func (c *Client) ask(ctx context.Context, u *url.URL) result {
	token, err := c.tokens.get(time.Now())
	if err != nil {
		return result{err: &relay.Trouble{Kind: relay.Refused, Result: "refused", Text: err.Error()}}
	}
	// Not by http.Client: it would take a Location that it cannot parse for a failed request, and quote it.
	resp, err := c.cfg.Transport.RoundTrip(c.request(ctx, u, token))
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer resp.Body.Close()
	c.http1.Store(resp.ProtoMajor == 1)
	if resp.StatusCode < 200 { // the connection is to be another protocol's: its body ends with it, and no time-out of the request's ends a read
		return read(resp.StatusCode, resp.Header, nil, time.Now())
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // a small body: the connection can be used again
		return redirected(u, resp)
	}
	buf := c.buffer()
	defer c.keep(buf) // nothing of it is in use: what is wanted has been copied
	body, err := readBody(buf, resp)
	good := resp.StatusCode >= 200 && resp.StatusCode < 300
	switch {
	case errors.Is(err, errTooLarge):
		r := result{status: resp.StatusCode}
		r.err = r.trouble("unreadable", "a body of over 4 MiB")
		return r
	case err != nil && (good || errors.Is(ctx.Err(), context.Canceled)):
		return c.broken(ctx, resp.StatusCode, err)
	}
	r := read(resp.StatusCode, resp.Header, body, time.Now())
	if err != nil { // the status tells enough, and a cut body is not asked for again at once
		r.brief = false
	}
	if r.err != nil && r.err.Kind == relay.Refused {
		c.tokens.drop()
	}
	return r
}

func (c *Client) request(ctx context.Context, u *url.URL, token string) *http.Request {
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header(token)}
	if c.http1.Load() {
		// net/http repeats a GET by itself when a kept connection breaks, which would cost budget that nobody granted. It does not when
		// there is a body; an empty one leaves no trace on the wire, but by HTTP/2: there it repeats only what was never processed anyway.
		req.Body = io.NopCloser(strings.NewReader("")) // net/http knows this type, and does not send the header by itself
		req.TransferEncoding = identity                // or net/http looks by a goroutine of its own whether the body is empty
	}
	return req.WithContext(ctx)
}

var identity = []string{"identity"}

// header returns a request's, the same for all that bear one token: a http.RoundTripper must not change it.
func (c *Client) header(token string) http.Header {
	if last := c.bearing.Load(); last != nil && last.token == token {
		return last.header
	}
	h := http.Header{"Auth": {token}, "Accept": {"application/json"}, "User-Agent": {"voicemail-relay"}}
	c.bearing.Store(&bearing{token, h})
	return h
}

type bearing struct {
	token  string
	header http.Header
}

var errTooLarge = errors.New("body too large")

// readBody reads at most MaxBody; beside an error the body is incomplete, and nil.
func readBody(buf *bytes.Buffer, resp *http.Response) ([]byte, error) {
	buf.Reset()
	buf.Grow(int(min(max(resp.ContentLength, 2<<10), 64<<10)) + bytes.MinRead) // a sender may lie
	switch n, err := buf.ReadFrom(io.LimitReader(resp.Body, MaxBody+1)); {
	case err != nil:
		return nil, err
	case n > MaxBody:
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

// buffer returns one for an answer. A new one for each would be half of what a call gives the collector to do.
func (c *Client) buffer() *bytes.Buffer {
	if buf, ok := c.buffers.Get().(*bytes.Buffer); ok {
		return buf
	}
	return new(bytes.Buffer)
}

func (c *Client) keep(buf *bytes.Buffer) {
	if buf.Cap() <= 64<<10 {
		c.buffers.Put(buf)
	}
}

// redirected decides where a redirect may be followed to: the same scheme, host and port, since the token goes along.
func redirected(from *url.URL, resp *http.Response) result {
	r := result{status: resp.StatusCode}
	location := resp.Header.Get("Location")
	to, err := from.Parse(location)
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if location == "" || err != nil {
			r.err = r.trouble("error", "a redirect that does not say where to; check smartassist.base_url and smartassist.path")
		} else if to.Scheme != from.Scheme || !strings.EqualFold(to.Hostname(), from.Hostname()) || port(to) != port(from) {
			r.err = r.trouble("error", "the API redirects to another host; the token is not sent there: check smartassist.base_url")
		} else {
			to.User, to.Fragment, to.RawFragment, to.Host = nil, "", "", from.Host
			r.redirect = to
		}
	default:
		r.err = r.trouble("error", "neither an answer nor a redirect that can be followed; check smartassist.base_url and smartassist.path")
	}
	return r
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// trouble is a transient one, its text beginning with the status.
func (r result) trouble(label, text string) *relay.Trouble {
	return &relay.Trouble{Result: label, Status: r.status, Text: fmt.Sprintf("HTTP %d: %s", r.status, text)}
}

// label is the metric's: out of Results.
func (r result) label() string {
	switch {
	case r.err != nil:
		return r.err.Result
	case r.redirect != nil:
		return "redirected"
	case len(r.voicemail.Recordings) > 0:
		return "ready"
	}
	return "nothing_yet"
}
