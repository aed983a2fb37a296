package trace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"voicemail-relay/internal/relay"
)

// Handle begins the span of a delivery's handling, as part of the call's trace; a call without one begins its own. destination is where the
// message was, id names it there. It returns a context for what the handling asks for, the trace under which the call goes on, and end, which
// is told whether the delivery was settled.
func (t *Tracer) Handle(ctx context.Context, d *relay.Delivery, destination, id string) (context.Context, relay.Trace, func(error)) {
	ctx = t.words.Extract(ctx, (*carrier)(&d.Call.Trace))
	ctx, span := t.tracer.Start(ctx, "process "+destination, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(messaging("process", "process", destination)...)
		span.SetAttributes(attribute.String("messaging.message.id", id), attribute.Int64("voicemail_relay.deliveries", int64(d.Deliveries))) // #nosec G115 -- a number of deliveries
		span.SetAttributes(ids(d.Call)...)
	}
	return ctx, t.context(ctx), func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "not settled")
		}
		span.End()
	}
}

// Settle notes in Handle's span what was decided, and begins the span of the message that goes out for it to destination; for a repeat none
// goes out. It returns a context for the storing, the trace that the message is to carry, and end, which is told whether it is stored.
func (t *Tracer) Settle(ctx context.Context, o relay.Outcome, destination string) (context.Context, relay.Trace, func(error)) {
	handling := trace.SpanFromContext(ctx)
	if handling.IsRecording() {
		handling.SetAttributes(outcome(o)...)
		if v, ok := o.(*relay.Verdict); ok && v.Kind == relay.KindFailed {
			handling.SetStatus(codes.Error, string(v.Reason))
		}
	}
	if _, repeat := o.(*relay.Fold); repeat {
		return ctx, t.context(ctx), func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, "publish "+destination, trace.WithSpanKind(trace.SpanKindProducer))
	if span.IsRecording() {
		span.SetAttributes(messaging("publish", "send", destination)...)
		if v, ok := o.(*relay.Verdict); ok {
			span.SetAttributes(attribute.String("messaging.message.id", v.ID))
		}
	}
	return ctx, t.context(ctx), func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "not stored")
		}
		span.End()
	}
}

// context is the trace of a context's span.
func (t *Tracer) context(ctx context.Context) relay.Trace {
	var c carrier
	t.words.Inject(ctx, &c)
	return relay.Trace(c)
}

func messaging(operation, kind, destination string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", operation),
		attribute.String("messaging.operation.type", kind), attribute.String("messaging.destination.name", destination)}
}

func ids(c relay.Call) (as []attribute.KeyValue) {
	if c.Bot != "" {
		as = append(as, attribute.String("voicemail_relay.bot", c.Bot))
	}
	if c.Session != "" {
		as = append(as, attribute.String("voicemail_relay.session", c.Session))
	}
	return as
}

// outcome is what the log says of it: names out of closed sets, and counts.
func outcome(o relay.Outcome) (as []attribute.KeyValue) {
	text := func(name, value string) {
		if value != "" {
			as = append(as, attribute.String("voicemail_relay."+name, value))
		}
	}
	spent := func(account string, requests, attempts int) {
		text("account", account)
		as = append(as, attribute.Int("voicemail_relay.requests", requests), attribute.Int("voicemail_relay.attempts", attempts))
	}
	switch o := o.(type) {
	case *relay.Verdict:
		text("outcome", string(o.Kind))
		text("reason", string(o.Reason))
		spent(o.Account, o.Requests, o.Attempts)
	case *relay.Later:
		text("outcome", "later")
		text("reason", o.Why)
		text("class", string(o.Class))
		spent(o.Account, o.History.Requests, o.History.Attempts)
	case *relay.Fold:
		text("outcome", "repeat")
		text("reason", o.Why)
	}
	return as
}

// A carrier holds a trace context as W3C writes it. The names of headers are the business of who reads and writes those.
type carrier relay.Trace

func (c *carrier) Get(name string) string {
	switch name {
	case "traceparent":
		return c.Parent
	case "tracestate":
		return c.State
	}
	return ""
}

func (c *carrier) Set(name, value string) {
	switch name {
	case "traceparent":
		c.Parent = value
	case "tracestate":
		c.State = value
	}
}

func (c *carrier) Keys() []string { return []string{"traceparent", "tracestate"} }
