package trace

import (
	"errors"
	"net/url"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
)

// quote has OpenTelemetry complain in the relay's log. It knows one place for that in a process, and would write to standard error by itself,
// values of variables included: OTEL_EXPORTER_OTLP_HEADERS holds a secret.
func quote(log *zap.Logger) {
	if log == nil {
		log = zap.NewNop()
	}
	otel.SetLogger(logr.New(complaints{log}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		var at *url.Error
		if errors.As(err, &at) { // an endpoint's URL may hold a secret, too
			err = at.Err
		}
		log.Warn("traces are not sent, or not as the OTEL_ variables say; calls go on without", zap.Error(err))
	}))
}

// complaints takes what OpenTelemetry logs, without the values beside it.
type complaints struct{ log *zap.Logger }

// Enabled takes what it calls a warning, and no less.
func (complaints) Enabled(level int) bool { return level <= 1 }

func (c complaints) Info(_ int, msg string, _ ...any) {
	c.log.Warn("opentelemetry warns", zap.String("of", msg))
}

func (c complaints) Error(_ error, msg string, _ ...any) {
	c.log.Warn("opentelemetry cannot use one of the OTEL_ variables", zap.String("cannot", msg))
}

func (complaints) Init(logr.RuntimeInfo)            {}
func (c complaints) WithValues(...any) logr.LogSink { return c }
func (c complaints) WithName(string) logr.LogSink   { return c }
