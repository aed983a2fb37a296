package bus

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// keepEvery is how often the keeper makes its round.
const keepEvery = time.Minute

// keep looks after what no delivery leads to, until ctx ends: appointments that did not fire, consumers that hand out nothing, lines that
// nobody serves. Every replica does; each step is guarded, so that two at once do no harm.
func (b *Bus) keep(ctx, work context.Context, h Handler, begin func(func())) {
	for {
		if b.nc.IsConnected() && b.flow.err() == nil { // not Ready: what is wrong may be what the watchdog has found
			b.mend(ctx)
			b.watch(ctx)
			b.sweep(ctx, work, h, begin)
		}
		jitter := time.Duration(rand.Int64N(int64(keepEvery / 6))) // #nosec G404 -- jitter, for replicas that started together
		if sleep(ctx, keepEvery+jitter) != nil {
			return
		}
	}
}

// An Incident is something that the relay mended by itself, or that an operator did to its streams.
type Incident string

const (
	IncidentAppointment Incident = "appointment_mended" // the server had not fired it
	IncidentConsumer    Incident = "consumer_rebuilt"   // it handed out nothing
	IncidentRestored    Incident = "restored"           // a stream, bucket or durable was missing
	IncidentPurged      Incident = "purged"             // messages of the relay's streams, by an operator
	IncidentDenied      Incident = "permission_denied"
)

// Incidents lists every kind.
func Incidents() []Incident {
	return []Incident{IncidentAppointment, IncidentConsumer, IncidentRestored, IncidentPurged, IncidentDenied}
}

// incident counts and logs one.
func (b *Bus) incident(kind Incident, n int, msg string, fields ...zap.Field) {
	b.cfg.Log.Warn(msg, append(fields, zap.Int("count", n))...)
	if b.cfg.Incident != nil {
		b.cfg.Incident(kind, n)
	}
}
