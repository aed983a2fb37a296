package smartassist

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// secret is the key that signs tokens: given, or out of a file that is read again when it changes. It is guarded by tokens' mutex.
type secret struct {
	file    string
	method  jwt.SigningMethod
	key     any
	text    string
	version int
	looked  time.Time
	seen    os.FileInfo
	tell    func(error) // may be nil
	told    string      // what is wrong with the file; "" for nothing
}

// lookEvery is how often a file is looked at, at most.
const lookEvery = time.Second

func newSecret(cfg Config, method jwt.SigningMethod) (*secret, error) {
	s := &secret{file: cfg.SecretFile, method: method, tell: cfg.OnSecret}
	if s.file == "" {
		if err := s.set(cfg.Secret); err != nil {
			return nil, fmt.Errorf("smartassist: Secret %w", err)
		}
		return s, nil
	}
	if err := s.read(); err != nil {
		return nil, fmt.Errorf("smartassist: SecretFile %s %w", s.file, err)
	}
	return s, nil
}

// CheckSecret says what is wrong with a secret: what New would say. The error completes "the secret …" and holds nothing of it.
func CheckSecret(algorithm, text string) error {
	method := jwt.GetSigningMethod(algorithm)
	if method == nil {
		return fmt.Errorf("cannot be used with the unknown algorithm %q", algorithm)
	}
	return (&secret{method: method}).set(text)
}

// set takes a new secret, if it can sign.
func (s *secret) set(text string) error {
	if text == "" {
		return errors.New("must not be empty")
	}
	if text == s.text {
		return nil
	}
	var key any = []byte(text)
	if _, rsa := s.method.(*jwt.SigningMethodRSA); rsa {
		private, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
		if err != nil { // its text may quote the key
			return errors.New("must be an RSA private key in PEM, without a password")
		}
		key = private
	}
	if _, err := s.method.Sign("trial", key); err != nil { // an RSA key that is too short shows only here
		return fmt.Errorf("must be a key that can sign %s: at least 1024 bits", s.method.Alg())
	}
	s.key, s.text = key, text
	s.version++
	return nil
}

// read reads the file. It stats first: a change in between is then seen the next time.
func (s *secret) read() error {
	info, err := os.Stat(s.file) // follows links: Kubernetes swaps one
	if err != nil {
		return fmt.Errorf("cannot be read: %w", plain(err))
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", plain(err))
	}
	text, newline := strings.CutSuffix(string(b), "\n") // an editor's, no part of the secret
	if newline {
		text = strings.TrimSuffix(text, "\r")
	}
	if err := s.set(text); err != nil {
		return err
	}
	s.seen = info
	return nil
}

// plain leaves the file's name out, which New's error says already.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// get returns the key and its version. A file that cannot be used for a while leaves the last good key in place, and is tried again.
func (s *secret) get(now time.Time) (key any, version int) {
	if s.file != "" && now.Sub(s.looked).Abs() >= lookEvery { // a clock that was put back does not stop it
		s.looked = now
		s.note(s.look())
	}
	return s.key, s.version
}

// look reads the file if it has changed.
func (s *secret) look() error {
	info, err := os.Stat(s.file)
	if err == nil && s.seen != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return nil
	}
	return s.read()
}

// note tells what is wrong with the file, once.
func (s *secret) note(err error) {
	what := ""
	if err != nil {
		what = err.Error()
	}
	if what != s.told && s.tell != nil {
		s.tell(err)
	}
	s.told = what
}

// suspect has the file read before the next token, whatever its date says.
func (s *secret) suspect() { s.looked, s.seen = time.Time{}, nil }
