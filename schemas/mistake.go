package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// mistakes is what is wrong with a body, one line each.
type mistakes []string

func (m mistakes) Error() string { return strings.Join(m, "\n") }

// describe turns the validator's tree into lines of our own, because its own
// words quote what they found.
func describe(name string, err error) error {
	if err == nil {
		return nil
	}
	var tree *jsonschema.ValidationError
	if !errors.As(err, &tree) {
		return fmt.Errorf("%s: the body could not be checked", name)
	}
	var m mistakes
	m.collect(name, tree)
	return m
}

// collect walks to the leaves: what lies above them only groups.
func (m *mistakes) collect(name string, e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		m.collect(name, cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	if k, ok := e.ErrorKind.(*kind.Required); ok {
		for _, missing := range k.Missing {
			m.add(name, append(e.InstanceLocation[:len(e.InstanceLocation):len(e.InstanceLocation)], missing), "is missing")
		}
		return
	}
	m.add(name, e.InstanceLocation, wrong(e))
}

func (m *mistakes) add(name string, at []string, what string) {
	line := fmt.Sprintf("%s: %s %s", name, pointer(at), what)
	for _, told := range *m { // two rules may find the same fault
		if told == line {
			return
		}
	}
	*m = append(*m, line)
}

// wrong says what a value should be, and of what it is only its type and size.
// A rule without words of its own falls to the keyword's name.
func wrong(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return fmt.Sprintf("is of type %s, must be %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		return "must be one of " + literals(k.Want)
	case *kind.Const:
		return "must be " + literals([]any{k.Want})
	case *kind.Format:
		return "is not a " + k.Want
	case *kind.Pattern:
		return fmt.Sprintf("does not match the pattern %+q", k.Want)
	case *kind.Not:
		return "is excluded by " + e.SchemaURL[strings.LastIndexByte(e.SchemaURL, '#'):] + "/not"
	case *kind.FalseSchema:
		return "is not allowed here"
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, must have at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, must have at most %d", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d items, must have at least %d", k.Got, k.Want)
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Dependency:
		return fmt.Sprintf("has %s, which needs %s", k.Prop, strings.Join(k.Missing, ", "))
	}
	return "breaks the rule " + strings.Join(e.ErrorKind.KeywordPath(), "/")
}

// literals writes values of the schema, never of a body, as JSON.
func literals(values []any) string {
	var words []string
	for _, v := range values {
		word, err := json.Marshal(v)
		if err != nil {
			word = []byte("?")
		}
		words = append(words, string(word))
	}
	return strings.Join(words, ", ")
}

// pointer writes a place as a JSON pointer (RFC 6901). Its parts are names that
// the schema knows and indexes: no rule looks inside what a producer names.
func pointer(at []string) string {
	if len(at) == 0 {
		return "the body"
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, part := range at {
		b.WriteString("/" + escape.Replace(part))
	}
	return b.String()
}
