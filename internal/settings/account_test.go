package settings_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

const (
	own   = "smartassist: {base_url: https://own, app_id: own, app_secret: s, timeout: 3s, rate_limit: 7, jti: true, algorithm: HS512}\n"
	sales = `  - {base_url: "https://sales/", app_id: cs-sales, app_secret_file: f, bots: [st-b110*, "*x"]}` + "\n"
)

func TestAccountsShareNothing(t *testing.T) {
	src := yaml(own + "accounts:\n" + sales + "  - {name: help, base_url: https://help, app_id: cs-help, app_secret: s, bots: st-1, concurrency: 5}\n")
	src.Need = settings.NeedAccount
	src.Flags = flag("smartassist.path", "/own/{botId}").Flags
	e := load(t, src)
	defaults := load(t, settings.Source{}).SmartAssist
	want := []settings.Account{defaults, defaults}
	want[0].Name, want[0].AppID, want[0].BaseURL, want[0].AppSecretFile = "cs-sales", "cs-sales", "https://sales", "f"
	want[1].Name, want[1].AppID, want[1].BaseURL, want[1].AppSecret, want[1].Concurrency = "help", "cs-help", "https://help", "s", 5
	want[0].Bots, want[1].Bots = []string{"st-b110*", "*x"}, []string{"st-1"}
	if got := e.Accounts; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := e.SmartAssist; got.Name != "own" || got.RateLimit != 7 || got.Path != "/own/{botId}" {
		t.Errorf("got %v, want the tree's own values", got)
	}
	rows := e.Rows()[len(settings.Paths()):]
	for _, want := range []settings.Row{
		{Path: "accounts[0].name", Value: "cs-sales", Origin: "default"},
		{Path: "accounts[0].bots", Value: "st-b110*, *x", Origin: "file relay.yaml:3"},
		{Path: "accounts[1].app_secret", Value: "********", Origin: "file relay.yaml:4"},
		{Path: "accounts[1].timeout", Value: "10s", Origin: "default"},
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("got %v, want %v among them", rows, want)
		}
	}
}

func TestWhatAccountsNeed(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      []string // problems of one who needs accounts
		nats      []string // of one who needs NATS alone
	}{
		{"nothing is given", "", []string{"smartassist.base_url", "smartassist.app_id", "smartassist.app_secret"}, nil},
		{"the tree's own is whole", own, nil, nil},
		{"an entry instead of the tree's own", "accounts:\n" + sales, nil, nil},
		{"an empty list of accounts", "accounts: []", []string{"smartassist.base_url", "smartassist.app_id", "smartassist.app_secret"}, nil},
		{"an entry, and the tree's own begun", "smartassist: {app_id: a, app_secret: s}\naccounts:\n" + sales, []string{"smartassist.base_url"}, nil},
		{"an entry without bots", "accounts: [{base_url: https://a, app_id: a, app_secret: s}]", []string{"accounts[0].bots"}, nil},
		{"an entry with bots alone", "accounts: [{bots: a}]", []string{"accounts[0].base_url", "accounts[0].app_id", "accounts[0].app_secret"}, nil},
		{"two entries of one name", "accounts:\n" + sales + sales, []string{"accounts[1].name"}, []string{"accounts[1].name"}},
		{"an entry named as the tree's own", own + "accounts: [{name: own, base_url: https://a, app_id: a, app_secret: s, bots: a}]", []string{"accounts[0].name"}, []string{"accounts[0].name"}},
		{"an entry, and the tree's own set to nothing", "smartassist: {base_url: '', app_id: }\naccounts:\n" + sales, nil, nil},
		{"an entry, and the tree's own begun badly", "smartassist: {timeout: x}\naccounts:\n" + sales, []string{"smartassist.timeout"}, []string{"smartassist.timeout"}},
		{"an entry, and a time-out for the tree's own", "smartassist: {timeout: 5s, rate_limit: 10}\naccounts:\n" + sales, nil, nil},
		{"an entry, and the tree's own begun with a wrong value", "smartassist: {base_url: x}\naccounts:\n" + sales, []string{"smartassist.base_url", "smartassist.app_id", "smartassist.app_secret"}, []string{"smartassist.base_url"}},
		{"an entry with a name that is not printable", "accounts: [{name: \"a\\nb\", base_url: https://a, app_id: a, app_secret: s, bots: a}]", []string{"accounts[0].name"}, []string{"accounts[0].name"}},
		{"an entry with more seats than there are", "accounts: [{concurrency: 300, base_url: https://a, app_id: a, app_secret: s, bots: a}]", []string{"accounts[0].concurrency"}, []string{"accounts[0].concurrency"}},
		{"an entry with a wrong value", "accounts: [{base_url: http://a, app_id: a, app_secret: s, bots: a}]", []string{"accounts[0].base_url"}, []string{"accounts[0].base_url"}},
		{"a pattern with more than a star", `accounts: [{base_url: https://a, app_id: a, app_secret: s, bots: "st-[0-9]?"}]`, []string{"accounts[0].bots"}, []string{"accounts[0].bots"}},
		{"accounts that are no list", own + "accounts: {name: a}", []string{"accounts"}, []string{"accounts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for need, want := range map[settings.Need][]string{settings.NeedAccount: tt.want, settings.NeedNATS: tt.nats} {
				src := yaml(tt.doc)
				src.Need = need
				var got []string
				if want != nil {
					for _, p := range refused(t, src) {
						got = append(got, p.Path)
					}
				} else {
					load(t, src)
				}
				if !slices.Equal(got, want) {
					t.Errorf("need %v: got %v, want %v", need, strings.Join(got, " "), strings.Join(want, " "))
				}
			}
		})
	}
}
