package settings_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/settings"
)

// values are three of a setting, none its default unless there are but two: for file, environment and flag.
func values(p settings.Path) [3]string {
	chosen := map[string]string{
		"nats.url":                "nats://a:1 tls://b:2 nats://c:3",
		"ready.format":            "structured binary structured",
		"smartassist.base_url":    "https://a.example https://b.example https://c.example",
		"smartassist.path":        "/a/{botId} /b/{botId} /c/{botId}",
		"smartassist.algorithm":   "HS512 RS256 RS512",
		"smartassist.concurrency": "1 2 3",
		"http.addr":               "127.0.0.1:1 127.0.0.1:2 127.0.0.1:3",
		"log.level":               "debug warn error",
		"log.format":              "console json console",
	}[p.Name]
	if p.Bool {
		chosen = map[string]string{"true": "false true false", "false": "true false true"}[p.Default]
	}
	if v := strings.Fields(chosen); len(v) == 3 {
		return [3]string(v)
	}
	if n, err := strconv.Atoi(p.Default); err == nil {
		return [3]string{strconv.Itoa(n + 1), strconv.Itoa(n + 2), strconv.Itoa(n + 3)}
	}
	if d, err := time.ParseDuration(p.Default); err == nil {
		return [3]string{(d + time.Second).String(), (d + 2*time.Second).String(), (d + 3*time.Second).String()}
	}
	return [3]string{"a", "b", "c"}
}

// company are settings that others cannot be set without.
var company = map[string]string{"nats.tls.cert_file": "nats.tls.key_file", "nats.tls.key_file": "nats.tls.cert_file", "nats.embedded": "nats.store_dir"}

func TestFlagsOverEnvironmentOverFileOverDefault(t *testing.T) {
	defaults := load(t, settings.Source{}).Rows()
	for i, p := range settings.Paths() {
		t.Run(p.Name, func(t *testing.T) {
			v := values(p)
			src := settings.Source{File: "relay.yaml"}
			with := company[p.Name]
			if with != "" {
				src.Flags = flag(with, "x").Flags
			}
			check := func(value, origin string) {
				t.Helper()
				if p.Name == "smartassist.app_secret" {
					value = "********"
				}
				for j, got := range load(t, src).Rows() {
					want := defaults[j]
					switch {
					case i == j:
						want = settings.Row{Path: p.Name, Value: value, Origin: origin}
					case want.Path == with:
						want = settings.Row{Path: with, Value: "x", Origin: "--" + with}
					case p.Name == "calls.concurrency" && want.Path == "smartassist.concurrency":
						want.Value = got.Value // half of it
					}
					if got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				}
			}
			src.YAML = []byte("# a comment\n\n" + nested(p.Name, v[0]))
			check(v[0], "file relay.yaml:3")
			src.Environ = []string{p.Env + "="} // empty counts as not set
			check(v[0], "file relay.yaml:3")
			src.Environ = env(p.Name, v[1]).Environ
			check(v[1], p.Env)
			src.Flags = append(src.Flags, settings.Flag{Path: p.Name, Value: v[2]})
			check(v[2], "--"+p.Name)
			src.YAML = nil
			check(v[2], "--"+p.Name)
		})
	}
}

func TestFileIsReadAsWritten(t *testing.T) {
	for _, tt := range []struct{ name, doc, path, want string }{
		{"an empty file", "", "wait.first", "15s default"},
		{"comments alone", "# nothing\n", "wait.first", "15s default"},
		{"a group with nothing in it", "wait:\nlog:\n", "wait.first", "15s default"},
		{"a setting with nothing after it", "wait: {first: }", "wait.first", "15s default"},
		{"an app id of digits keeps its zeros", "smartassist: {app_id: 007}", "smartassist.app_id", "007 file relay.yaml:1"},
		{"an app id with capitals keeps them", "smartassist: {app_id: cs-Ab}", "smartassist.app_id", "cs-Ab file relay.yaml:1"},
		{"an alias", "wait: {first: &w 9s, max: *w}", "wait.max", "9s file relay.yaml:1"},
		{"no wait at all", "wait: {first: 0s}", "wait.first", "0s file relay.yaml:1"},
		{"milliseconds", "wait:\n  first: 250ms", "wait.first", "250ms file relay.yaml:2"},
		{"a boolean in capitals", "nats: {provision: FALSE}", "nats.provision", "false file relay.yaml:1"},
		{"no limit", "smartassist: {rate_limit: 0}", "smartassist.rate_limit", "0 file relay.yaml:1"},
		{"a slash at the URL's end is left out", "smartassist: {base_url: 'http://[::1]:80/x/'}", "smartassist.base_url", "http://[::1]:80/x file relay.yaml:1"},
		{"a free port", "http: {addr: ':0'}", "http.addr", ":0 file relay.yaml:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range load(t, yaml(tt.doc)).Rows() {
				if got := fmt.Sprint(r.Value, " ", r.Origin); r.Path == tt.path && got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}
