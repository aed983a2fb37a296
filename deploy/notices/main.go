// Command notices prints the licences of all modules that voicemail-relay is built from, for the file THIRD_PARTY_NOTICES of a release:
//
//	go run ./deploy/notices > THIRD_PARTY_NOTICES
//
// It fails on a module without a licence, and on one whose licence is not known to go together with Apache-2.0. -list prints a line for each
// module instead, those of the tests included.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	list := flag.Bool("list", false, "print a line for each module, those of the tests included")
	flag.Parse()
	if err := run(os.Stdout, *list); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// A module is one that something is built from.
type module struct {
	path, version, dir string
	texts              []text
	licences           []string // SPDX ids
}

// text is a file that says how a module may be used.
type text struct{ name, body string }

func run(w io.Writer, list bool) error {
	what := []string{"./cmd/voicemail-relay"}
	if list {
		what = []string{"-test", "./..."}
	}
	modules, err := modules(what...)
	if err != nil {
		return err
	}
	var wrong []error
	for i := range modules {
		wrong = append(wrong, modules[i].read())
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if list {
		for _, m := range modules {
			fmt.Fprintf(w, "%s %s %s\n", m.path, m.version, strings.Join(m.licences, " AND "))
		}
		return nil
	}
	fmt.Fprintf(w, "Voicemail Relay is built from these modules, each under the terms that follow.\n")
	for _, m := range modules {
		fmt.Fprintf(w, "\n%s\n%s %s (%s)\n", strings.Repeat("=", 80), m.path, m.version, strings.Join(m.licences, " AND "))
		for _, t := range m.texts {
			fmt.Fprintf(w, "\n--- %s\n\n%s\n", t.name, strings.TrimSpace(t.body))
		}
	}
	return nil
}

// platforms are those that releases are built for: some modules are built into one alone.
var platforms = []string{"linux", "darwin", "windows"}

// modules lists what packages are built from on any platform, Go's own library first.
func modules(packages ...string) ([]module, error) {
	found := map[string]module{}
	for _, goos := range platforms {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{with or .Replace .}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}{{end}}"}, packages...)...) // #nosec G204 -- our own words
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
				found[f[0]] = module{path: f[0], version: f[1], dir: f[2]}
			}
		}
	}
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	goroot, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	all := []module{{path: "the Go standard library", version: version, dir: goroot}}
	for _, m := range found {
		all = append(all, m)
	}
	slices.SortFunc(all[1:], func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return all, nil
}

var (
	licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-._].*)?$`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents)([-._].*)?$`)
)

// read finds a module's licence and notices, and says what is wrong with them.
func (m *module) read() error {
	files, err := os.ReadDir(m.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	for _, f := range files {
		licence := licenceName.MatchString(f.Name())
		if f.IsDir() || !licence && !noticeName.MatchString(f.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(m.dir, f.Name())) // #nosec G304 -- of the module cache
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		m.texts = append(m.texts, text{f.Name(), string(b)})
		if licence {
			ids, err := classify(string(b))
			if err != nil {
				return fmt.Errorf("%s %s: %s: %w", m.path, m.version, f.Name(), err)
			}
			m.licences = append(m.licences, ids...)
		}
	}
	if len(m.licences) == 0 {
		return fmt.Errorf("%s %s has no licence in its root folder", m.path, m.version)
	}
	slices.Sort(m.licences)
	m.licences = slices.Compact(m.licences)
	return nil
}

// known are phrases that only one licence has. All of these ask for no more than that their text goes along.
var known = map[string]string{
	"apache license version 2.0, january 2004":                                                       "Apache-2.0",
	"licensed under the apache license, version 2.0":                                                 "Apache-2.0",
	"permission is hereby granted, free of charge, to any person obtaining a copy of this software":  "MIT",
	"permission to use, copy, modify, and/or distribute this software for any purpose":               "ISC",
	"redistribution and use in source and binary forms, with or without modification, are permitted": "BSD",
}

const (
	threeClauses = "may be used to endorse or promote products derived from this software without specific prior written permission"
	fourClauses  = "all advertising materials mentioning features or use of this software"
)

// refused are words of licences that ask for more than that, wherever they stand.
var refused = []string{"general public license", "mozilla public license", "eclipse public license", "common development and distribution license", "server side public license",
	"business source license", "creative commons", "european union public licence", "commons clause", "elastic license", fourClauses}

// classify tells which licences a text holds, as SPDX ids. The error says why it cannot be used.
func classify(body string) ([]string, error) {
	plain := strings.ToLower(strings.Join(strings.Fields(body), " "))
	for _, word := range refused {
		if strings.Contains(plain, word) {
			return nil, fmt.Errorf("%q stands in it: it cannot be built in", word)
		}
	}
	var ids []string
	for phrase, id := range known {
		switch {
		case !strings.Contains(plain, phrase):
		case id != "BSD":
			ids = append(ids, id)
		case strings.Contains(plain, threeClauses):
			ids = append(ids, "BSD-3-Clause")
		default:
			ids = append(ids, "BSD-2-Clause")
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("a licence that is not known: read it, and add it to deploy/notices if it goes together with Apache-2.0")
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
