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
	parse   func(string) (any, error)
	key     any
	text    string
	version int
	looked  time.Time
	seen    os.FileInfo
}

// lookEvery is how often a file is looked at, at most.
const lookEvery = time.Second

func newSecret(cfg Config) (*secret, error) {
	s := &secret{file: cfg.SecretFile, parse: func(text string) (any, error) { return []byte(text), nil }}
	if strings.HasPrefix(cfg.Algorithm, "RS") {
		s.parse = func(text string) (any, error) {
			key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
			if err != nil {
				return nil, errors.New("is not an RSA private key in PEM")
			}
			return key, nil
		}
	}
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

func (s *secret) set(text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	if text == s.text {
		return nil
	}
	key, err := s.parse(text)
	if err != nil {
		return err
	}
	s.key, s.text = key, text
	s.version++
	return nil
}

// read reads the file; one trailing newline is an editor's.
func (s *secret) read() error {
	info, err := os.Stat(s.file) // follows links: Kubernetes swaps one
	if err != nil {
		return fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if err := s.set(text); err != nil {
		return err
	}
	s.seen = info
	return nil
}

// get returns the key and its version. A file that cannot be used for a while leaves the last good key in place.
func (s *secret) get(now time.Time) (key any, version int) {
	if s.file != "" && now.Sub(s.looked) >= lookEvery {
		s.looked = now
		info, err := os.Stat(s.file)
		if err == nil && (s.seen == nil || !os.SameFile(info, s.seen) || info.ModTime() != s.seen.ModTime() || info.Size() != s.seen.Size()) {
			_ = s.read()
		}
	}
	return s.key, s.version
}

// suspect has the file read before the next token, whatever its date says.
func (s *secret) suspect() { s.looked, s.seen = time.Time{}, nil }
