package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// reachable is the hint where nothing better is known.
const reachable = "is the server at nats.url running, and are its credentials and certificates right?"

// refusal says why a server and a client do not come together, and what to do about it.
func refusal(err error) (found, hint string) {
	var ca x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		return "the server says that the credentials have expired", "put new ones into nats.credentials_file: it is read at each try"
	case errors.Is(err, nats.ErrAuthRevoked):
		return "the server says that the credentials are revoked", "put new ones into nats.credentials_file: it is read at each try"
	case errors.Is(err, nats.ErrAuthorization):
		return "the server refuses the credentials", "check nats.credentials_file, or user and password in nats.url, and whether the server knows that user or key"
	case errors.Is(err, errCredentials):
		return "there is no key to show", "put a user's credentials (.creds) or the seed of its nkey (SU…) into nats.credentials_file"
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return "the server asks for no key and no credentials", "leave nats.credentials_file out, or give the server users with nkeys or JWTs"
	case errors.As(err, &ca):
		return "TLS: the server's certificate is signed by an authority that is not trusted", "set nats.tls.ca_file to that authority's certificate"
	case errors.As(err, &host):
		return "TLS: the server's certificate is for another host", "write the host in nats.url as the certificate has it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS: the server's certificate has expired or is not valid yet", "renew it; check this machine's clock, too"
	case errors.As(err, &invalid):
		return "TLS: the server's certificate cannot be used", "make it one for servers, and set nats.tls.ca_file to the authority that signed it"
	case errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &plain):
		return "TLS: the server does not speak it", "write nats:// in nats.url and leave nats.tls out, or have the server ask for TLS (tls {})"
	}
	switch told := alert(err); told {
	case "":
		if errors.Is(err, nats.ErrTLS) { // the handshake was over, and the server's word did not come through
			return "TLS: the server hung up: it wants a client certificate, or another one", "set nats.tls.cert_file and nats.tls.key_file to one that the server's ca_file has signed"
		}
		return "", reachable
	case "certificate required":
		return "TLS: the server wants a client certificate", "set nats.tls.cert_file and nats.tls.key_file"
	case "bad certificate": // before TLS 1.3 that is also what it says to none
		return "TLS: the server refuses the client certificate, or wants one", "set nats.tls.cert_file and nats.tls.key_file to one that is made for clients"
	case "unknown certificate authority":
		return "TLS: the server does not know the authority of the client certificate", "set nats.tls.cert_file and nats.tls.key_file to one that the server's ca_file has signed"
	case "expired certificate":
		return "TLS: the client certificate has expired", "renew nats.tls.cert_file and nats.tls.key_file: they are read at each try"
	default:
		return "TLS: the server refuses the handshake", "check nats.tls, and the server's log"
	}
}

// alert is why the other side ended a TLS handshake; "" where it did not. (crypto/tls gives such an alert no type of its own.)
func alert(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	return strings.TrimPrefix(op.Err.Error(), "tls: ")
}

// refusal is the package's, with what can be seen in the client's own files: a server often hangs up without a word.
func (d *Dialing) refusal(err error, now time.Time) (found, hint string) {
	switch {
	case d.certificateOver(now):
		return refusal(&net.OpError{Op: "remote error", Err: errors.New("tls: expired certificate")})
	case errors.Is(err, nats.ErrAuthorization) && d.credentialsOver(now):
		return refusal(nats.ErrAuthExpired)
	}
	return refusal(err)
}

// Refused adds to why a try of Dial's failed what it means and what to do.
func (d *Dialing) Refused(err error) error {
	found, hint := d.refusal(err, time.Now())
	if found == "" {
		return fmt.Errorf("%w; %s", err, hint)
	}
	return fmt.Errorf("%w; %s: %s", err, found, hint)
}

// certificateOver says that the client's certificate is known to have expired.
func (d *Dialing) certificateOver(now time.Time) bool {
	pair, err := tls.LoadX509KeyPair(d.CertFile, d.KeyFile)
	return err == nil && pair.Leaf != nil && now.After(pair.Leaf.NotAfter)
}

// credentialsOver says that the user's JWT is known to have expired.
func (d *Dialing) credentialsOver(now time.Time) bool {
	b, err := os.ReadFile(d.CredentialsFile)
	if err != nil {
		return false
	}
	defer clear(b)
	word, err := nkeys.ParseDecoratedJWT(b)
	if err != nil {
		return false
	}
	user, err := jwt.DecodeUserClaims(word)
	return err == nil && user.Expires > 0 && now.After(time.Unix(user.Expires, 0))
}
