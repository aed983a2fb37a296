package trace

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
)

// tellEvery is how often a collector that takes no spans is logged.
const tellEvery = time.Minute

// A sender counts what the collector has taken, and tells when it takes nothing. Spans come to it in batches, one after the other.
type sender struct {
	sdk.SpanExporter
	log  *zap.Logger
	sent atomic.Int64
	told time.Time
}

// ExportSpans sends spans to the collector.
func (s *sender) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		s.sent.Add(int64(len(spans)))
		return nil
	}
	if now := time.Now(); now.Sub(s.told) >= tellEvery {
		s.told = now
		s.log.Warn("traces are not sent; calls go on without: check the collector, and the variable that names it", zap.String("variable", endpoint()), zap.String("of", class(err)))
	}
	return nil // it is told
}

// endpoint is the variable that says where the collector is.
func endpoint() string {
	const all, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	if os.Getenv(traces) != "" {
		return traces
	}
	return all
}

// A tally counts the spans that are to be sent.
type tally struct {
	sdk.SpanProcessor
	ended atomic.Int64
}

// OnEnd takes a span that has ended.
func (t *tally) OnEnd(s sdk.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		t.ended.Add(1)
	}
	t.SpanProcessor.OnEnd(s)
}
