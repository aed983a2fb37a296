package smartassist

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"voicemail-relay/internal/relay"
)

// unanswered puts a request that got no answer into words of our own: net/http's errors print the URL.
func (c *Client) unanswered(ctx context.Context, err error) result {
	if isTimeout(ctx, err) {
		return result{err: &relay.Trouble{Result: "timeout", Text: fmt.Sprintf("no answer within %s", c.cfg.Timeout)}}
	}
	text, brief := "the connection broke", true
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		text, brief = "the API's host name cannot be resolved; check smartassist.base_url and DNS", false
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		text, brief = "the API's TLS certificate is not trusted; check smartassist.base_url and the system's CA certificates", false
	case errors.As(err, &record):
		text, brief = "the API does not speak TLS; check smartassist.base_url", false
	case errors.Is(err, syscall.ECONNREFUSED):
		text = "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		text = "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		text, brief = "the API's host cannot be reached", false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "connection closed without an answer"
	}
	return result{brief: brief, err: &relay.Trouble{Result: "unreachable", Text: text}}
}

func isTimeout(ctx context.Context, err error) bool {
	var ne net.Error
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
