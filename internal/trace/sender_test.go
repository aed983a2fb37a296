package trace

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"voicemail-relay/internal/relay"
)

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// A collector that is gone for long is told once a minute, by the variable to look at, and what it missed is counted at the end.
func TestCollectorThatIsGoneIsToldOnceAMinute(t *testing.T) {
	for variable, endpoint := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces.test/canary-token"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all.test/canary-token")
			t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-token")
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.DebugLevel)
				tracer, err := Start(t.Context(), Config{Version: "test", Log: zap.New(core), Client: &http.Client{Transport: refusing{}}})
				if err != nil {
					t.Fatal(err)
				}
				const spans = 60
				for range spans { // five minutes
					_, _, end := tracer.Handle(t.Context(), &relay.Delivery{}, "call.ended", "CALLS/1")
					end(nil)
					<-time.After(5 * time.Second)
				}
				if unsent, err := tracer.Stop(context.Background()); unsent != spans || err != nil {
					t.Errorf("%d spans were not sent (%v), want all %d", unsent, err, spans)
				}
				if n := logs.Len(); n < 4 || n > 6 {
					t.Errorf("%d lines in five minutes, want one a minute", n)
				}
				for _, line := range logs.All() {
					fields := line.ContextMap()
					if !strings.HasPrefix(line.Message, "traces are not sent") || fields["variable"] != variable || fields["of"] != "connection refused" || len(fields) != 2 {
						t.Errorf("it is told as %q %v, want that traces are not sent, %s and the kind of error", line.Message, fields, variable)
					}
				}
			})
		})
	}
}
