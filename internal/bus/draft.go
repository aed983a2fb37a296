package bus

import (
	"sync"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// A draft is a message to write, with memory for its header and body. The client has copied a message when it has sent it, so one draft serves
// call after call: a new one for each would be a fifth of what a call gives the collector to do.
type draft struct {
	nats.Msg
	values [16]string // of the header, one behind the other: a slice of its own for each would be as many allocations
	used   int
}

// mostDrafted is how large a body's memory may be to be kept.
const mostDrafted = 16 << 10

var drafts = sync.Pool{New: func() any { return &draft{Msg: nats.Msg{Header: nats.Header{}}} }}

// newDraft returns an empty one.
func newDraft(subject string) *draft {
	d := drafts.Get().(*draft)
	d.Subject = subject
	return d
}

// set adds a header. Names keep their case: other libraries' Header.Set would write Ce-Id.
func (d *draft) set(name, value string) {
	d.values[d.used] = value
	d.Header[name] = d.values[d.used : d.used+1 : d.used+1]
	d.used++
}

func (d *draft) setTrace(t relay.Trace) {
	if t.Parent != "" {
		d.set("traceparent", t.Parent)
	}
	if t.State != "" {
		d.set("tracestate", t.State)
	}
}

// free gives the memory back: the message must not be used after it.
func (d *draft) free() {
	if cap(d.Data) > mostDrafted {
		return
	}
	clear(d.Header)
	clear(d.values[:d.used])
	d.Subject, d.Reply, d.Data, d.used = "", "", d.Data[:0], 0
	drafts.Put(d)
}
