package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"voicemail-relay/internal/trace"
)

// tracing starts traces where the environment asks for them. What is wrong with its OTEL_ variables is logged, and keeps no call waiting.
func (a *app) tracing(ctx context.Context, log *zap.Logger) *trace.Tracer {
	wanted, err := trace.Wanted(a.environ)
	var t *trace.Tracer
	if wanted {
		t, err = trace.Start(ctx, trace.Config{Version: version(), Log: log})
	}
	if err != nil {
		log.Error("no traces are sent: an OTEL_ variable is wrong", zap.Error(err))
	}
	return t
}

// lastSpans is how long a collector may take for the last spans: one that answers takes them at once.
const lastSpans = 3 * time.Second

// endTracing sends the last spans, within lastSpans and by a date, the end of shutdown_grace. What is left then is given up.
func endTracing(t *trace.Tracer, by time.Time, log *zap.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(time.Until(by), lastSpans))
	defer cancel()
	switch unsent, err := t.Stop(ctx); {
	case err != nil:
		log.Warn("the last spans could not be sent: they are given up", zap.Int64("unsent_since_start", unsent), zap.Error(err))
	case unsent > 0:
		log.Warn("spans were given up", zap.Int64("unsent_since_start", unsent))
	}
}
