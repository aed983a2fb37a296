package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/checkup"
)

// expiresSoon is how long before a certificate's end somebody is to be told.
const expiresSoon = 14 * 24 * time.Hour

// Reach tries each server of a Dialing by itself: its name, TCP, TLS and credentials. It returns a connection to the first that lets it in, nil
// when none does, and what it found at each. A server that is out of reach is a failure when all are, and a warning else.
func Reach(ctx context.Context, d Dialing) (*nats.Conn, []checkup.Finding) {
	var nc *nats.Conn
	var found []checkup.Finding
	for text := range strings.SplitSeq(d.URL, ",") {
		one := d
		one.URL, one.Wait = strings.TrimSpace(text), false
		c, f := reach(ctx, one)
		found = append(found, f)
		if c == nil {
			continue
		}
		found = append(found, version(c))
		if nc != nil {
			c.Close()
			continue
		}
		nc = c
	}
	for i := range found {
		if nc != nil && found[i].Check == "nats" && found[i].Grade == checkup.Fail {
			found[i].Grade = checkup.Warn
		}
	}
	return nc, found
}

// version looks whether a server is one that fires appointments.
func version(nc *nats.Conn) checkup.Finding {
	const check = "version"
	of, v := "server "+nc.ConnectedServerName(), nc.ConnectedServerVersion()
	if checkVersion(v) != nil {
		return checkup.Failure(check, of, "NATS "+v+" is too old: it accepts the relay's appointments and never fires them", "run nats-server 2.12 or later on every node")
	}
	return checkup.Good(check, of, "NATS %s, 2.12 or later", v)
}

// reach tries one server. It names host and port alone: a URL may hold a password.
func reach(ctx context.Context, d Dialing) (*nats.Conn, checkup.Finding) {
	const check = "nats"
	u, err := url.Parse(d.URL)
	if err != nil || u.Hostname() == "" { // settings have checked it
		return nil, checkup.Failure(check, "nats.url", "no URL of a server", "write it as nats://HOST:4222")
	}
	host := net.JoinHostPort(u.Hostname(), portOf(u))
	fail := func(found, hint string) (*nats.Conn, checkup.Finding) {
		return nil, checkup.Failure(check, host, found, hint)
	}
	ctx, cancel := context.WithTimeout(ctx, d.Each)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		return fail("the host's name cannot be resolved", "check nats.url and DNS")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail("connection refused", "start the server (nats-server -js), or correct nats.url")
	case err != nil:
		return fail("no TCP connection within "+d.Each.String(), "look for a firewall or a route between here and there, or correct nats.url")
	}
	_ = c.Close()
	nc, err := Dial(d)
	if err != nil {
		return fail(refusal(err))
	}
	rtt, err := nc.RTT()
	if err != nil {
		nc.Close()
		return fail("it lets in and does not answer", "look at the server's log")
	}
	state, err := nc.TLSConnectionState()
	f := checkup.Good(check, host, "server %s, round trip %s, ", nc.ConnectedServerVersion(), rtt.Round(10*time.Microsecond))
	switch ip := net.ParseIP(u.Hostname()); {
	case err == nil:
		f.Found += tls.VersionName(state.Version)
		return nc, expiring(f, state.PeerCertificates, time.Now())
	case u.Hostname() == "localhost", ip != nil && ip.IsLoopback():
		f.Found += "without TLS on loopback"
	default:
		f.Found += "without TLS"
		f.Grade, f.Hint = checkup.Warn, "calls and links cross the network in clear: have the server ask for TLS (tls {}), and set nats.tls.ca_file"
	}
	return nc, f
}

// expiring adds until when a certificate is good, and warns when that is soon.
func expiring(f checkup.Finding, chain []*x509.Certificate, now time.Time) checkup.Finding {
	if len(chain) == 0 {
		return f
	}
	end := chain[0].NotAfter
	f.Found += ", certificate until " + end.UTC().Format(time.DateOnly)
	if end.Sub(now) < expiresSoon {
		f.Grade, f.Hint = checkup.Warn, "renew the server's certificate: nobody connects after that date"
	}
	return f
}

// refusal puts the client's error into what was found, and what to do.
func refusal(err error) (found, hint string) {
	var ca x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return "the server refuses the credentials", "check nats.credentials_file, or user and password in nats.url"
	case errors.As(err, &ca):
		return "TLS: certificate signed by an unknown authority", "set nats.tls.ca_file to the authority's certificate"
	case errors.As(err, &host):
		return "TLS: certificate is for another host", "write the host in nats.url as the certificate has it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS: certificate has expired or is not yet valid", "renew the server's certificate; check this machine's clock too"
	case errors.As(err, &invalid):
		return "TLS: certificate is not trusted", "set nats.tls.ca_file, and look at the server's certificate"
	case errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &plain):
		return "TLS: the server does not speak it", "write nats:// in nats.url, or have the server ask for TLS (tls {})"
	case errors.As(err, &op) && op.Op == "remote error", errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrTLS): // a TLS alert, whose type is not exported
		return "TLS: handshake refused", "the server may want a client certificate: set nats.tls.cert_file and nats.tls.key_file"
	case errors.Is(err, nats.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return "it takes connections and does not answer as NATS", "check the port in nats.url, and the server's health"
	}
	return "the client cannot connect: " + err.Error(), "check nats.url, its credentials and certificates"
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "ws":
		return "80"
	case u.Scheme == "wss":
		return "443"
	}
	return fmt.Sprint(nats.DefaultPort)
}
