package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// object is a JSON object whose fields keep their order, and their values' bytes. Of a name that is given twice the last value counts.
type object []field

type field struct {
	name string
	raw  json.RawMessage
}

// parseObject reads one JSON object and nothing after it. The error completes "the event is …".
func parseObject(b []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o := object{}
	at := map[string]int{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errNotJSON
		}
		f := field{name: name.(string)} // within an object the decoder yields nothing else in this place
		if err := dec.Decode(&f.raw); err != nil {
			return nil, errNotJSON
		}
		if i, twice := at[f.name]; twice {
			o[i] = f
			continue
		}
		at[f.name] = len(o)
		o = append(o, f)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("not one JSON object alone")
	}
	return o, nil
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
	var s string
	if raw := o.get(name); len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
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

// some writes a text unless it is empty.
func (w *writer) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func appendString(buf []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, and a Buffer always takes it
	return append(buf, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
