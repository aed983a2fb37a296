package settings_test

import (
	"slices"
	"testing"

	"voicemail-relay/internal/settings"
)

func TestWhatChangesWhileRunning(t *testing.T) {
	live := []string{"smartassist.app_secret", "smartassist.app_secret_file", "log.level"}
	was := load(t, settings.Source{})
	for _, p := range settings.Paths() {
		flags := []settings.Flag{{Path: p.Name, Value: values(p)[0]}}
		if with := company[p.Name]; with != "" {
			flags = append(flags, settings.Flag{Path: with, Value: "with"})
		}
		if p.Name == "nats.embedded" {
			flags = append(flags, settings.Flag{Path: "nats.url", Value: "nats://127.0.0.1:4222"})
		}
		c := settings.Changed(was, load(t, settings.Source{Flags: flags}))
		if got, want := slices.Contains(c.Live, p.Name), slices.Contains(live, p.Name); got != want || slices.Contains(c.Fixed, p.Name) == want {
			t.Errorf("%s is changed while running: %t, want %t; %+v", p.Name, got, want, c)
		}
	}
	if c := settings.Changed(was, load(t, settings.Source{Environ: []string{"RELAY_LOG_LEVEL=info"}})); c.Live != nil || c.Fixed != nil {
		t.Errorf("the same value from elsewhere is a change: %+v", c)
	}
}

func TestWhatChangesInAccounts(t *testing.T) {
	const one = "accounts: [{name: a, bots: ['st-1*'], base_url: https://a.example, app_id: a, app_secret: s}]"
	rows := []struct {
		name, next  string
		live, fixed []string
	}{
		{"nothing", one, nil, nil},
		{"a secret", "accounts: [{name: a, bots: ['st-1*'], base_url: https://a.example, app_id: a, app_secret: t}]", []string{"accounts[0].app_secret"}, nil},
		{"a secret to a file", "accounts: [{name: a, bots: ['st-1*'], base_url: https://a.example, app_id: a, app_secret_file: f}]", []string{"accounts[0].app_secret", "accounts[0].app_secret_file"}, nil},
		{"name and bots", "accounts: [{name: b, bots: ['st-2*'], base_url: https://a.example, app_id: a, app_secret: s}]", nil, []string{"accounts[0].name", "accounts[0].bots"}},
		{"an account more", one[:len(one)-1] + ", {name: b, bots: ['st-2*'], base_url: https://b.example, app_id: b, app_secret: s}]", nil, []string{"accounts"}},
	}
	was := load(t, settings.Source{File: "relay.yaml", YAML: []byte(one)})
	for _, row := range rows {
		c := settings.Changed(was, load(t, settings.Source{File: "relay.yaml", YAML: []byte(row.next)}))
		if !slices.Equal(c.Live, row.live) || !slices.Equal(c.Fixed, row.fixed) {
			t.Errorf("%s: live %q, fixed %q, want %q, %q", row.name, c.Live, c.Fixed, row.live, row.fixed)
		}
	}
}
