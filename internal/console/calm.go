package console

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How many lines of one message are written within a second. What is told at info is not left out: one line a call is the trail of what
// became of it.
const (
	mostWarnings = 10 // and errors
	mostDebug    = 1000
	mostKinds    = 1000 // messages that are told apart
)

// Calm keeps a storm, such as a server's restart with calls in hand, from flooding a log: of one message so many lines a second are written,
// and then one that says how many more there were. Loggers that With has made count for themselves.
func Calm(core zapcore.Core) zapcore.Core {
	return calm{Core: core, storms: &storms{kinds: map[kind]*storm{}}}
}

type calm struct {
	zapcore.Core
	logger int
	storms *storms
}

func (c calm) With(fields []zapcore.Field) zapcore.Core {
	return calm{Core: c.Core.With(fields), logger: c.storms.another(), storms: c.storms}
}

// Check implements zapcore.Core.
func (c calm) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) || !c.storms.pass(c, e) {
		return ce
	}
	return c.Core.Check(e, ce)
}

// Sync says what is left to say first.
func (c calm) Sync() error {
	c.storms.tellAll()
	return c.Core.Sync()
}

// storms count lines by their kind.
type storms struct {
	mu      sync.Mutex
	loggers int
	kinds   map[kind]*storm
}

type kind struct {
	logger  int
	level   zapcore.Level
	message string
}

// A storm is one kind's second.
type storm struct {
	kind
	core  zapcore.Core
	began time.Time
	lines int
	left  int // out, and not told yet
}

func (s *storms) another() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loggers++
	return s.loggers
}

// pass says whether a line is to be written.
func (s *storms) pass(c calm, e zapcore.Entry) bool {
	most := mostWarnings
	switch e.Level {
	case zapcore.InfoLevel:
		return true
	case zapcore.DebugLevel:
		most = mostDebug
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := kind{c.logger, e.Level, e.Message}
	st := s.kinds[k]
	if st == nil {
		if len(s.kinds) >= mostKinds { // messages that differ each time: they are one kind
			k.message = "other messages"
			st = s.kinds[k]
		}
		if st == nil {
			st = &storm{kind: k, core: c.Core}
			s.kinds[k] = st
		}
	}
	if since := e.Time.Sub(st.began); since >= time.Second || since < 0 {
		st.began, st.lines = e.Time, 0
	}
	if st.lines++; st.lines <= most {
		return true
	}
	if st.left++; st.left == 1 {
		time.AfterFunc(time.Second-e.Time.Sub(st.began), func() { s.tell(st) })
	}
	return false
}

// tell writes how many lines were left out.
func (s *storms) tell(st *storm) {
	s.mu.Lock()
	left := st.left
	st.left = 0
	s.mu.Unlock()
	if left > 0 {
		_ = st.core.Write(zapcore.Entry{Level: st.level, Time: time.Now(), Message: "more lines were left out"},
			[]zapcore.Field{zap.String("of", st.message), zap.Int("count", left)})
	}
}

func (s *storms) tellAll() {
	s.mu.Lock()
	all := make([]*storm, 0, len(s.kinds))
	for _, st := range s.kinds {
		all = append(all, st)
	}
	s.mu.Unlock()
	for _, st := range all {
		s.tell(st)
	}
}
