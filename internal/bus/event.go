package bus

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// source names the relay in its CloudEvents.
const source = "/voicemail-relay"

// event writes a verdict as a CloudEvent (NATS protocol binding 1.0.3) of at most limit bytes with its headers. The values are plain ASCII
// as they are, so that readers which do not percent-decode agree with those that do.
func (b *Bus) event(v *relay.Verdict, limit int) *draft {
	attrs := [...][2]string{
		{"ce-specversion", "1.0"}, {"ce-id", v.ID}, {"ce-source", source}, {"ce-type", "voicemail." + string(v.Kind)},
		{"ce-subject", v.Call.Session}, {"ce-time", v.At.UTC().Format(time.RFC3339Nano)}, {"ce-datacontenttype", "application/json"},
	}
	m := newDraft(b.cfg.verdict(v.Kind))
	m.set(nats.MsgIdHdr, v.ID)
	m.set("Nats-Expected-Stream", b.cfg.verdictStream())
	m.setTrace(v.Call.Trace)
	if b.cfg.Structured {
		m.set("Content-Type", "application/cloudevents+json")
		m.Data = append(m.Data, '{')
		for _, a := range attrs {
			if a[1] != "" {
				m.Data = append(append(append(append(m.Data, '"'), a[0][len("ce-"):]...), '"', ':'), quoted(a[1])...)
				m.Data = append(m.Data, ',')
			}
		}
		m.Data = append(m.Data, `"data":`...)
		m.Data = append(v.AppendBody(m.Data, limit-overhead(&m.Msg)), '}')
		return m
	}
	for _, a := range attrs {
		if a[1] != "" {
			m.set(a[0], a[1])
		}
	}
	m.Data = v.AppendBody(m.Data, limit-overhead(&m.Msg))
	return m
}

// overhead is what a message takes of the server's max_payload beside its body; a little more, for what the client adds.
func overhead(m *nats.Msg) int {
	n := 256 + len(m.Data)
	for k, vs := range m.Header {
		for _, v := range vs {
			n += len(k) + len(v) + 4
		}
	}
	return n
}

// quoted is a JSON string of plain ASCII.
func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always encodes
	return b
}
