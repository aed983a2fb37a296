package smartassist

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config describes an account of the API. Zero values are not defaults, unless it says so.
type Config struct {
	BaseURL       string        // scheme, host, perhaps a path: https://smartassist.kore.ai; no user, query or fragment
	Path          string        // begins with / and holds {botId}
	AppID         string        // the app's client id, case-exact
	Secret        string        // the app's client secret, a private key in PEM for RS*; this or SecretFile
	SecretFile    string        // read again when it changes; one trailing newline is trimmed
	Algorithm     string        // HS256, HS512, RS256 or RS512
	JTI           bool          // a fresh token with a jti for each request
	Transcription bool          // ask for the text too
	Timeout       time.Duration // of one request, its body included; over 0
	RetryFirst    time.Duration // the first quick retry's wait, on average; the second waits half as long again; over 0
	MaxConns      int           // connections, and so requests at once; at least 1
	Transport     http.RoundTripper
	Wrap          func(http.RoundTripper) http.RoundTripper // around the transport, for who wants to look on; may be nil
	// Observe is told about each HTTP request: its result (out of Results) and its seconds. It may be nil, and is called from many goroutines.
	Observe func(result string, seconds float64)
	// OnSecret is told why SecretFile cannot be used, while the secret that it held goes on, and nil when it can be used again. It may be nil.
	OnSecret func(error)
}

func (c Config) check() error {
	switch {
	case c.AppID == "":
		return errors.New("smartassist: AppID must not be empty")
	case c.Secret == "" && c.SecretFile == "":
		return errors.New("smartassist: Secret or SecretFile must be given")
	case c.Secret != "" && c.SecretFile != "":
		return errors.New("smartassist: Secret and SecretFile must not both be given")
	case c.Timeout <= 0:
		return errors.New("smartassist: Timeout must be over 0")
	case c.RetryFirst <= 0:
		return errors.New("smartassist: RetryFirst must be over 0")
	case c.MaxConns < 1:
		return errors.New("smartassist: MaxConns must be at least 1")
	}
	return nil
}

const botID = "{botId}"

// target is where requests go: scheme and host, and the path's parts around the bot's id. No error quotes a value: a URL may hold a password.
func (c Config) target() (url.URL, []string, error) {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Hostname() == "" || base.Scheme != "https" && base.Scheme != "http":
		return url.URL{}, nil, errors.New("smartassist: BaseURL must be an http or https URL with a host")
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return url.URL{}, nil, errors.New("smartassist: BaseURL must not hold a user, a query or a fragment")
	case !strings.HasPrefix(c.Path, "/") || !strings.Contains(c.Path, botID):
		return url.URL{}, nil, errors.New("smartassist: Path must begin with / and hold {botId}")
	case strings.ContainsAny(c.Path, "?# "):
		return url.URL{}, nil, errors.New("smartassist: Path must not hold a query, fragment or space")
	}
	escaped := strings.TrimRight(base.EscapedPath(), "/") + c.Path
	if _, err := url.PathUnescape(escaped); err != nil {
		return url.URL{}, nil, errors.New("smartassist: Path must not hold a % that escapes nothing")
	}
	return url.URL{Scheme: base.Scheme, Host: base.Host}, strings.Split(escaped, botID), nil
}

// newTransport is net/http's, with as many connections as there are seats, all kept: by default it would keep 2, and close and dial all the time.
func newTransport(cfg Config) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.Timeout}).DialContext, // a dial outlives its request: it needs an end of its own
		TLSHandshakeTimeout: cfg.Timeout,
		MaxIdleConns:        cfg.MaxConns,
		MaxIdleConnsPerHost: cfg.MaxConns,
		// net/http would dial another whenever one is not back at once. A few more than seats: a dial that hangs outlives its request.
		MaxConnsPerHost:        cfg.MaxConns + max(1, cfg.MaxConns/10),
		IdleConnTimeout:        90 * time.Second, // as net/http's default transport has it
		MaxResponseHeaderBytes: 256 << 10,        // net/http's own 10 MB are more than the body may have
		ForceAttemptHTTP2:      true,             // a dialer of one's own turns it off
		// A dead HTTP/2 connection would otherwise take every request down with it until TCP gives up, a quarter of an hour later.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}
}
