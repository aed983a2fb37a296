package smartassist

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// How long a token lives, and how long before its end it is replaced. The vendor allows an hour at most where it enforces jti; its own SDK
// signs for a minute.
const (
	tokenLife  = 5 * time.Minute
	tokenSpare = time.Minute
	clockSkew  = 30 * time.Second // iat lies so far back, for servers whose clock is late
)

// tokens signs the account's tokens: one for several requests, or with jti one for each.
type tokens struct {
	appID  string
	method jwt.SigningMethod
	jti    bool

	mu      sync.Mutex
	secret  *secret
	cached  string
	expires time.Time
	version int // of the secret that signed it
}

func newTokens(cfg Config) (*tokens, error) {
	switch cfg.Algorithm {
	case "HS256", "HS512", "RS256", "RS512":
	default: // not whatever the library knows: it knows none, too
		return nil, errors.New("smartassist: Algorithm must be HS256, HS512, RS256 or RS512")
	}
	method := jwt.GetSigningMethod(cfg.Algorithm)
	s, err := newSecret(cfg, method)
	if err != nil {
		return nil, err
	}
	return &tokens{appID: cfg.AppID, method: method, jti: cfg.JTI, secret: s}, nil
}

// get returns a token that is good for a while. The error tells no secret.
func (t *tokens) get(now time.Time) (string, error) {
	now = now.Round(0) // the wall clock's: the API knows no other, and the other stands still while a machine sleeps
	t.mu.Lock()
	defer t.mu.Unlock()
	key, version := t.secret.get(now)
	if left := t.expires.Sub(now); t.cached != "" && t.version == version && left > tokenSpare && left <= tokenLife {
		return t.cached, nil
	}
	claims := jwt.MapClaims{"appId": t.appID, "iat": now.Add(-clockSkew).Unix(), "exp": now.Add(tokenLife).Unix()}
	if t.jti {
		claims["jti"] = rand.Text() // 130 bits
	}
	signed, err := jwt.NewWithClaims(t.method, claims).SignedString(key)
	if err != nil { // it may quote the key
		return "", errors.New("no token can be signed; check the secret and smartassist.algorithm")
	}
	if !t.jti {
		t.cached, t.expires, t.version = signed, now.Add(tokenLife), version
	}
	return signed, nil
}

// renew takes another secret, and says whether it signs differently.
func (t *tokens) renew(s *secret) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if changed = s.text != t.secret.text; changed {
		t.cached = ""
	}
	t.secret = s
	return changed
}

// drop forgets the token after a refusal, and looks at the secret's file before the next.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cached = ""
	t.secret.suspect()
}
