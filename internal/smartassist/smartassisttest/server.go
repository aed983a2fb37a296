// Package smartassisttest emulates Kore.ai SmartAssist's voicemail API, well enough to develop against: it checks tokens, plays scripts per
// session, draws realistic lags for sessions without one, and serves playable recordings under signed links that expire.
//
// Everything that it says is made up. Where the vendor's pages are silent it takes one of the likely readings, and has a step for the
// others. It knows nothing of the relay.
package smartassisttest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the emulator: an http.Handler that many goroutines may use. It starts no goroutine of its own.
type Server struct {
	cfg         Config
	start       time.Time
	credentials atomic.Pointer[credentials]
	nonces      atomic.Uint64

	mu       sync.Mutex
	sessions map[string]*session
	scripts  map[string]*script // by session
	bots     map[string]*script // by bot
	every    *script            // of all others; nil: what becomes of them is drawn
	outage   *Step
	replays  replays
	allowed  window // requests that the rate limit let through
	made     window // all requests
	most     int    // ever in made
	journal  journal
}

// session is what the emulator knows of one.
type session struct {
	requests int
	ended    time.Time // hang-up
}

// presumedWait is how long before its first request a session counts as hung up when nobody told: clients wait a little before they ask.
const presumedWait = 15 * time.Second

// New makes an emulator. It panics on a Config that Check refuses.
func New(cfg Config) *Server {
	if err := cfg.Check(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, start: cfg.Now(), sessions: map[string]*session{}, scripts: map[string]*script{}, bots: map[string]*script{}}
	s.SetCredentials(cfg.AppID, cfg.Secret)
	return s
}

// Script sets what a session's requests are answered with, from now on: step k answers request k, the last one all further ones. Requests
// that are turned away at the door (token, rate limit, an outage) use up no step. Without steps the session has no script any more.
func (s *Server) Script(session string, steps ...Step) { s.setScript(s.scripts, session, steps) }

// ScriptBot sets the script of every session of a bot that has none of its own; each session begins at the first step.
func (s *Server) ScriptBot(bot string, steps ...Step) { s.setScript(s.bots, bot, steps) }

// ScriptEvery sets the script of every session that has neither; each begins at the first step.
func (s *Server) ScriptEvery(steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.every = nil; len(steps) > 0 {
		s.every = &script{slices.Clone(steps), map[string]int{}}
	}
}

func (s *Server) setScript(scripts map[string]*script, id string, steps []Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(scripts, id); len(steps) > 0 {
		scripts[id] = &script{slices.Clone(steps), map[string]int{}}
	}
}

// CallEnded tells when a session was hung up; its lags count from there, and before it the call is in progress. Untold, it was 15 s (at
// Speed) before the session's first request.
func (s *Server) CallEnded(session string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session(session, at).ended = at
}

// Outage answers every voicemail request with a step, whatever its token, until it is called with nil. Files are still served.
func (s *Server) Outage(step *Step) {
	if step != nil {
		kept := *step
		step = &kept
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = step
}

// session finds or begins a session. The caller holds the lock.
func (s *Server) session(id string, ended time.Time) *session {
	known, ok := s.sessions[id]
	if !ok {
		known = &session{ended: ended}
		s.sessions[id] = known
	}
	return known
}

// ServeHTTP answers voicemail requests under any path that ends in /bot/{streamId}/voicemail, and serves the files.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if file, ok := fileOf(r.URL.Path); ok {
		s.serveFile(w, r, file)
		return
	}
	bot, ok := botOf(r.URL)
	if !ok {
		writeError(w, http.StatusNotFound, 404, "Cannot "+r.Method+" this path")
		return
	}
	q := r.URL.Query()
	rec := &recorder{ResponseWriter: w}
	p := play{server: s, w: rec, r: r, bot: bot, session: q.Get("sessionId"), transcription: q.Get("transcription")}
	t, good := s.verify(r.Header.Get("auth"), s.cfg.Now()) // outside the lock: RSA takes its time
	step, number := s.choose(&p, t, good)
	defer func() { // also when the step drops the connection
		s.mu.Lock()
		defer s.mu.Unlock()
		s.journal.end(number, rec.status)
	}()
	step.run(p)
}

// botOf finds the bot's id in …/bot/{id}/voicemail.
func botOf(u *url.URL) (string, bool) {
	parts := strings.Split(u.EscapedPath(), "/")
	n := len(parts)
	if n < 4 || parts[n-1] != "voicemail" || parts[n-3] != "bot" || parts[n-2] == "" {
		return "", false
	}
	bot, err := url.PathUnescape(parts[n-2])
	return bot, err == nil
}

// choose counts a request and finds what answers it: an outage, the rate limit, what is wrong with the request itself, the session's script,
// its bot's, or what was drawn for it. It returns the request's number in the journal, too.
func (s *Server) choose(p *play, t ticket, good bool) (Step, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	at := now.Sub(s.start)
	known := s.session(p.session, now.Add(-s.cfg.faster(presumedWait)))
	known.requests++
	p.ended = known.ended
	s.most = max(s.most, s.made.add(at))
	step := s.find(p, t, good, now)
	number := s.journal.begin(Request{At: now, Bot: p.bot, Session: p.session, Step: step.Name, Transcription: p.transcription})
	return step, number
}

func (s *Server) find(p *play, t ticket, good bool, now time.Time) Step {
	if s.outage != nil {
		return *s.outage
	}
	if at := now.Sub(s.start); s.cfg.RateLimit > 0 {
		if s.allowed.count(at) >= s.cfg.RateLimit { // what is refused does not count: who waits a minute gets through
			retryAfter := ""
			if s.cfg.RateRetryAfter > 0 {
				retryAfter = strconv.FormatInt(int64((s.cfg.RateRetryAfter+time.Second-1)/time.Second), 10)
			}
			return named("over_limit", RateLimited(retryAfter))
		}
		s.allowed.add(at)
	}
	switch {
	case p.r.Method != http.MethodGet:
		return named("wrong_method", Error(http.StatusMethodNotAllowed, "Method Not Allowed"))
	case !good, s.cfg.EnforceJTI && !s.replays.admit(t, now):
		return named("denied", Error(http.StatusUnauthorized, "Invalid JWT token"))
	case p.session == "":
		return named("no_session", Error(http.StatusBadRequest, "sessionId is required"))
	case p.transcription != "true" && p.transcription != "false":
		return named("bad_transcription", Error(http.StatusUnprocessableEntity, "Validation errors: transcription must be a boolean"))
	}
	if script, ok := s.scripts[p.session]; ok {
		return script.next(p.session)
	}
	if script, ok := s.bots[p.bot]; ok {
		return script.next(p.session)
	}
	if s.every != nil {
		return s.every.next(p.session)
	}
	return s.Planned(p.bot, p.session).step(now.Sub(p.ended))
}
