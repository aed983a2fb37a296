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

// endTracing sends the last spans, by a date, but within a second at least.
func endTracing(t *trace.Tracer, by time.Time, log *zap.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(time.Until(by), time.Second))
	defer cancel()
	if err := t.Stop(ctx); err != nil {
		log.Warn("the last spans could not be sent", zap.Error(err))
	}
}
