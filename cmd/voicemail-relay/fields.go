package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// fields are those of an event, in their order, each value's bytes as they were given: a map would sort them, and write & as \u0026.
type fields []field

type field struct {
	name string
	raw  json.RawMessage
}

// readFields reads one JSON object. The error completes "--data: …" and quotes nothing of it.
func readFields(s string) (fields, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(strings.NewReader(s))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var all fields
	for dec.More() {
		var raw json.RawMessage
		name, err := dec.Token()
		if err == nil {
			err = dec.Decode(&raw)
		}
		if err != nil {
			return nil, errors.New("not a JSON object: it is not valid JSON")
		}
		all.set(name.(string), raw) // within an object nothing else comes in this place
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("not a JSON object: it is not valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a JSON object alone: something stands behind it")
	}
	return all, nil
}

// set gives a field its value; the last one counts.
func (fs *fields) set(name string, raw []byte) {
	if i := slices.IndexFunc(*fs, func(f field) bool { return f.name == name }); i >= 0 {
		(*fs)[i].raw = raw
		return
	}
	*fs = append(*fs, field{name, raw})
}

// get is a field's value; false where there is no such field.
func (fs fields) get(name string) (json.RawMessage, bool) {
	i := slices.IndexFunc(fs, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil, false
	}
	return fs[i].raw, true
}

func (fs *fields) text(name, value string) { fs.set(name, quoted(value)) }

// object writes them.
func (fs fields) object() []byte {
	b := []byte{'{'}
	for i, f := range fs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted(f.name)...), ':'), f.raw...)
	}
	return append(b, '}')
}

// quoted is a JSON string with nothing escaped that need not be.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, and a Buffer always takes it
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
