package trace

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Transport makes a span of each request that goes through a transport under a recorded span: from before its connection to the end of its
// answer's body. template is the path without ids. The trace stays in the house: the API is told nothing of it.
func (t *Tracer) Transport(base http.RoundTripper, template string) http.RoundTripper {
	return transport{base, t.tracer, template}
}

type transport struct {
	base     http.RoundTripper
	tracer   trace.Tracer
	template string
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !trace.SpanFromContext(req.Context()).IsRecording() {
		return t.base.RoundTrip(req)
	}
	_, span := t.tracer.Start(req.Context(), req.Method+" "+t.template, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", req.Method), attribute.String("url.template", t.template),
		attribute.String("url.scheme", req.URL.Scheme), attribute.String("server.address", req.URL.Hostname()), attribute.Int("server.port", port(req))))
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		unanswered(span, err)
		span.End()
		return resp, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		wrong(span, strconv.Itoa(resp.StatusCode))
	}
	resp.Body = &body{ReadCloser: resp.Body, span: span}
	return resp, nil
}

// CloseIdleConnections closes those of the transport beneath.
func (t transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func port(req *http.Request) int {
	if n, err := strconv.Atoi(req.URL.Port()); err == nil {
		return n
	}
	if req.URL.Scheme == "http" {
		return 80
	}
	return 443
}

// body ends a request's span when it is closed.
type body struct {
	io.ReadCloser
	span trace.Span
	once sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		unanswered(b.span, err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.span.End() })
	return err
}

// unanswered names an error by a word: its text may quote the request.
func unanswered(span trace.Span, err error) {
	var slow interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		wrong(span, "cancelled")
	case errors.As(err, &slow) && slow.Timeout():
		wrong(span, "timeout")
	default:
		wrong(span, "unreachable")
	}
}

func wrong(span trace.Span, kind string) {
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, "")
}
