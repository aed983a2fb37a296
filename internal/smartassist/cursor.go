package smartassist

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// cursor walks through valid JSON once, from left to right. Whatever is of another type than expected is passed over: types that went astray
// never make an answer unreadable. Types with UnmarshalJSON methods can do the same, at several times the cost: each level scans its part anew.
type cursor struct {
	b []byte
	i int
}

// objectIn returns a cursor at a JSON object, and false when the body is not one.
func objectIn(body []byte) (cursor, bool) {
	c := cursor{b: body}
	return c, valid(body) && c.kind() == '{'
}

// kind goes to the next value, and returns its first byte.
func (c *cursor) kind() byte {
	for space(c.b[c.i]) {
		c.i++
	}
	return c.b[c.i]
}

func space(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

func endsScalar(b byte) bool { return b == ',' || b == '}' || b == ']' || space(b) }

// skip passes a value and returns it.
func (c *cursor) skip() []byte {
	c.kind()
	start := c.i
	for depth := 0; ; {
		switch c.b[c.i] {
		case '"':
			c.closing()
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		default:
			for depth == 0 && c.i+1 < len(c.b) && !endsScalar(c.b[c.i+1]) {
				c.i++
			}
		}
		c.i++
		if depth == 0 {
			return c.b[start:c.i]
		}
	}
}

// closing goes from a string's opening quote to its closing one: that before which no backslash stands, or an even number of them.
func (c *cursor) closing() {
	for {
		c.i++
		c.i += bytes.IndexByte(c.b[c.i:], '"')
		escapes := 0
		for c.b[c.i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return
		}
	}
}

// enter goes into an object or list. It passes anything that does not begin as it should, and says false.
func (c *cursor) enter(opening byte) bool {
	if c.kind() != opening {
		c.skip()
		return false
	}
	c.i++
	return true
}

// more goes to the next entry, or past the end when there is none.
func (c *cursor) more() bool {
	if c.kind() == ',' {
		c.i++
		c.kind()
	}
	if c.b[c.i] == '}' || c.b[c.i] == ']' {
		c.i++
		return false
	}
	return true
}

// fields yields an object's keys, the cursor before their values. A value that is left alone is passed; anything but an object has no fields.
// The loop must not be left early.
func (c *cursor) fields() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !c.enter('{') {
			return
		}
		for c.more() {
			quoted := c.skip()
			key := quoted[1 : len(quoted)-1]
			if bytes.IndexByte(key, '\\') >= 0 {
				key = []byte(unquoted(quoted))
			}
			c.kind() // the colon
			c.i++
			c.kind()
			at := c.i
			if !yield(key) {
				return
			}
			if c.i == at {
				c.skip()
			}
		}
	}
}

// under yields where an object has a field of that name, the cursor before its value.
func (c *cursor) under(name string) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for key := range c.fields() {
			if string(key) == name && !yield(struct{}{}) {
				return
			}
		}
	}
}

// objects yields for each object in a list, the cursor before it. An entry of another kind is passed, as is one that is left alone; anything
// but a list has no entries. The loop must not be left early.
func (c *cursor) objects() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		if !c.enter('[') {
			return
		}
		for c.more() {
			at := c.i
			if c.b[c.i] == '{' && !yield(struct{}{}) {
				return
			}
			if c.i == at {
				c.skip()
			}
		}
	}
}

// objectsOrOne is objects, where an object alone counts as a list of one.
func (c *cursor) objectsOrOne() iter.Seq[struct{}] {
	if c.kind() != '{' {
		return c.objects()
	}
	return func(yield func(struct{}) bool) { yield(struct{}{}) }
}

// text reads a string; it is empty for anything else.
func (c *cursor) text() string {
	if c.kind() != '"' {
		c.skip()
		return ""
	}
	return unquoted(c.skip())
}

// word reads a string, or a number as it is printed; it is empty for anything else.
func (c *cursor) word() string {
	if k := c.kind(); k == '-' || k >= '0' && k <= '9' {
		return string(c.skip())
	}
	return c.text()
}

// unquoted is the text of a JSON string.
func unquoted(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}
