package settings_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

// The ways in which a setting is given.

func yaml(doc string) settings.Source { return settings.Source{File: "relay.yaml", YAML: []byte(doc)} }

func file(path, value string) settings.Source { return yaml(nested(path, value)) }

func env(path, value string) settings.Source {
	for _, p := range settings.Paths() {
		if p.Name == path {
			return settings.Source{Environ: []string{p.Env + "=" + value}}
		}
	}
	panic("no setting " + path)
}

func flag(path, value string) settings.Source {
	return settings.Source{Flags: []settings.Flag{{Path: path, Value: value}}}
}

// nested writes a.b: v as YAML, on one line.
func nested(path, value string) string {
	return strings.ReplaceAll(path, ".", ": {") + fmt.Sprintf(": %q", value) + strings.Repeat("}", strings.Count(path, ".")) + "\n"
}

func load(t *testing.T, src settings.Source) *settings.Effective {
	t.Helper()
	e, err := settings.Load(src)
	if err != nil {
		t.Fatalf("got %v, want no problem", err)
	}
	return e
}

// refused loads what is wrong.
func refused(t *testing.T, src settings.Source) settings.Problems {
	t.Helper()
	_, err := settings.Load(src)
	var ps settings.Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("got %v, want problems", err)
	}
	return ps
}
