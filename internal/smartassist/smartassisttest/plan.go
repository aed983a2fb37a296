package smartassisttest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// Lag is a log-normal distribution of waiting times: half are shorter than Median; the more Sigma, the longer the tail. Sigma 0 is always
// the Median. The defaults are guesses: the vendor publishes no figures.
type Lag struct {
	Median time.Duration
	Sigma  float64 // standard deviation of the waiting time's natural logarithm
}

// longestLag keeps wild distributions within what a Duration holds.
const longestLag = 30 * 24 * time.Hour

func (l Lag) draw(r *rand.Rand) time.Duration {
	return time.Duration(min(float64(l.Median)*math.Exp(l.Sigma*r.NormFloat64()), float64(longestLag)))
}

// A Plan is what becomes of a session without a script. Without a voicemail all else is zero.
type Plan struct {
	Voicemail    bool
	MediaAt      time.Duration // from hang-up to the recording, at Speed
	TranscriptAt time.Duration // from hang-up to the text, at Speed
	Text         string        // what is said
}

// Planned tells what an unscripted session does: the same for the same seed, bot and session, however often and in whatever order it is
// asked for.
func (s *Server) Planned(bot, session string) Plan {
	r := s.draws("plan", bot, session)
	if r.Float64() >= s.cfg.Share {
		return Plan{}
	}
	media := s.cfg.MediaLag.draw(r)
	transcript := s.cfg.TranscriptLag.draw(r)
	return Plan{Voicemail: true, MediaAt: s.cfg.faster(media), TranscriptAt: s.cfg.faster(media + transcript), Text: sentence(r)}
}

// draws is a source of chance that depends on the seed and the words alone.
func (s *Server) draws(words ...string) *rand.Rand {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, s.cfg.Seed)
	for _, w := range words {
		_, _ = h.Write(append([]byte(w), 0)) // ids hold no zero: no two lists of words run together
	}
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:]))) // #nosec G404 -- dice that fall alike for the same seed
}

// step is what the plan answers so long after hang-up: what SmartAssist's sibling recording API documents for each state.
func (p Plan) step(age time.Duration) Step {
	switch {
	case age < 0:
		return InProgress()
	case !p.Voicemail:
		return NotYet()
	case age < p.MediaAt:
		return MediaInProgress()
	case age < p.TranscriptAt:
		return NoTranscript()
	}
	return Ready(p.Text)
}
