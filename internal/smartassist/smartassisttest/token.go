package smartassisttest

import (
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// credentials are what a token is checked against.
type credentials struct {
	appID string
	key   any // []byte or *rsa.PublicKey
}

// keyOf is the key that an algorithm verifies with.
func keyOf(algorithm, secret string) (any, error) {
	if !strings.HasPrefix(algorithm, "RS") {
		return []byte(secret), nil
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(secret))
	if err != nil {
		return nil, errors.New("smartassisttest: Secret must be an RSA public key in PEM where Algorithm is RS256 or RS512")
	}
	return key, nil
}

// SetCredentials changes who is let in, from the next request on, as an operator does who rotates a secret. It panics where Check would
// complain of the secret.
func (s *Server) SetCredentials(appID, secret string) {
	key, err := keyOf(s.cfg.Algorithm, secret)
	if err != nil {
		panic(err)
	}
	s.credentials.Store(&credentials{appID, key})
}

// ticket is a token that was found good; its jti is not yet held against those seen before.
type ticket struct {
	jti     string
	expires time.Time // zero: never, as in the vendor's own sample token
}

// verify checks a token's algorithm, signature, times and app. The algorithm is the configured one and no other: the token does not choose.
func (s *Server) verify(token string, now time.Time) (ticket, bool) {
	c := s.credentials.Load()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return c.key, nil },
		jwt.WithValidMethods([]string{s.cfg.Algorithm}), jwt.WithTimeFunc(func() time.Time { return now }))
	if app, ok := claims["appId"].(string); err != nil || !ok || app != c.appID || app == "" {
		return ticket{}, false
	}
	var t ticket
	t.jti, _ = claims["jti"].(string)
	if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
		t.expires = exp.Time
	}
	return t, true
}

// jtiLife is how far ahead a token may expire under 'Enforce JTI', and so how long its jti has to be remembered.
const jtiLife = time.Hour

// replays remembers every jti for at least jtiLife, in two generations: nothing is swept one by one.
type replays struct {
	recent, older map[string]struct{}
	since         time.Time // when recent was begun
}

// admit says whether a token is good under 'Enforce JTI', and remembers its jti when it is.
func (r *replays) admit(t ticket, now time.Time) bool {
	if t.jti == "" || t.expires.IsZero() || t.expires.Sub(now) > jtiLife {
		return false
	}
	if r.recent == nil || now.Sub(r.since) >= jtiLife {
		r.recent, r.older, r.since = map[string]struct{}{}, r.recent, now
	}
	_, again := r.recent[t.jti]
	_, before := r.older[t.jti]
	r.recent[t.jti] = struct{}{}
	return !again && !before
}
