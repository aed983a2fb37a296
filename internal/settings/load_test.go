package settings_test

import (
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

// FuzzLoad feeds any bytes: none may panic, and none is refused but with Problems that say what and where.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "---\n...\n", "wait: {first: 0s}", own + "accounts:\n" + sales, string(settings.Init()),
		"wait.first: 1s", "? [a]: b\n: c", "a: &a [*a]", "nats: &n {tls: *n}", "accounts: &a\n  - *a", "accounts: [~, a, [], {bots: {}}]",
		"<<: &m {wait: }", "*x", "!!binary x", "\xff", "\t", "wait: {first: *nobody}", "\"\\e[0m\\n\": 1", "smartassist: {app_secret: !!int x}", "log: |\n  level",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, need := range []settings.Need{settings.NeedNATS, settings.NeedAccount} {
			src := settings.Source{File: "relay.yaml", YAML: doc, Need: need}
			e, err := settings.Load(src)
			if err == nil {
				if got, least := len(e.Rows()), len(settings.Paths()); got < least {
					t.Errorf("got %v rows, want at least %v", got, least)
				}
				continue
			}
			for _, p := range refused(t, src) {
				if strings.ContainsAny(p.String(), "\n\r\x1b") {
					t.Errorf("got %q, want one line", p.String())
				}
				if p.What == "" || p.Where == "" && p.Path == "" {
					t.Errorf("got %#v, want what is wrong, and where", p)
				}
			}
		}
	})
}
