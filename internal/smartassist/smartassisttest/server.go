// Package smartassisttest emulates Kore.ai SmartAssist's voicemail API, well enough to develop against: it checks tokens, plays scripts per
// session, draws realistic lags for sessions without one, and serves playable recordings under signed links that expire.
//
// Everything that it says is made up. What it does where the vendor's pages are silent is what the relay has to live with either way.
package smartassisttest

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Config describes an emulator. Zero values are sensible, but for AppID and Secret.
type Config struct {
	AppID, Secret  string        // the client that is let in; for RS* the secret is the PEM public key
	Algorithm      string        // HS256 (default), HS512, RS256 or RS512
	EnforceJTI     bool          // as the vendor's 'Enforce JTI': a jti that was not seen before, exp at most an hour ahead
	RateLimit      int           // voicemail requests in any 60 s; over it 429; 0: none
	RateRetryAfter time.Duration // over 0: that 429 says so, in whole seconds

	Seed          uint64  // of sessions without a script: what becomes of them depends on it, the bot and the session alone
	Share         float64 // of those that leave a voicemail; 0: 0.15
	MediaLag      Lag     // from hang-up to the recording; zero: median 25 s, sigma 0.7
	TranscriptLag Lag     // from the recording to its text; zero: median 12 s, sigma 0.5
	Speed         float64 // lags and the life of links run so much faster; 0: 1

	LinkLife  time.Duration    // 0: 1 h
	PublicURL string           // base of the recordings' links; empty: the request's own host
	Now       func() time.Time // nil: time.Now
}

// A Request is one that was made of the emulator. It keeps no token.
type Request struct {
	At                          time.Time
	Bot, Session, Transcription string
	Status                      int    // 0 when the connection was dropped
	Step                        string // the name of what was played
}

// Server is the emulator, an http.Handler for many goroutines.
type Server struct {
	cfg Config

	mu       sync.Mutex
	scripts  map[string][]Step    // by session
	bots     map[string][]Step    // by bot
	every    []Step               // for all others
	turns    map[string]int       // requests that reached a session's script
	ended    map[string]time.Time // hang-up of sessions without a script
	outage   *Step
	appID    string
	key      any
	jtis     map[string]time.Time
	counts   map[string]int // by session
	requests int
	log      []Request
	window   []time.Time // of the last 60 s
	most     int         // ever in a window
}

// keptLog bounds the log of requests.
const keptLog = 100_000

// New makes an emulator. It panics on an algorithm or public key that cannot be: that is the developer's mistake.
func New(cfg Config) *Server {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if cfg.Algorithm == "" {
		cfg.Algorithm = "HS256"
	}
	if cfg.Share == 0 {
		cfg.Share = 0.15
	}
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	if cfg.MediaLag == (Lag{}) {
		cfg.MediaLag = Lag{25 * time.Second, 0.7}
	}
	if cfg.TranscriptLag == (Lag{}) {
		cfg.TranscriptLag = Lag{12 * time.Second, 0.5}
	}
	def(&cfg.LinkLife, time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, scripts: map[string][]Step{}, bots: map[string][]Step{}, turns: map[string]int{}, ended: map[string]time.Time{},
		jtis: map[string]time.Time{}, counts: map[string]int{}}
	s.SetCredentials(cfg.AppID, cfg.Secret)
	return s
}

// SetCredentials changes who is let in, as an operator does who rotates a secret.
func (s *Server) SetCredentials(appID, secret string) {
	var key any = []byte(secret)
	if strings.HasPrefix(s.cfg.Algorithm, "RS") {
		pub, err := jwt.ParseRSAPublicKeyFromPEM([]byte(secret))
		if err != nil {
			panic("smartassisttest: Secret is no RSA public key in PEM")
		}
		key = (*rsa.PublicKey)(pub)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appID, s.key = appID, key
}

// Script sets what a session's requests are answered with: step k answers request k, the last one all further ones.
func (s *Server) Script(session string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[session] = steps
}

// ScriptBot sets it for every session of a bot that has no script of its own; each begins at the first step.
func (s *Server) ScriptBot(bot string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bots[bot] = steps
}

// ScriptEvery sets it for every session that has no script otherwise.
func (s *Server) ScriptEvery(steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.every = steps
}

// CallEnded tells when a session without a script was hung up; else it was 15 s before its first request.
func (s *Server) CallEnded(session string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[session] = at
}

// Outage answers every request with a step, whatever the token, until it is called with nil.
func (s *Server) Outage(step *Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = step
}

// Requests counts the voicemail requests so far, RequestsFor those of a session.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// RequestsFor counts the voicemail requests of a session.
func (s *Server) RequestsFor(session string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[session]
}

// Log returns the latest requests, oldest first.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.log...)
}

// MaxIn60s is the most voicemail requests that ever came within 60 seconds.
func (s *Server) MaxIn60s() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// ServeHTTP answers voicemail requests under any path prefix, and serves recordings.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, mediaPath) {
		s.serveMedia(w, r)
		return
	}
	bot, ok := botOf(r.URL.Path)
	if !ok {
		writeError(w, http.StatusNotFound, 404, "Cannot "+r.Method+" this path")
		return
	}
	session := r.URL.Query().Get("sessionId")
	over := s.count(session)
	step := s.choose(r, bot, session, over)
	rec := &recorder{ResponseWriter: w}
	defer func() { // also when the step drops the connection
		s.note(Request{At: s.cfg.Now(), Bot: bot, Session: session, Transcription: r.URL.Query().Get("transcription"), Status: rec.status, Step: step.Name})
	}()
	step.play(play{server: s, w: rec, r: r, bot: bot, session: session})
}

// botOf finds the bot's id in …/bot/{id}/voicemail.
func botOf(path string) (string, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	n := len(parts)
	if n < 3 || parts[n-1] != "voicemail" || parts[n-3] != "bot" {
		return "", false
	}
	return parts[n-2], true
}

// count counts a request and says whether it is over the limit.
func (s *Server) count(session string) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	s.requests++
	s.counts[session]++
	for len(s.window) > 0 && now.Sub(s.window[0]) >= time.Minute {
		s.window = s.window[1:]
	}
	s.window = append(s.window, now)
	s.most = max(s.most, len(s.window))
	return s.cfg.RateLimit > 0 && len(s.window) > s.cfg.RateLimit
}

// choose finds what is played: an outage, what the request's own mistakes call for, the session's script, or what was drawn for it.
func (s *Server) choose(r *http.Request, bot, session string, over bool) Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := r.URL.Query().Get("transcription")
	switch {
	case s.outage != nil:
		return *s.outage
	case over:
		retry := ""
		if s.cfg.RateRetryAfter > 0 {
			retry = fmt.Sprint(int(s.cfg.RateRetryAfter.Seconds()))
		}
		return RateLimited(retry)
	case r.Method != http.MethodGet:
		return Error(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if msg := s.denied(r.Header.Get("auth")); msg != "" {
		return Error(http.StatusUnauthorized, msg)
	}
	switch {
	case session == "":
		return Error(http.StatusBadRequest, "sessionId is required")
	case wanted != "true" && wanted != "false":
		return Error(http.StatusUnprocessableEntity, "Validation errors")
	}
	steps := s.scripts[session]
	if len(steps) == 0 {
		steps = s.bots[bot]
	}
	if len(steps) == 0 {
		steps = s.every
	}
	if len(steps) == 0 {
		return s.drawn(bot, session)
	}
	turn := s.turns[session]
	s.turns[session]++
	return steps[min(turn, len(steps)-1)]
}

func (s *Server) note(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) >= keptLog {
		s.log = append(s.log[:0], s.log[keptLog/10:]...)
	}
	s.log = append(s.log, r)
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// writeJSON writes without HTML escaping: links hold &.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client may be gone
}

// writeError writes the vendor's body for errors.
func writeError(w http.ResponseWriter, status int, code any, msg string) {
	writeJSON(w, status, map[string]any{"errors": []any{map[string]any{"msg": msg, "code": code}}})
}
