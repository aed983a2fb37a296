package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validate holds a body to the schema of the event, formats included, and
// returns nil when it is valid. Otherwise the error has one line for each thing
// that is wrong, such as
//
//	voicemail.ready: /recordings/0/fileUrl is missing
//
// with the place as a JSON pointer ("the body" at its root). The lines never
// quote a value of the body, so they may be logged: transcripts, links and
// callers' numbers stay out. A body in structured mode is held to the schema of
// call.ended as it is; of a verdict, pass what stands under data.
//
// The first call compiles all schemas; after that it is safe for concurrent use
// and takes some ten microseconds, so it belongs in tests and tools, not on the
// path of every event.
func Validate(name string, body []byte) error {
	if err := known(name); err != nil {
		return err
	}
	schemas, err := compiled()
	if err != nil {
		return err
	}
	doc, err := decode(body)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return describe(name, schemas[name].Validate(doc))
}

// decode reads exactly one JSON value. Numbers stay as written, because a
// float64 would turn a huge one into an error that no schema knows of.
func decode(body []byte) (any, error) {
	// encoding/json would quietly put U+FFFD for what is not UTF-8.
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var doc any
	// The decoder's own errors quote a character of the body: only the place is told.
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the body is not JSON: it ends too early")
	case err != nil:
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("the body is not JSON: syntax error at byte %d", syntax.Offset)
		}
		return nil, errors.New("the body is not JSON")
	}
	end := d.InputOffset()
	if len(bytes.TrimLeft(body[end:], " \t\r\n")) > 0 {
		return nil, fmt.Errorf("the body is not JSON: something follows the value that ends at byte %d", end)
	}
	return doc, nil
}

// compiled holds the four schemas by name. An error can only come from the
// embedded files, which the tests compile.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()                          // draft-07 lets a validator skip format; endedAt must be a time
	c.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing: a schema stands alone
	schemas := map[string]*jsonschema.Schema{}
	for _, name := range Names() {
		raw, err := JSON(name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("read schema %s: %w", name, err)
		}
		// An absolute address of no real place, else the compiler puts the working directory before it.
		at := "embedded:///" + name + ".json"
		if err := c.AddResource(at, doc); err != nil {
			return nil, fmt.Errorf("add schema %s: %w", name, err)
		}
		if schemas[name], err = c.Compile(at); err != nil {
			return nil, fmt.Errorf("compile schema %s: %w", name, err)
		}
	}
	return schemas, nil
})
