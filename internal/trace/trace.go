// Package trace shows a call's way as one OpenTelemetry trace: from its publisher's span over every delivery, request and appointment to the
// event of its verdict. It makes the spans and sends them, by OTLP over HTTP; what happens to a call it neither knows nor changes.
//
// A span holds the ids of bot and session, names, counts and what came of it. Bodies, URLs, headers and the texts of errors never are in one.
package trace

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// Config describes what the environment does not.
type Config struct {
	Version string       // of the program
	Log     *zap.Logger  // told of what OpenTelemetry complains about
	Client  *http.Client // to the collector; nil: the exporter's own, by the variables
}

// A Tracer makes spans. Its methods may be called from many goroutines, and never wait for a collector: spans that it does not take in time are
// dropped.
type Tracer struct {
	sender *sender
	tally  *tally
	tracer trace.Tracer
	words  propagation.TraceContext
}

// Wanted says whether the environment asks for traces: by an endpoint, or by OTEL_TRACES_EXPORTER=otlp, unless OTEL_SDK_DISABLED is true. The
// error says that it asks for what is not there.
func Wanted(environ []string) (bool, error) {
	env := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = strings.TrimSpace(value)
	}
	if strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") {
		return false, nil
	}
	switch exporter := env["OTEL_TRACES_EXPORTER"]; exporter {
	case "none":
		return false, nil
	case "otlp":
		return true, nil
	case "":
		return env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "", nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is not known: set otlp or none", exporter)
	}
}

// Start makes a tracer by the standard OTEL_… variables, which the SDK reads from the process's environment. A collector is not waited for.
func Start(ctx context.Context, cfg Config) (*Tracer, error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	quote(cfg.Log)
	var opts []otlptracehttp.Option
	if cfg.Client != nil {
		opts = append(opts, otlptracehttp.WithHTTPClient(cfg.Client))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	host, _ := os.Hostname()
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "voicemail-relay"), attribute.String("service.version", cfg.Version),
		attribute.String("service.instance.id", rand.Text()), attribute.String("host.name", host)), resource.WithFromEnv())
	if err != nil { // a variable that cannot be read, in part: what could be is in it
		otel.Handle(err)
	}
	send := &sender{SpanExporter: exporter, log: cfg.Log}
	count := &tally{SpanProcessor: sdk.NewBatchSpanProcessor(send)}
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(count), sdk.WithResource(res))
	return &Tracer{sender: send, tally: count, tracer: provider.Tracer("voicemail-relay", trace.WithInstrumentationVersion(cfg.Version))}, nil
}

// Stop sends what is left, until ctx ends. It returns how many of the spans that were to be sent since Start never were: the collector did not
// take them, or not in time.
func (t *Tracer) Stop(ctx context.Context) (unsent int64, err error) {
	if err = t.tally.Shutdown(ctx); err != nil { // not the provider's: after ctx's end that does nothing
		err = fmt.Errorf("traces: %w", err)
	}
	return t.tally.ended.Load() - t.sender.sent.Load(), err
}
