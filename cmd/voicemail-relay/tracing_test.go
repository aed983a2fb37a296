package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/trace"
)

// mute is a collector that never answers.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A collector that is dead takes no more of a shutdown than a few seconds, and nothing beyond its grace.
func TestDeadCollectorDoesNotHoldUpTheEnd(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test:4318")
	for grace, want := range map[time.Duration]time.Duration{time.Minute: lastSpans, time.Second: time.Second, -time.Second: 0} {
		bubble(t, func(t *testing.T) {
			log := &lockedBuffer{}
			l := logger(log, settings.Log{Level: "debug", Format: "json"})
			tracer, err := trace.Start(context.Background(), trace.Config{Version: "test", Log: l, Client: &http.Client{Transport: mute{}}})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_, _, end := tracer.Handle(context.Background(), &relay.Delivery{}, "call.ended", "CALLS/1")
				end(nil)
			}
			start := time.Now()
			endTracing(tracer, start.Add(grace), l)
			if took := time.Since(start); took != want {
				t.Errorf("with %s left of the grace the last spans take %s, want %s", grace, took, want)
			}
			if !strings.Contains(log.String(), `given up","unsent_since_start":3`) {
				t.Errorf("the log does not say that 3 spans are given up: %s", log.String())
			}
			pass(10 * time.Minute) // what is under way ends by its own time
		})
	}
}
