package console

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// A Journal writes one line per settled delivery, out of a closed set of fields: verdicts at info, appointments and repeats at debug. A
// bot's and a session's ids are in it; payloads, tokens, links and callers' numbers never are. A call that belongs to a trace is told with its
// trace_id; where the relay makes spans, with the span_id of the one in which the line was written.
type Journal struct {
	Log     *zap.Logger
	Metrics *Metrics
	Traced  bool // the relay makes spans
}

// Verdict tells a call's verdict as the stream holds it. repeat says that it stood there before.
func (j Journal) Verdict(v *relay.Verdict, rec relay.Record, repeat bool) {
	j.Metrics.Settled(rec, v.Call.EndedAt)
	lent := lines.Get().(*[]zap.Field)
	fields := append(j.ids((*lent)[:0], v.Call), zap.String("verdict", string(rec.Verdict)), zap.String("account", v.Account),
		zap.Int("requests", rec.Requests), zap.Int("attempts", rec.Attempts), zap.Uint64("seq", rec.Sequence))
	if rec.Reason != "" {
		fields = append(fields, zap.String("reason", rec.Reason))
	}
	if rec.Verdict == relay.KindReady && v.Kind == relay.KindReady {
		fields = append(fields, zap.String("transcript_status", string(v.TranscriptStatus)))
	}
	if rec.Verdict == relay.KindFailed && v.Kind == relay.KindFailed {
		fields = append(fields, zap.String("error", v.Error))
	}
	if !v.Call.EndedAt.IsZero() {
		fields = append(fields, zap.Duration("after", rec.At.Sub(v.Call.EndedAt).Round(time.Millisecond)))
	}
	if repeat {
		fields = append(fields, zap.Bool("stored_before", true))
	}
	j.Log.Info("settled", fields...)
	clear(fields) // the calls are not to be held
	*lent = fields
	lines.Put(lent)
}

// Later tells an appointment.
func (j Journal) Later(l *relay.Later, repeat bool) {
	if repeat {
		j.Fold(&relay.Fold{Call: l.Call, Why: "on its way"})
		return
	}
	j.Metrics.PutOff(l.Why)
	j.Log.Debug("later", append(j.ids(nil, l.Call), zap.String("account", l.Account), zap.Time("at", l.At), zap.String("class", string(l.Class)),
		zap.String("why", l.Why), zap.Int("requests", l.History.Requests), zap.Int("attempts", l.History.Attempts))...)
}

// Fold tells a repeat.
func (j Journal) Fold(f *relay.Fold) {
	j.Metrics.Folded()
	j.Log.Debug("repeat", append(j.ids(nil, f.Call), zap.String("why", f.Why))...)
}

// lines are fields' memory, used again: a verdict's line has a kilobyte of them.
var lines = sync.Pool{New: func() any { f := make([]zap.Field, 0, 14); return &f }}

func (j Journal) ids(f []zap.Field, c relay.Call) []zap.Field {
	if c.Bot != "" {
		f = append(f, zap.String("bot", c.Bot))
	}
	if c.Session != "" {
		f = append(f, zap.String("session", c.Session))
	}
	if id := c.Trace.ID(); id != "" {
		f = append(f, zap.String("trace_id", id))
		if j.Traced {
			f = append(f, zap.String("span_id", c.Trace.Span()))
		}
	}
	return f
}
