package smartassist

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUnanswered(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 77), Port: 443}, Err: err}
	}
	for _, row := range []struct {
		name     string
		err      error
		want     string
		requests int
	}{
		{"refused", dial(syscall.ECONNREFUSED), "connection refused", 3},
		{"reset", fmt.Errorf("net/http: canary: %w", dial(syscall.ECONNRESET)), "connection reset", 3},
		{"broken pipe", dial(syscall.EPIPE), "connection reset", 3},
		{"closed while it was idle", errors.New("http: server closed idle connection"), "connection closed without an answer", 3},
		{"HTTP/2 that goes away", errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"canary\""), "connection closed without an answer", 3},
		{"unreachable", dial(syscall.EHOSTUNREACH), "host unreachable", 1},
		{"no such host", dial(&net.DNSError{Err: "no such host", Name: "canary.example.com", IsNotFound: true}), "no such host; check smartassist.base_url", 1},
		{"no name server", dial(&net.DNSError{Err: "server misbehaving", Name: "canary.example.com", Server: "192.0.2.77:53"}), "the host's name cannot be resolved; check smartassist.base_url and DNS", 1},
		{"a slow name server", dial(&net.DNSError{Err: "i/o timeout", Name: "canary.example.com", IsTimeout: true}), "time-out after 10s", 1},
		{"a slow dial", dial(syscall.ETIMEDOUT), "time-out after 10s", 1},
		{"another host's certificate", x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"canary.example.com"}}, Host: "canary"}, "TLS: certificate is for another host; check smartassist.base_url and the system's CA certificates", 1},
		{"an old certificate", x509.CertificateInvalidError{Reason: x509.Expired, Detail: "canary"}, "TLS: certificate has expired or is not yet valid; check this machine's clock too", 1},
		{"a bad certificate", x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, "TLS: certificate is not trusted; check smartassist.base_url and the system's CA certificates", 1},
		{"a handshake that is refused", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "TLS: handshake refused; check smartassist.base_url", 1},
		{"no TLS", tls.RecordHeaderError{Msg: "canary"}, "TLS: the other side does not speak it; check smartassist.base_url", 1},
		{"the proxy", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial(syscall.ECONNREFUSED)}, "the proxy: connection refused; check HTTPS_PROXY", 3},
		{"anything else", &url.Error{Op: "Get", URL: "https://canary", Err: errors.New("canary")}, "no answer that HTTP understands; check smartassist.base_url", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config("https://canary.example.com")
			cfg.Transport = transport(func(*http.Request) (*http.Response, error) { return nil, row.err })
			_, requests, err := client(t, cfg).Voicemail(t.Context(), testCall, yes)
			if err == nil || err.Error() != row.want || requests != row.requests {
				t.Fatalf("got %v in %d requests, want %s in %d", err, requests, row.want, row.requests)
			}
			trouble := err.(*relay.Trouble)
			want := "unreachable"
			if strings.HasPrefix(row.want, "time-out") {
				want = "timeout"
			}
			if trouble.Kind != relay.Transient || trouble.Result != want || trouble.Status != 0 {
				t.Errorf("got kind %v, %s, status %d, want transient, %s, 0", trouble.Kind, trouble.Result, trouble.Status, want)
			}
		})
	}
}

// The same from the real thing, where it can be had without a network.
func TestUnansweredForReal(t *testing.T) {
	plain := serve(t, answer(200, readyBody))
	secure := httptest.NewTLSServer(answer(200, readyBody))
	defer secure.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, row := range []struct{ name, base, want string }{
		{"nobody listens", "http://" + gone.Addr().String(), "connection refused"},
		{"an unknown authority", secure.URL, "TLS: certificate signed by an unknown authority; check smartassist.base_url and the system's CA certificates"},
		{"TLS to a plain server", strings.Replace(plain.URL, "http:", "https:", 1), "TLS: the other side does not speak it; check smartassist.base_url"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := client(t, config(row.base)).Voicemail(t.Context(), testCall, no)
			if err == nil || err.Error() != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestOwnTransportDialsNoLongerThanARequest(t *testing.T) {
	cfg := config("https://smartassist.kore.ai")
	cfg.Timeout = 7 * time.Second
	tr := newTransport(cfg)
	if tr.MaxIdleConnsPerHost != cfg.MaxConns || tr.TLSHandshakeTimeout != cfg.Timeout || tr.Proxy == nil || tr.DisableCompression || !tr.ForceAttemptHTTP2 {
		t.Errorf("got %d idle connections and a handshake of %v, want %d and %v, proxy, compression and HTTP/2", tr.MaxIdleConnsPerHost, tr.TLSHandshakeTimeout, cfg.MaxConns, cfg.Timeout)
	}
}
