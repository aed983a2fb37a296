package smartassisttest

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// denied says why a token is refused, in the vendor's words; "" when it is good. The caller holds the mutex.
func (s *Server) denied(token string) string {
	const invalid = "Invalid JWT token"
	claims := jwt.MapClaims{}
	now := s.cfg.Now()
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{s.cfg.Algorithm}), jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil {
		return invalid
	}
	if claims["appId"] != s.appID {
		return "Invalid SDK credentials"
	}
	if !s.cfg.EnforceJTI {
		return ""
	}
	exp, err := claims.GetExpirationTime()
	jti, _ := claims["jti"].(string)
	if err != nil || exp == nil || exp.Sub(now) > time.Hour || jti == "" {
		return invalid
	}
	for id, until := range s.jtis {
		if now.After(until) {
			delete(s.jtis, id)
		}
	}
	if _, seen := s.jtis[jti]; seen {
		return invalid
	}
	s.jtis[jti] = exp.Time
	return ""
}
