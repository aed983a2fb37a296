// Package schemas holds the papers: a JSON Schema (draft-07) of each event, and an AsyncAPI document over them. They are the law: every event
// that leaves is valid against them, and fields are only ever added.
package schemas

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed call.ended.json voicemail.ready.json voicemail.absent.json voicemail.failed.json asyncapi.yaml
var files embed.FS

// Names lists the events: the one that comes in, then those that go out.
func Names() []string {
	return []string{"call.ended", "voicemail.ready", "voicemail.absent", "voicemail.failed"}
}

// JSON is an event's schema. The error lists the names that there are.
func JSON(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("there is no schema %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return files.ReadFile(name + ".json")
}

// AsyncAPI is the document over all events, in YAML.
func AsyncAPI() []byte {
	b, err := files.ReadFile("asyncapi.yaml")
	if err != nil {
		panic(err) // it is embedded
	}
	return b
}

var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	all := map[string]*jsonschema.Schema{}
	for _, name := range Names() {
		b, err := JSON(name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		if err := c.AddResource(name+".json", doc); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	for _, name := range Names() {
		s, err := c.Compile(name + ".json")
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		all[name] = s
	}
	return all, nil
})

// Validate checks an event's JSON against its schema; nil when it is valid. The error names places and rules, a line each, and quotes nothing
// of the event: it may hold what a caller said.
func Validate(name string, body []byte) error {
	if _, err := JSON(name); err != nil {
		return err
	}
	all, err := compiled()
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return errors.New("not valid UTF-8")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("not one valid JSON value")
	}
	var invalid *jsonschema.ValidationError
	switch err := all[name].Validate(doc); {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return errors.New("cannot be validated")
	}
	var lines []error
	for _, e := range leaves(invalid) {
		lines = append(lines, fmt.Errorf("at %q: breaks the rule %s", "/"+strings.Join(e.InstanceLocation, "/"), strings.Join(e.ErrorKind.KeywordPath(), "/")))
	}
	return errors.Join(lines...)
}

// leaves are the errors that have no further cause.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}
