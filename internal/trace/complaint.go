package trace

import (
	"context"
	"errors"
	"net"
	"net/url"
	"regexp"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
)

// quote has OpenTelemetry complain in the relay's log. It knows one place for that in a process, and would write to standard error by itself,
// values of variables included: OTEL_EXPORTER_OTLP_HEADERS holds a secret.
func quote(log *zap.Logger) {
	otel.SetLogger(logr.New(complaints{log}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("traces are not made as the OTEL_ variables say; calls go on without", zap.String("of", class(err)))
	}))
}

var refused = regexp.MustCompile(`failed to send to .*?: (\d{3} [A-Za-z ]+)`)

// class is what kind of error it is. Its text may hold the endpoint's URL, in which a secret may stand, and the collector's words.
func class(err error) string {
	var at *url.Error
	var way *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &way):
		return way.Op + ": " + way.Err.Error()
	case errors.As(err, &at):
		return at.Err.Error()
	}
	if status := refused.FindStringSubmatch(err.Error()); status != nil {
		return "the collector answers " + status[1]
	}
	return "another error"
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
