// Package house holds the plan of the house: who may import whom. Imports go down, never sideways, never up; a new door is a conscious
// change of this table.
package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "voicemail-relay/"

// plan lists, for each package, what of the house it may import.
var plan = map[string][]string{
	"cmd/voicemail-relay": {"internal/console", "internal/bus", "internal/smartassist", "internal/smartassist/smartassisttest", "internal/budget", "internal/forecast", "internal/simulation", "internal/bench",
		"internal/relay", "internal/settings", "internal/natsd", "internal/checkup", "internal/trace", "schemas"},
	"internal/console":                     {"internal/relay"},
	"internal/bus":                         {"internal/relay", "internal/budget", "internal/checkup"}, // budget for the Wait that a Purse hands out
	"internal/smartassist":                 {"internal/relay", "internal/checkup"},
	"internal/budget":                      {},
	"internal/forecast":                    {"internal/relay"},
	"internal/simulation":                  {"internal/relay", "internal/budget", "internal/forecast"},
	"internal/bench":                       {"internal/natsd", "internal/smartassist/smartassisttest"},
	"internal/relay":                       {},
	"internal/settings":                    {},
	"internal/trace":                       {"internal/relay"},
	"internal/natsd":                       {},
	"internal/checkup":                     {},
	"internal/smartassist/smartassisttest": {},
	"internal/house":                       {},
	"schemas":                              {},
	"deploy/examples/go/bridge":            {}, // to be copied: they know nothing of the house
	"deploy/examples/go/consumer":          {},
	"deploy/notices":                       {},
}

// pure packages import the standard library alone.
var pure = []string{"internal/relay", "internal/budget", "internal/checkup"}

func TestImportsFollowThePlan(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root {
			if _, nested := os.Stat(filepath.Join(path, "go.mod")); nested == nil { // a module of its own, which this one never imports
				return fs.SkipDir
			}
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		allowed, known := plan[pkg]
		if !known {
			t.Errorf("package %s is not in the plan", pkg)
			return nil
		}
		seen[pkg] = true
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if inside, ok := strings.CutPrefix(name, module); ok {
				if !slices.Contains(allowed, inside) {
					t.Errorf("%s imports %s, which the plan does not know", path, inside)
				}
			} else if slices.Contains(pure, pkg) && strings.Contains(strings.Split(name, "/")[0], ".") {
				t.Errorf("%s imports %s; %s speaks the standard library alone", path, name, pkg)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range plan {
		if !seen[pkg] {
			t.Errorf("the plan has a package %s that is not there", pkg)
		}
	}
}
