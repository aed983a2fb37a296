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
func (b *Bus) event(v *relay.Verdict, limit int) *nats.Msg {
	m := nats.NewMsg(b.cfg.verdict(v.Kind))
	m.Header.Set(nats.MsgIdHdr, v.ID)
	m.Header.Set("Nats-Expected-Stream", b.cfg.verdictStream())
	setTrace(m.Header, v.Call.Trace)
	attrs := [][2]string{
		{"specversion", "1.0"}, {"id", v.ID}, {"source", source}, {"type", "voicemail." + string(v.Kind)},
		{"subject", v.Call.Session}, {"time", v.At.UTC().Format(time.RFC3339Nano)}, {"datacontenttype", "application/json"},
	}
	if b.cfg.Structured {
		m.Header.Set("Content-Type", "application/cloudevents+json")
		m.Data = []byte{'{'}
		for _, a := range attrs {
			if a[1] != "" {
				m.Data = append(append(append(append(m.Data, '"'), a[0]...), '"', ':'), quoted(a[1])...)
				m.Data = append(m.Data, ',')
			}
		}
		m.Data = append(m.Data, `"data":`...)
		m.Data = append(append(m.Data, v.Body(limit-overhead(m))...), '}')
		return m
	}
	for _, a := range attrs {
		if a[1] != "" {
			m.Header["ce-"+a[0]] = []string{a[1]} // names keep their case: Header.Set would write Ce-Id
		}
	}
	m.Data = v.Body(limit - overhead(m))
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
