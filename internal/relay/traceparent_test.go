package relay

import (
	"strings"
	"testing"
)

func TestTraceContextsPassOnlyAsW3CWritesThem(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const good = "00-" + id + "-" + span + "-01"
	rows := []struct {
		name, parent string
		passes       bool
	}{
		{"version 00", good, true},
		{"unsampled", "00-" + id + "-" + span + "-00", true},
		{"flags that are not known yet", "00-" + id + "-" + span + "-ff", true},
		{"with spaces around", " " + good + "\t", true},
		{"a later version", "cc-" + id + "-" + span + "-01", true},
		{"a later version with more", "cc-" + id + "-" + span + "-01-what the future brings", true},
		{"a later version with nothing more", "cc-" + id + "-" + span + "-01-", true},
		{"none", "", false},
		{"version 00 with garbage behind", good + "garbage", false},
		{"version 00 with more", good + "-what the future brings", false},
		{"version 00 with nothing more", good + "-", false},
		{"a later version with garbage behind", "cc-" + id + "-" + span + "-01garbage", false},
		{"a later version with more beyond another line", "cc-" + id + "-" + span + "-01-\r\nx", false},
		{"a later version with too much more", "cc-" + id + "-" + span + "-01-" + strings.Repeat("x", 512), false},
		{"version ff", "ff-" + id + "-" + span + "-01", false},
		{"a version that is none", "0g-" + id + "-" + span + "-01", false},
		{"cut", good[:54], false},
		{"a trace of zeros", "00-" + strings.Repeat("0", 32) + "-" + span + "-01", false},
		{"a parent of zeros", "00-" + id + "-" + strings.Repeat("0", 16) + "-01", false},
		{"capitals", "00-" + strings.ToUpper(id) + "-" + span + "-01", false},
		{"no digits in the trace", "00-" + id[:31] + "x-" + span + "-01", false},
		{"no digits in the parent", "00-" + id + "-" + span[:15] + "/-01", false},
		{"no digits in the flags", "00-" + id + "-" + span + "-0:", false},
		{"other dashes", "00_" + id + "_" + span + "_01", false},
		{"something before it", "x" + good, false},
	}
	for _, row := range rows {
		c, err := Parse(Event{Body: []byte(`{"botId":"st-1","sessionId":"s1"}`), Stored: ended, Header: map[string][]string{"traceparent": {row.parent}, "tracestate": {"a=b"}}})
		want := Trace{}
		if row.passes {
			want = Trace{strings.TrimSpace(row.parent), "a=b"}
		}
		if err != nil || c.Trace != want {
			t.Errorf("%s: %q is continued as %+v (%v), want %+v", row.name, row.parent, c.Trace, err, want)
		}
	}
}
