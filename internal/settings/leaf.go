package settings

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A leaf is one setting of a T: how it is called, read, checked and shown. The table of leaves is all there is: file, environment, flags,
// the printed configuration and the written file come from it.
type leaf[T any] struct {
	path    string
	def     string // empty: none, or one that depends on others
	help    string
	kind    kind
	example string              // what has to be filled in, as the written file shows it; empty: the default serves
	show    func(string) string // masks a value that is a secret, or holds one; nil: it is shown as it is
	live    bool                // a running relay takes over another value
	set     func(*T, string) error
	get     func(*T) string
}

// filled gives a leaf an example.
func (l leaf[T]) filled(example string) leaf[T] { l.example = example; return l }

// masked hides what a leaf holds.
func (l leaf[T]) masked(show func(string) string) leaf[T] { l.show = show; return l }

// changeable marks a leaf that a running relay takes over.
func (l leaf[T]) changeable() leaf[T] { l.live = true; return l }

// shown is the value as people may see it.
func (l leaf[T]) shown(t *T) string {
	if l.show == nil {
		return l.get(t)
	}
	return l.show(l.get(t))
}

type kind int

const (
	text kind = iota
	boolean
	number
	duration
)

// check looks at a text.
type check func(string) error

func str[T any](path, def, help string, at func(*T) *string, checks ...check) leaf[T] {
	return leaf[T]{path: path, def: def, help: help, get: func(t *T) string { return *at(t) }, set: func(t *T, v string) error {
		if v == "" && def != "" {
			return errors.New("must not be empty")
		}
		for _, c := range checks {
			if v == "" {
				break
			}
			if err := c(v); err != nil {
				return err
			}
		}
		*at(t) = v
		return nil
	}}
}

func flag[T any](path, def, help string, at func(*T) *bool) leaf[T] {
	return leaf[T]{path: path, def: def, help: help, kind: boolean, get: func(t *T) string { return strconv.FormatBool(*at(t)) }, set: func(t *T, v string) error {
		switch low := strings.ToLower(v); low { // YAML knows True and TRUE
		case "true", "false":
			*at(t) = low == "true"
			return nil
		}
		return fmt.Errorf("%s is neither true nor false", quote(v))
	}}
}

func num[T any](path, def, help string, at func(*T) *int, least, most int) leaf[T] {
	return leaf[T]{path: path, def: def, help: help, kind: number, get: func(t *T) string { return strconv.Itoa(*at(t)) }, set: func(t *T, v string) error {
		n, err := strconv.Atoi(v)
		switch {
		case err != nil:
			return fmt.Errorf("%s is not a whole number", quote(v))
		case n < least || n > most:
			if most == maxInt {
				return fmt.Errorf("must be at least %d, got %d", least, n)
			}
			return fmt.Errorf("must be from %d to %d, got %d", least, most, n)
		}
		*at(t) = n
		return nil
	}}
}

const maxInt = int(^uint(0) >> 1)

func dur[T any](path, def, help string, at func(*T) *time.Duration, least time.Duration) leaf[T] {
	return leaf[T]{path: path, def: def, help: help, kind: duration, get: func(t *T) string { return short(*at(t)) }, set: func(t *T, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil {
			if _, bare := strconv.ParseFloat(v, 64); bare == nil {
				return fmt.Errorf("%s: a duration needs a unit, such as 15s or 250ms", quote(v))
			}
			return fmt.Errorf("%s is not a duration, such as 15s, 250ms or 2h30m", quote(v))
		}
		if d < least {
			return fmt.Errorf("must be at least %s, got %s", short(least), short(d))
		}
		*at(t) = d
		return nil
	}}
}

// short writes a duration without zero parts: 2m, 168h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// quote shows a value, not all of it when it is long.
func quote(v string) string {
	if len(v) > 60 {
		v = v[:60] + "…"
	}
	return strconv.Quote(v)
}

func oneOf(words ...string) check {
	return func(v string) error {
		if slices.Contains(words, v) {
			return nil
		}
		err := fmt.Sprintf("%s is none of %s", quote(v), strings.Join(words, ", "))
		if n := nearest(v, words); n != "" {
			err += "; did you mean " + n + "?"
		}
		return errors.New(err)
	}
}
