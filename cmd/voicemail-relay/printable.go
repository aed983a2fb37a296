package main

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// printable writes texts of others so that they cannot drive a terminal: control characters come out as they would be written in JSON, which they
// may stand in, and bytes that are no text as U+FFFD. Only lines and tabs are ours.
type printable struct{ w io.Writer }

func (p printable) Write(b []byte) (int, error) {
	var out []byte
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, "\uFFFD"...)
		case r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if _, err := p.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
