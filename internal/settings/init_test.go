package settings_test

import (
	"regexp"
	"testing"

	"voicemail-relay/internal/settings"
)

// setting finds a line with a setting, commented out or not: help has a space after #, a name has none.
var setting = regexp.MustCompile(`(?m)^( *)#?([a-z_]+): (.*)$`)

func TestInitLoadsAsItIs(t *testing.T) {
	src := settings.Source{File: "relay.yaml", YAML: settings.Init(), Need: settings.NeedAccount}
	fillIn := map[string]bool{"smartassist.base_url": true, "smartassist.app_id": true, "smartassist.app_secret_file": true}
	for _, r := range load(t, src).Rows() {
		if got, want := r.Origin != "default", fillIn[r.Path]; got != want {
			t.Errorf("%v set by the file: got %v, want %v", r, got, want)
		}
	}
}

func TestInitNamesEverySettingOnce(t *testing.T) {
	if got, want := len(setting.FindAll(settings.Init(), -1)), len(settings.Paths()); got != want {
		t.Errorf("got %v lines with a setting, want %v", got, want)
	}
}

// What is commented out is the default, and stands where it belongs: without the signs, nothing changes but where it came from.
func TestInitUncommented(t *testing.T) {
	all := setting.ReplaceAll(settings.Init(), []byte("$1$2: $3"))
	all = regexp.MustCompile(`(?m)^#(accounts:|  (?:-| ) [a-z_]+:)`).ReplaceAll(all, []byte("$1"))
	src := settings.Source{File: "relay.yaml", YAML: all, Need: settings.NeedAccount}
	e := load(t, src)
	defaults := load(t, settings.Source{}).Rows()
	rows := e.Rows()
	for i, want := range defaults {
		got := rows[i]
		if got.Origin == "default" {
			t.Errorf("got %v, want it set by the file", got)
		}
		if want.Value != "" && got.Value != want.Value {
			t.Errorf("got %v, want %v", got, want.Value)
		}
	}
	if len(e.Accounts) != 1 || e.Accounts[0].Name != "sales" || len(e.Accounts[0].Bots) != 1 {
		t.Errorf("got %v, want sales with its bots", e.Accounts)
	}
}
