package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// object is a JSON object whose fields keep their order, and their values' bytes. Of a name that is given twice the last value counts.
type object []field

type field struct {
	name string
	raw  json.RawMessage
}

// parseObject reads one JSON object and nothing after it. The error completes "the event is …".
func parseObject(b []byte) (object, error) {
	b = bytes.Trim(b, " \t\r\n")
	if len(b) == 0 || b[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	if !json.Valid(b) {
		return nil, whyInvalid(b)
	}
	o := object{}
	var at map[string]int // where each name stands, once there are many
	for i := 1; ; i++ {   // behind the brace, or the comma
		i = skipSpace(b, i)
		if b[i] == '}' {
			return o, nil
		}
		end := skipValue(b, i)
		f := field{name: unquote(b[i:end])}
		i = skipSpace(b, end) + 1 // the colon
		i = skipSpace(b, i)
		end = skipValue(b, i)
		f.raw = b[i:end:end]
		if n := o.index(f.name, at); n >= 0 {
			o[n] = f
		} else if o = append(o, f); at != nil {
			at[f.name] = len(o) - 1
		} else if len(o) == manyFields {
			at = map[string]int{}
			for n, f := range o {
				at[f.name] = n
			}
		}
		if i = skipSpace(b, end); b[i] == '}' {
			return o, nil
		}
	}
}

// whyInvalid tells an object with something behind it from one that is broken.
func whyInvalid(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	var first json.RawMessage
	if dec.Decode(&first) != nil {
		return errNotJSON
	}
	return errors.New("not one JSON object alone")
}

// manyFields is from where on a map finds a name sooner than a look at each.
const manyFields = 32

// index is where a name stands, or -1; by at if that is not nil.
func (o object) index(name string, at map[string]int) int {
	if at != nil {
		if n, ok := at[name]; ok {
			return n
		}
		return -1
	}
	return slices.IndexFunc(o, func(f field) bool { return f.name == name })
}

// skipSpace, skipValue and nested walk through JSON that is valid.
func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

// nested says whether valid JSON goes deeper than so many levels.
func nested(b []byte, levels int) bool {
	if len(b) <= 2*levels { // each has two brackets: most are not looked at
		return false
	}
	for i, depth := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipValue(b, i) - 1
		case '{', '[':
			if depth++; depth > levels {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

func skipValue(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ' ', '\t', '\r', '\n', ',', ':': // within an object or list
		default:
			for !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(b[i+1])) { // a value of an object: something follows
				i++
			}
		}
		if i++; depth == 0 {
			return i
		}
	}
}

// unquote is the text of a JSON string.
func unquote(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 { // it is valid UTF-8, as the whole event is
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}

var errNotJSON = errors.New("not valid JSON")

// get returns a field's bytes, nil when there is none.
func (o object) get(name string) json.RawMessage {
	for _, f := range o {
		if f.name == name {
			return f.raw
		}
	}
	return nil
}

// text returns a field's string, "" when it is none.
func (o object) text(name string) string {
	if raw := o.get(name); len(raw) > 0 && raw[0] == '"' {
		return unquote(raw)
	}
	return ""
}

// without writes the object again, without some fields.
func (o object) without(names ...string) []byte {
	var w writer
	w.open()
next:
	for _, f := range o {
		for _, n := range names {
			if f.name == n {
				continue next
			}
		}
		w.raw(f.name, f.raw)
	}
	w.close()
	return w.buf
}

// writer writes one JSON object field by field, so that values can be carried byte for byte: encoding/json would compact raw values, and
// write the & of a link as \u0026.
type writer struct {
	buf   []byte
	comma bool
}

func (w *writer) open() { w.buf, w.comma = append(w.buf, '{'), false }

func (w *writer) close() { w.buf, w.comma = append(w.buf, '}'), true }

func (w *writer) name(name string) {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(appendString(w.buf, name), ':')
	w.comma = true
}

func (w *writer) raw(name string, value []byte) {
	w.name(name)
	w.buf = append(w.buf, value...)
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.buf = appendString(w.buf, value)
}

// time writes a moment as RFC 3339 in UTC; "" for none.
func (w *writer) time(name string, t time.Time) {
	w.name(name)
	w.buf = append(w.buf, '"')
	if !t.IsZero() {
		w.buf = t.UTC().AppendFormat(w.buf, time.RFC3339Nano)
	}
	w.buf = append(w.buf, '"')
}

// int writes a whole number.
func (w *writer) int(name string, n int) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
}

// list writes a list of n objects.
func (w *writer) list(name string, n int, fields func(i int)) {
	w.name(name)
	w.buf = append(w.buf, '[')
	for i := range n {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.open()
		fields(i)
		w.close()
	}
	w.buf = append(w.buf, ']')
	w.comma = true
}

// some writes a text unless it is empty.
func (w *writer) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func appendString(buf []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(buf, '"'), s...), '"')
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, and a Buffer always takes it
	return append(buf, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// isPlain says that a text stands in JSON as it is. Most do, and encoding/json takes ten times as long to find out.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
