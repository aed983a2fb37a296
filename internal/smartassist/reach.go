package smartassist

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"voicemail-relay/internal/checkup"
)

// expiresSoon is how long before a certificate's end somebody is to be told. The API's is renewed by others, who are mostly late when it is this near.
const expiresSoon = 7 * 24 * time.Hour

// Reach goes the way to the API's host as far as one gets without a request: its name, TCP, TLS. Behind a proxy it goes to that.
func Reach(ctx context.Context, cfg Config) checkup.Finding {
	const check = "api"
	base, _, err := cfg.target()
	if err != nil {
		return checkup.Failure(check, "smartassist.base_url", strings.TrimPrefix(err.Error(), "smartassist: "), "correct smartassist.base_url and smartassist.path")
	}
	host := net.JoinHostPort(base.Hostname(), port(&base))
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	began := time.Now()
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &base}); err == nil && proxy != nil {
		at := net.JoinHostPort(proxy.Hostname(), port(proxy))
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err != nil {
			found, _ := split(err)
			return checkup.Failure(check, host, "the proxy "+at+": "+found, "check HTTPS_PROXY, or have NO_PROXY name the API's host")
		}
		_ = c.Close()
		return checkup.Good(check, host, "by the proxy %s, which answers; what is behind it shows in the request", at)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return unreached(host, err, cfg.Timeout)
	}
	defer func() { _ = c.Close() }()
	f := checkup.Good(check, host, "connected within %s", time.Since(began).Round(100*time.Microsecond))
	if base.Scheme == "http" {
		f.Found += ", without TLS on loopback"
		return f
	}
	t := tls.Client(c, &tls.Config{ServerName: base.Hostname(), MinVersion: tls.VersionTLS12})
	if err := t.HandshakeContext(ctx); err != nil {
		return unreached(host, err, cfg.Timeout)
	}
	state := t.ConnectionState()
	end := state.PeerCertificates[0].NotAfter
	f.Found = fmt.Sprintf("%s within %s, certificate until %s", tls.VersionName(state.Version), time.Since(began).Round(100*time.Microsecond), end.UTC().Format(time.DateOnly))
	if time.Until(end) < expiresSoon {
		f.Grade, f.Hint = checkup.Warn, "have whoever runs the API renew its certificate: after that date every request fails"
	}
	return f
}

func unreached(host string, err error, within time.Duration) checkup.Finding {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return checkup.Failure("api", host, "no connection within "+within.String(), "look for a firewall or a route between here and there, or set HTTPS_PROXY")
	}
	found, hint := split(err)
	return checkup.Failure("api", host, found, hint)
}

// split is why there is no connection, and what to do.
func split(err error) (found, hint string) {
	text, _ := cause(err)
	found, hint, _ = strings.Cut(text, "; ")
	if hint == "" {
		hint = "check smartassist.base_url, and whether the API is up"
	}
	return found, hint
}
