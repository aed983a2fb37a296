package bus

import (
	"strings"
	"testing"

	"voicemail-relay/internal/relay"
)

func TestDraftsHoldNothingOfTheOneBefore(t *testing.T) {
	for _, body := range []string{"body", strings.Repeat("large", mostDrafted)} {
		d := newDraft("first")
		d.set("ce-id", "1")
		d.set("ce-type", "2")
		d.setTrace(relay.Trace{Parent: "3", State: "4"})
		for name, want := range map[string]string{"ce-id": "1", "ce-type": "2", "traceparent": "3", "tracestate": "4"} {
			if got := d.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("header %s is %q, want %q alone", name, got, want)
			}
		}
		d.Reply, d.Data = "reply", append(d.Data, body...)
		d.free()
		for range 3 {
			next := newDraft("second")
			if next.Subject != "second" || next.Reply != "" || len(next.Header) > 0 || len(next.Data) > 0 || next.used > 0 {
				t.Errorf("a new draft has subject %q, reply %q, header %v, %d bytes", next.Subject, next.Reply, next.Header, len(next.Data))
			}
			if cap(next.Data) > mostDrafted {
				t.Errorf("the memory of a body of %d bytes is kept", cap(next.Data))
			}
		}
	}
}
