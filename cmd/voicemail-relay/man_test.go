package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

func TestManPages(t *testing.T) {
	write := func() map[string]string {
		dir := filepath.Join(t.TempDir(), "man1")
		if out, err, code := called(t, "", nil, "man", dir); code != 0 || out+err != "" {
			t.Fatalf("exit %d: %s%s", code, out, err)
		}
		pages := map[string]string{}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			pages[f.Name()] = string(b)
		}
		return pages
	}
	pages, again := write(), write()
	date := regexp.MustCompile(`20\d\d-\d\d-\d\dT|\d\d:\d\d|(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) \d\d`)
	plain := strings.NewReplacer(`\-`, "-", `\(dq`, `"`, `\e`, `\`, `\[u2026]`, "…", `\&`, "")
	wanted := 0
	for _, c := range commands() {
		if c.Name() == "help" {
			continue
		}
		wanted++
		name := pageName(c) + ".1"
		page := pages[name]
		text := plain.Replace(page)
		for _, want := range []string{"\nNAME", c.Short, usage(c), `.SH "EXAMPLES"`} {
			if !strings.Contains(strings.ReplaceAll(text, `.SH "NAME"`, "\nNAME"), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, page)
			}
		}
		for _, example := range examplesOf(c) {
			if !strings.Contains(text, example) {
				t.Errorf("%s lacks the example %q", name, example)
			}
		}
		if page != again[name] {
			t.Errorf("%s comes out differently the second time", name)
		}
		if d := date.FindString(strings.SplitN(page, ".SH", 2)[0]); d != "" {
			t.Errorf("%s holds a date: %s", name, d)
		}
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !regexp.MustCompile(`^\.(TH|SH|PP|TP|B|BR|BI|nf|fi)\b`).MatchString(line) {
				t.Errorf("%s has a line that is taken for a request: %s", name, line)
			}
		}
	}
	if len(pages) != wanted {
		t.Errorf("%d pages, want one for each of %d commands", len(pages), wanted)
	}
	for _, s := range settings.Paths() {
		if !strings.Contains(plain.Replace(pages["voicemail-relay.1"]), `"--`+s.Name+`"`) {
			t.Errorf("voicemail-relay.1 lacks the setting %s", s.Name)
		}
	}
	if _, stderr, code := called(t, "", nil, "man"); code != exitUsage || !strings.Contains(stderr, "one DIR") {
		t.Errorf("without DIR: exit %d, %s", code, stderr)
	}
}
