package smartassisttest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// Lag is a log-normal distribution of waiting times.
type Lag struct {
	Median time.Duration
	Sigma  float64
}

func (l Lag) draw(r *rand.Rand, speed float64) time.Duration {
	return time.Duration(float64(l.Median) * math.Exp(l.Sigma*r.NormFloat64()) / speed)
}

// A Plan is what becomes of a session without a script.
type Plan struct {
	Voicemail    bool
	MediaAt      time.Duration // after hang-up
	TranscriptAt time.Duration // after hang-up
	Text         string
}

// Planned tells a session's plan: the same for the same seed, bot and session.
func (s *Server) Planned(bot, session string) Plan {
	h := fnv.New64a()
	_, _ = h.Write([]byte(bot + "\n" + session))
	r := rand.New(rand.NewPCG(s.cfg.Seed, h.Sum64()))
	p := Plan{Voicemail: r.Float64() < s.cfg.Share, Text: sentence(r)}
	p.MediaAt = s.cfg.MediaLag.draw(r, s.cfg.Speed)
	p.TranscriptAt = p.MediaAt + s.cfg.TranscriptLag.draw(r, s.cfg.Speed)
	return p
}

// drawn is what a session without a script answers now. The caller holds the mutex.
func (s *Server) drawn(bot, session string) Step {
	now := s.cfg.Now()
	ended, told := s.ended[session]
	if !told {
		ended = now.Add(-time.Duration(15 * float64(time.Second) / s.cfg.Speed))
		s.ended[session] = ended
	}
	p := s.Planned(bot, session)
	switch age := now.Sub(ended); {
	case !p.Voicemail:
		return NotYet()
	case age < p.MediaAt:
		return MediaInProgress()
	case age < p.TranscriptAt:
		return NoTranscript()
	}
	return Ready(p.Text)
}

// sentence makes up what a caller says.
func sentence(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	return pick("Hi, ", "Hello, ", "Good morning, ", "Hey there, ") +
		pick("I am calling about my order. ", "my router has been blinking red since Monday. ", "I would like to move my appointment. ", "the invoice seems to be off by a cent. ",
			"I forgot my umbrella at your desk. ", "your last message was cut off. ", "the delivery came to the neighbour. ", "I have a question about the opening hours. ",
			"the lamp I bought hums in B flat. ", "could somebody check my booking? ") +
		pick("Please call me back.", "Thank you very much.", "Any time after four is fine.", "No hurry.", "Have a good day.")
}
