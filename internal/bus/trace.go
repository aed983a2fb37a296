package bus

import (
	"context"
	"strconv"

	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// A Tracer makes spans of a call's way through the bus: *trace.Tracer. Each method returns the trace under which the call goes on, and end, to
// be called once.
type Tracer interface {
	// Handle begins the handling of a delivery, which id names at its destination. end is told whether it is settled.
	Handle(ctx context.Context, d *relay.Delivery, destination, id string) (handling context.Context, goesOn relay.Trace, end func(error))
	// Settle begins the settling of what was decided in Handle's context, by a message to destination. end is told whether that is stored.
	Settle(ctx context.Context, o relay.Outcome, destination string) (settling context.Context, goesOn relay.Trace, end func(error))
}

// decideTraced is decide in a span.
func (b *Bus) decideTraced(ctx context.Context, h Handler, fl *flight, t *turn) error {
	from := b.cfg.CallsSubject
	if fl.Line {
		from = b.cfg.workSubject() // where within it says nothing to people
	}
	var end func(error)
	ctx, fl.Call.Trace, end = b.cfg.Tracer.Handle(ctx, &fl.Delivery, from, fl.stream+"/"+strconv.FormatUint(fl.sequence, 10))
	err := b.decide(ctx, h, fl, t)
	end(err)
	return err
}

// settleTraced is settle in the span of the message that it stores; the message carries that on.
func (b *Bus) settleTraced(ctx context.Context, fl *flight, o relay.Outcome, t *turn) error {
	var end func(error)
	switch v := o.(type) {
	case *relay.Verdict:
		ctx, v.Call.Trace, end = b.cfg.Tracer.Settle(ctx, o, b.cfg.verdict(v.Kind))
	case *relay.Later:
		ctx, v.Call.Trace, end = b.cfg.Tracer.Settle(ctx, o, b.cfg.workSubject())
	case *relay.Fold:
		ctx, v.Call.Trace, end = b.cfg.Tracer.Settle(ctx, o, "")
	}
	err := b.settle(ctx, fl, o, t)
	end(err)
	return err
}

// traceID is a log line's field for the trace that a call belongs to, if it does.
func traceID(c relay.Call) zap.Field {
	if id := c.Trace.ID(); id != "" {
		return zap.String("trace_id", id)
	}
	return zap.Skip()
}
