package smartassist

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"voicemail-relay/internal/relay"
)

// unanswered puts a request that got no answer into words of our own: net/http's errors quote URLs, headers and what the other side sent.
func (c *Client) unanswered(ctx context.Context, err error) result {
	if t := c.ended(ctx, err); t != nil {
		return result{err: t}
	}
	text, brief := cause(err)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		text = "the proxy: " + text + "; check HTTPS_PROXY"
	}
	return result{brief: brief, err: &relay.Trouble{Result: "unreachable", Text: text}}
}

// broken is an answer whose body did not come to its end.
func (c *Client) broken(ctx context.Context, status int, err error) result {
	r := result{status: status}
	if r.err = c.ended(ctx, err); r.err != nil {
		r.err.Status = status
		return r
	}
	r.err = r.trouble("unreadable", "a body that was cut off")
	return r
}

// ended says whether the time was up, or the request called off; nil when neither.
func (c *Client) ended(ctx context.Context, err error) *relay.Trouble {
	var ne net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &relay.Trouble{Result: "cancelled", Text: "the request was called off"}
	case ctx.Err() != nil, errors.As(err, &ne) && ne.Timeout():
		return &relay.Trouble{Result: "timeout", Text: fmt.Sprintf("time-out after %s", c.cfg.Timeout)}
	}
	return nil
}

// dropped are net/http's words for a connection that broke before an answer, where it has no error to compare with. They are never printed.
var dropped = [...]string{"server closed idle connection", "http2: client connection lost", "http2: server sent GOAWAY", "http2: client connection force closed",
	"stream error:"}

// cause is why there is no answer, and whether it is a blip.
func cause(err error) (text string, brief bool) {
	var (
		dns    *net.DNSError
		ca     x509.UnknownAuthorityError
		host   x509.HostnameError
		cert   x509.CertificateInvalidError
		verify *tls.CertificateVerificationError
		alert  tls.AlertError
		plain  tls.RecordHeaderError
	)
	const trust = "; check smartassist.base_url and the system's CA certificates"
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host; check smartassist.base_url", false
	case errors.As(err, &dns):
		return "the host's name cannot be resolved; check smartassist.base_url and DNS", false
	case errors.As(err, &ca):
		return "TLS: certificate signed by an unknown authority" + trust, false
	case errors.As(err, &host):
		return "TLS: certificate is for another host" + trust, false
	case errors.As(err, &cert) && cert.Reason == x509.Expired:
		return "TLS: certificate has expired or is not yet valid; check this machine's clock too", false
	case errors.As(err, &cert), errors.As(err, &verify):
		return "TLS: certificate is not trusted" + trust, false
	case errors.As(err, &alert):
		return "TLS: handshake refused; check smartassist.base_url", false
	case errors.As(err, &plain):
		return "TLS: the other side does not speak it; check smartassist.base_url", false
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "connection reset", true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "host unreachable", false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return "connection closed without an answer", true
	}
	for _, words := range dropped {
		if strings.Contains(err.Error(), words) {
			return "connection closed without an answer", true
		}
	}
	return "no answer that HTTP understands; check smartassist.base_url", false
}
