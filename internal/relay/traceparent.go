package relay

import "strings"

// How long a traceparent is in version 00, and where the parts of each version stand: version-trace-parent-flags, digits of hex.
const (
	parentLength = 55
	traceAt      = 3
	spanAt       = 36
	flagsAt      = 53
)

// passable says whether a trace context may be passed on: W3C's traceparent, of which a later version may have more parts, and nothing that could
// grow or break a header.
func (t Trace) passable() bool {
	p := t.Parent
	if len(p) < parentLength || len(p) > 512 || len(t.State) > 512 || p[traceAt-1] != '-' || p[spanAt-1] != '-' || p[flagsAt-1] != '-' {
		return false
	}
	version, id, span := p[:traceAt-1], p[traceAt:spanAt-1], p[spanAt:flagsAt-1]
	if !hex(version) || !hex(id) || !hex(span) || !hex(p[flagsAt:parentLength]) || zeros(id) || zeros(span) || version == "ff" {
		return false
	}
	if more := p[parentLength:]; more != "" && (version == "00" || more[0] != '-') {
		return false
	}
	return !strings.ContainsAny(p, "\r\n") && !strings.ContainsAny(t.State, "\r\n")
}

// hex says that a text is of lower-case digits alone.
func hex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func zeros(s string) bool { return strings.Trim(s, "0") == "" }
