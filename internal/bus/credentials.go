package bus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// credentials are what nats.credentials_file holds: an account's word on the user (a JWT) and the user's key, as nsc writes them, or a key's seed
// alone, for servers that know its public half. The file is read at each connect, so that rotating it takes no restart.
type credentials struct {
	file string

	mu  sync.Mutex
	nc  *nats.Conn // nil until the first connect is over
	pub string     // the key that the client introduces itself with; "" where the JWT says it
}

// option is how the client comes to use them.
func (c *credentials) option() (nats.Option, error) {
	kp, word, err := c.read()
	if err != nil {
		return nil, err
	}
	defer kp.Wipe()
	if word != "" {
		return nats.UserJWT(c.word, c.sign), nil
	}
	if c.pub, err = kp.PublicKey(); err != nil {
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	return nats.Nkey(c.pub, c.sign), nil
}

// word is what the client introduces itself with where there is a JWT.
func (c *credentials) word() (string, error) {
	kp, word, err := c.read()
	if err != nil {
		return "", err
	}
	defer kp.Wipe()
	return word, c.introduce(kp, word)
}

func (c *credentials) read() (kp nkeys.KeyPair, word string, err error) {
	b, err := os.ReadFile(c.file)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errCredentials, err)
	}
	defer clear(b)
	kp, err = nkeys.ParseDecoratedUserNKey(b)
	if err != nil {
		return nil, "", fmt.Errorf("%w holds no user's key", errCredentials)
	}
	if bytes.Contains(b, []byte("USER JWT")) {
		if word, err = nkeys.ParseDecoratedJWT(b); err != nil {
			return nil, "", fmt.Errorf("%w holds no JWT that can be read", errCredentials)
		}
	}
	return kp, word, nil
}

// errCredentials is what is wrong with the file itself.
var errCredentials = errors.New("nats.credentials_file")

// errRotated ends a try that was made with the key before.
var errRotated = errors.New("nats.credentials_file holds another key now, or credentials of another kind")

// sign proves that the relay has the key.
func (c *credentials) sign(nonce []byte) ([]byte, error) {
	kp, word, err := c.read()
	if err != nil {
		return nil, err
	}
	defer kp.Wipe()
	if err := c.introduce(kp, word); err != nil {
		return nil, err
	}
	return kp.Sign(nonce)
}

// introduce holds the client to what the file says. It knows one public key for good, or that a JWT says it: where the file holds another key by
// now, or the other kind, it is told, which is safe here alone, since it holds its lock while it asks; its next try succeeds.
func (c *credentials) introduce(kp nkeys.KeyPair, word string) error {
	pub, said := "", nats.UserJWTHandler(c.word)
	if word == "" {
		var err error
		if pub, err = kp.PublicKey(); err != nil {
			return err
		}
		said = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if pub == c.pub || c.nc == nil {
		return nil
	}
	c.nc.Opts.Nkey, c.nc.Opts.UserJWT, c.pub = pub, said, pub
	return errRotated
}

// of notes whose they are.
func (c *credentials) of(nc *nats.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc = nc
}
