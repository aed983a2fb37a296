package smartassist

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// How long a token lives, and how long before its end it is replaced. The vendor allows an hour at most where it enforces jti; its own SDK
// signs for a minute.
const (
	tokenLife  = 5 * time.Minute
	tokenFresh = time.Minute
	clockSkew  = 30 * time.Second
)

// tokens signs the account's tokens: one for several requests, or with jti one for each.
type tokens struct {
	appID  string
	method jwt.SigningMethod
	jti    bool
	secret *secret

	mu      sync.Mutex
	cached  string
	expires time.Time
	version int // of the secret that signed it
}

func newTokens(cfg Config) (*tokens, error) {
	method := jwt.GetSigningMethod(cfg.Algorithm)
	switch cfg.Algorithm {
	case "HS256", "HS512", "RS256", "RS512":
	default:
		return nil, fmt.Errorf("smartassist: Algorithm must be HS256, HS512, RS256 or RS512")
	}
	s, err := newSecret(cfg)
	if err != nil {
		return nil, err
	}
	return &tokens{appID: cfg.AppID, method: method, jti: cfg.JTI, secret: s}, nil
}

// get returns a token that is good for a while. The error tells no secret.
func (t *tokens) get() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	key, version := t.secret.get(now)
	if !t.jti && t.cached != "" && t.version == version && now.Before(t.expires.Add(-tokenFresh)) {
		return t.cached, nil
	}
	claims := jwt.MapClaims{"appId": t.appID, "sub": t.appID, "iat": now.Add(-clockSkew).Unix(), "exp": now.Add(tokenLife).Unix()}
	if t.jti {
		claims["jti"] = rand.Text()
	}
	signed, err := jwt.NewWithClaims(t.method, claims).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("no token can be signed; check smartassist.app_secret and smartassist.algorithm")
	}
	t.cached, t.expires, t.version = signed, now.Add(tokenLife), version
	return signed, nil
}

// drop forgets the token after a refusal, and looks at the secret's file before the next.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cached = ""
	t.secret.suspect()
}
