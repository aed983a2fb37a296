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
	nc, err := d.dial()
	if err != nil {
		found, hint := d.refusal(err, time.Now())
		var timeout net.Error
		switch {
		case found != "":
		case errors.Is(err, nats.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout():
			found, hint = "it takes connections and does not answer as NATS", "check the port in nats.url, and the server's health"
		default:
			found, hint = "the client cannot connect: "+err.Error(), "check nats.url, its credentials and certificates"
		}
		return fail(found, hint)
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
