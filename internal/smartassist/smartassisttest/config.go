package smartassisttest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config describes an emulator. Zero values are sensible, but for AppID and Secret: without them nobody is let in.
type Config struct {
	AppID, Secret  string        // the client that is let in; Secret is the HMAC secret, for RS* the public key in PEM
	Algorithm      string        // HS256 (default), HS512, RS256 or RS512; a token under any other is refused
	EnforceJTI     bool          // as the vendor's 'Enforce JTI': a jti never seen before, and an exp at most an hour ahead
	RateLimit      int           // voicemail requests let through in any 60 s; over it 429; 0: no limit. Speed leaves it alone
	RateRetryAfter time.Duration // over 0: that 429 carries Retry-After, in whole seconds, rounded up

	Seed          uint64  // what becomes of sessions without a script depends on it, the bot and the session alone
	Share         float64 // of those that leave a voicemail, 0 to 1; 0: 0.15, negative: none
	MediaLag      Lag     // from hang-up to the recording; the zero Lag: median 25 s, sigma 0.7
	TranscriptLag Lag     // from the recording to its text; the zero Lag: median 12 s, sigma 0.5
	Speed         float64 // lags and the life of links run so many times faster; 0: 1

	LinkLife  time.Duration    // how long a file's link is good; 0: 1 h
	PublicURL string           // base of the files' links; empty: the scheme and host that the API was asked at
	Now       func() time.Time // nil: time.Now. Steps that wait do so by timers, whatever Now says
}

// Check says what is wrong with a Config, for those who take one from a command line. New panics where Check complains.
func (c Config) Check() error {
	switch c.Algorithm {
	case "", "HS256", "HS512", "RS256", "RS512":
	default:
		return fmt.Errorf("smartassisttest: Algorithm must be HS256, HS512, RS256 or RS512, not %q", c.Algorithm)
	}
	if _, err := keyOf(c.Algorithm, c.Secret); err != nil {
		return err
	}
	switch {
	case c.RateLimit < 0:
		return errors.New("smartassisttest: RateLimit must be at least 0")
	case c.Share > 1:
		return errors.New("smartassisttest: Share must be at most 1")
	case c.Speed < 0:
		return errors.New("smartassisttest: Speed must be over 0")
	case c.LinkLife < 0:
		return errors.New("smartassisttest: LinkLife must be over 0")
	case c.MediaLag.Median < 0 || c.MediaLag.Sigma < 0 || c.TranscriptLag.Median < 0 || c.TranscriptLag.Sigma < 0:
		return errors.New("smartassisttest: lags must be at least 0")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("smartassisttest: PublicURL must be an http or https URL")
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Algorithm == "" {
		c.Algorithm = "HS256"
	}
	if c.Share == 0 {
		c.Share = 0.15 // most calls leave nothing
	}
	if c.MediaLag == (Lag{}) {
		c.MediaLag = Lag{Median: 25 * time.Second, Sigma: 0.7}
	}
	if c.TranscriptLag == (Lag{}) {
		c.TranscriptLag = Lag{Median: 12 * time.Second, Sigma: 0.5}
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.LinkLife == 0 {
		c.LinkLife = time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	return c
}

// faster is how long d takes at the emulator's speed.
func (c Config) faster(d time.Duration) time.Duration { return time.Duration(float64(d) / c.Speed) }
