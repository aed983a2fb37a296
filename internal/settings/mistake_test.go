package settings_test

import (
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

func TestMistakes(t *testing.T) {
	account := func(src settings.Source) settings.Source { src.Need = settings.NeedAccount; return src }
	for _, tt := range []struct {
		name  string
		src   settings.Source
		where string // the problem's beginning
		words string
	}{
		{"a duration without a unit", file("wait.first", "15"), "relay.yaml:1:15: wait.first", `"15": a duration needs a unit`},
		{"a duration that is a word", env("wait.max", "soon"), "RELAY_WAIT_MAX: wait.max", `"soon" is not a duration`},
		{"a wait before the call ended", flag("wait.first", "-1s"), "--wait.first", "must be at least 0s, got -1s"},
		{"less than no wait between two requests", env("wait.max", "-1ms"), "RELAY_WAIT_MAX: wait.max", "must be at least 0s"},
		{"a time-out of nothing", flag("smartassist.timeout", "0s"), "--smartassist.timeout", "must be at least 1ms"},
		{"no concurrency", env("calls.concurrency", "0"), "RELAY_CALLS_CONCURRENCY: calls.concurrency", "must be from 1 to 65536, got 0"},
		{"half a replica", flag("nats.replicas", "0.5"), "--nats.replicas", `"0.5" is not a whole number`},
		{"six replicas", file("nats.replicas", "6"), "relay.yaml:1:18: nats.replicas", "must be from 1 to 5"},
		{"a rate limit below none", flag("smartassist.rate_limit", "-1"), "--smartassist.rate_limit", "must be at least 0, got -1"},
		{"yes is not true", yaml("nats: {provision: yes}"), "relay.yaml:1:19: nats.provision", `"yes" is neither true nor false`},
		{"an algorithm misspelt", env("smartassist.algorithm", "HS265"), "RELAY_SMARTASSIST_ALGORITHM: smartassist.algorithm", "did you mean HS256?"},
		{"an unsigned token", flag("smartassist.algorithm", "none"), "--smartassist.algorithm", "none of HS256, HS512, RS256, RS512"},
		{"an algorithm left empty", flag("smartassist.algorithm", ""), "--smartassist.algorithm", "must not be empty"},
		{"a log level left empty", file("log.level", ""), "relay.yaml:1:14: log.level", "must not be empty"},
		{"an address left empty", flag("http.addr", ""), "--http.addr", "must not be empty"},
		{"no NATS server", flag("nats.url", ""), "--nats.url", "must not be empty"},
		{"no subject", flag("calls.subject", ""), "--calls.subject", "must not be empty"},
		{"no durable", flag("calls.durable", ""), "--calls.durable", "must not be empty"},
		{"the API in the clear", env("smartassist.base_url", "http://smartassist.kore.ai"), "RELAY_SMARTASSIST_BASE_URL: smartassist.base_url", "must be https"},
		{"the API without a scheme", flag("smartassist.base_url", "smartassist.kore.ai"), "--smartassist.base_url", "must be a URL"},
		{"the API without a host", flag("smartassist.base_url", "https://:443"), "--smartassist.base_url", "must be a URL"},
		{"the API by another scheme", flag("smartassist.base_url", "ftp://kore.ai"), "--smartassist.base_url", "must be https"},
		{"a query in the API's URL", flag("smartassist.base_url", "https://kore.ai?a=b"), "--smartassist.base_url", "query"},
		{"a port that is none", flag("smartassist.base_url", "https://kore.ai:70000"), "--smartassist.base_url", "65535"},
		{"an app id with its line's end", env("smartassist.app_id", "cs-1\n"), "RELAY_SMARTASSIST_APP_ID: smartassist.app_id", "line break"},
		{"an app id behind a space", file("smartassist.app_id", " cs-1"), "relay.yaml:1:23: smartassist.app_id", "space at an end"},
		{"what is required in a file that is no YAML", account(yaml("smartassist:\n  app_id: \"x\n")), "relay.yaml:2", "not valid YAML"},
		{"what is required in a list", account(yaml("- smartassist: {app_id: x}")), "relay.yaml:1:1", "settings belong here"},
		{"what is required in a group misspelt", account(yaml("smartasist: {app_id: x}")), "relay.yaml:1:1: smartasist", "did you mean smartassist?"},
		{"what is required in accounts that are no list", account(yaml("accounts: {app_id: x}")), "relay.yaml:1:11: accounts", "a list belongs here"},
		{"three replicas on the server inside", yaml("nats: {embedded: true, store_dir: d, replicas: 3}"), "relay.yaml:1: nats.replicas", "must be 1 with nats.embedded"},
		{"a path without its slash", flag("smartassist.path", "{botId}"), "--smartassist.path", "must begin with /"},
		{"a path without the bot", flag("smartassist.path", "/voicemail"), "--smartassist.path", "{botId}"},
		{"a path with a query", flag("smartassist.path", "/{botId}?a=b"), "--smartassist.path", "query"},
		{"NATS by HTTP", env("nats.url", "http://127.0.0.1"), "RELAY_NATS_URL: nats.url", "nats, tls, ws, wss"},
		{"a prefix with a dot", flag("nats.prefix", "a."), "--nats.prefix", "must be at most 64 characters"},
		{"a subject with a space", file("calls.subject", "call ended"), "relay.yaml:1:18: calls.subject", "holds a space"},
		{"a subject with a hole", flag("calls.subject", "call..ended"), "--calls.subject", "empty part"},
		{"a wildcard within a part", flag("calls.subject", "call.en*"), "--calls.subject", "wildcard stands alone"},
		{"more after the rest", flag("calls.subject", "call.>.ended"), "--calls.subject", "> stands at the end"},
		{"NATS's own subject", flag("calls.subject", "$SYS.>"), "--calls.subject", "belong to NATS"},
		{"a wildcard in what goes out", flag("ready.subject", "voicemail.*"), "--ready.subject", "wildcards"},
		{"ready where absent goes", flag("ready.subject", "voicemail.absent"), "--ready.subject", "absent verdicts"},
		{"verdicts that come in again", flag("calls.subject", "voicemail.*"), "--calls.subject: ready.subject", "come in again as calls"},
		{"the relay's own subject as calls", flag("calls.subject", "voicemail.work.>"), "--calls.subject", "overlaps the relay's own"},
		{"verdicts among the relay's own", flag("ready.subject", "voicemail.work.ready"), "--ready.subject", "lies within the relay's own"},
		{"a durable with a dot", flag("calls.durable", "a.b"), "--calls.durable", "without spaces, dots"},
		{"an address without a port", flag("http.addr", "localhost"), "--http.addr", "is not host:port"},
		{"an account with more seats than there are", flag("smartassist.concurrency", "257"), "--smartassist.concurrency", "257 is more than calls.concurrency (256)"},
		{"a first retry after the last", yaml("retry: {first: 6m, max: 5m}"), "relay.yaml:1: retry.first", "6m is more than retry.max (5m)"},
		{"verdicts gone before the ledger", env("verdicts.keep", "24h"), "RELAY_VERDICTS_KEEP: verdicts.keep", "24h is less than ledger.keep (168h)"},
		{"the ledger refused, verdicts not", yaml("ledger: {keep: x}\nverdicts: {keep: 24h}"), "relay.yaml:1:16: ledger.keep", "is not a duration"},
		{"the last retry refused, the first not", yaml("retry: {max: x, first: 6m}"), "relay.yaml:1:14: retry.max", "is not a duration"},
		{"an account's setting given twice", yaml("accounts: [{bots: a, bots: b}]"), "relay.yaml:1:22: accounts[0].bots", "is set twice"},
		{"verdicts gone before the ledger, both set", yaml("ledger: {keep: 1000h}\nverdicts: {keep: 720h}"), "relay.yaml:2: verdicts.keep", "720h is less than ledger.keep (1000h)"},
		{"no seats for an account", flag("smartassist.concurrency", "0"), "--smartassist.concurrency", "must be from 1 to 65536, got 0"},
		{"calls that wildcards let overlap with the relay's own", flag("calls.subject", "*.*.due.>"), "--calls.subject", "overlaps the relay's own"},
		{"wildcards of the relay's own length", flag("calls.subject", "voicemail.*.x"), "--calls.subject", "overlaps the relay's own"},
		{"a subject with a control character", flag("calls.subject", "a\x01b"), "--calls.subject", "holds a space"},
		{"NATS over the web and not", flag("nats.url", "ws://a,nats://b"), "--nats.url", "must not mix"},
		{"a query in NATS's URL", flag("nats.url", "nats://a?token=b"), "--nats.url", "query"},
		{"an empty fragment in the API's URL", flag("smartassist.base_url", "https://kore.ai/#"), "--smartassist.base_url", "fragment"},
		{"a path with a wrong escape", flag("smartassist.path", "/%zz/{botId}"), "--smartassist.path", "% signs"},
		{"a merge key in an account", yaml("accounts: [{<<: {name: a}}]"), "relay.yaml:1:13: accounts[0]", "merge keys"},
		{"a list for a name in an account", yaml("accounts: [{? [a] : b}]"), "relay.yaml:1:15: accounts[0]", "a name belongs here"},
		{"a second document that is no YAML", yaml("wait: {first: 1s}\n--- ["), "relay.yaml:2", "not valid YAML"},
		{"an unknown name of two lines", yaml("\"a\\nb\": 1"), "relay.yaml:1:1: a…", "unknown setting"},
		{"a space missing after a colon", yaml("smartassist: {app_id:x}"), "relay.yaml:1:15: smartassist.app_id…", "a space is missing after the colon; did you mean smartassist.app_id?"},
		{"accounts as a flag", flag("accounts", "x"), "--accounts", "in the settings file alone"},
		{"the file's flag misspelt", flag("confg", "x"), "--confg", "did you mean --config?"},
		{"the file's variable misspelt", settings.Source{Environ: []string{"RELAY_CONFG=x"}}, "RELAY_CONFG", "did you mean RELAY_CONFIG?"},
		{"a certificate without its key", flag("nats.tls.cert_file", "c.pem"), "--nats.tls.cert_file", "belong together"},
		{"a server inside without a place", flag("nats.embedded", "true"), "--nats.embedded: nats.store_dir", "is required with nats.embedded"},
		{"a server inside, for all to reach", yaml("nats: {embedded: true, store_dir: d, url: 'nats://0.0.0.0:4222'}"), "relay.yaml:1: nats.url", "loopback"},
		{"two secrets", yaml("smartassist: {app_secret: a, app_secret_file: b}"), "relay.yaml:1: smartassist.app_secret", "one is enough"},
		{"a password where a key belongs", yaml("smartassist: {app_secret: a, algorithm: RS256}"), "relay.yaml:1: smartassist.app_secret", "private key in PEM"},
		{"an account without an id", account(yaml("smartassist: {base_url: https://a, app_secret: a}")), "smartassist.app_id", "is required"},
		{"a list for a value, said once", account(yaml("smartassist: {base_url: [a], app_id: a, app_secret: a}")), "relay.yaml:1:25: smartassist.base_url", "a single value belongs here"},
		{"a value for a group", yaml("wait: 15s"), "relay.yaml:1:7: wait", "settings belong here"},
		{"a list at the top", yaml("- wait"), "relay.yaml:1:1", "settings belong here"},
		{"a setting given twice", yaml("wait: {first: 1s, first: 2s}"), "relay.yaml:1:19: wait.first", "is set twice"},
		{"a flag's name in the file", yaml("wait.first: 1s"), "relay.yaml:1:1: wait.first", "nest it, as in wait: { first: …"},
		{"half a flag's name in the file", yaml("nats: {tls.ca_file: x}"), "relay.yaml:1:8: nats.tls.ca_file", "nest it, as in tls: { ca_file: …"},
		{"a group's name with a dot", yaml("nats.tls: {ca_file: x}"), "relay.yaml:1:1: nats.tls", "nest it"},
		{"a merge key", yaml("wait: &w {first: 1s}\nretry: {<<: *w}"), "relay.yaml:2:9: retry", "merge keys"},
		{"two documents", yaml("wait: {first: 1s}\n---\nlog:"), "relay.yaml:2:1", "a second document"},
		{"no YAML", yaml("wait: {first: 1s"), "relay.yaml:1", "not valid YAML"},
		{"accounts as a variable", settings.Source{Environ: []string{"RELAY_ACCOUNTS_0_NAME=x"}}, "RELAY_ACCOUNTS_0_NAME", "in the settings file alone"},
		{"an unknown flag", flag("wait.frist", "1s"), "--wait.frist", "unknown flag; did you mean --wait.first?"},
		{"a flag with hyphens", flag("wait.recording-for", "1s"), "--wait.recording-for", "did you mean --wait.recording_for?"},
		{"something near to nothing", yaml("zebra: 1"), "relay.yaml:1:1: zebra", "unknown setting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ps := refused(t, tt.src)
			if got := ps.Error(); len(ps) != 1 || !strings.HasPrefix(got, "  "+tt.where+": ") || !strings.Contains(got, tt.words) {
				t.Errorf("got %v, want one problem: %v: … %v", got, tt.where, tt.words)
			}
		})
	}
}

func TestAShortNameIsNotNearToEveryOther(t *testing.T) {
	for _, doc := range []string{"foo: 1", "zebra: 1", "wait: {abc: 1}"} {
		if got := refused(t, yaml(doc))[0].Nearest; got != "" {
			t.Errorf("%v: got %v, want nothing near", doc, got)
		}
	}
}

func TestDefaultsFollowWhatIsSet(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  settings.Source
		want string // wait.max, retry.first, retry.max, ledger.keep and verdicts.keep
	}{
		{"nothing is set", settings.Source{}, "2m 200ms 5m 168h 720h"},
		{"a short last retry", env("retry.max", "100ms"), "2m 100ms 100ms 168h 720h"},
		{"a late first retry", flag("retry.first", "6m"), "2m 6m 6m 168h 720h"},
		{"a long memory", flag("ledger.keep", "1000h"), "2m 200ms 5m 1000h 1000h"},
		{"no wait between two requests", env("wait.max", "0s"), "1ms 200ms 5m 168h 720h"},
		{"no wait before the first retry", env("retry.first", "0s"), "2m 1ms 5m 168h 720h"},
		{"no wait before any", env("retry.max", "0s"), "2m 1ms 1ms 168h 720h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, r := range load(t, tt.src).Rows() {
				switch r.Path {
				case "wait.max", "retry.first", "retry.max", "ledger.keep", "verdicts.keep":
					got = append(got, r.Value)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	got := refused(t, settings.Source{
		Need: settings.NeedAccount,
		File: "relay.yaml",
		YAML: []byte(`base_url: https://smartassist.kore.ai
smartassist:
  rate_limits: 5
  timeout: 10
wiat: {first: 1s}
acounts: []
log: {level: inof}
accounts:
  - {nmae: a, bots: ["st b"]}
`),
		Environ: []string{"RELAY_WAIT_FRIST=1s", "RELAY_BASE_URL=x", "RELAY_CALLS_CONCURRENCY=many", "HOME=/", "RELAY_CONFIG=relay.yaml"},
		Flags:   []settings.Flag{{Path: "nats.ulr", Value: "x"}, {Path: "http.addr", Value: "x"}, {Path: "retry.first", Value: "6m"}, {Path: "retry.max", Value: "5m"}},
	}).Error()
	want := strings.TrimSuffix(`  relay.yaml:1:1: base_url: unknown setting; did you mean smartassist.base_url?
  relay.yaml:3:3: smartassist.rate_limits: unknown setting; did you mean smartassist.rate_limit?
  relay.yaml:4:12: smartassist.timeout: "10": a duration needs a unit, such as 15s or 250ms
  relay.yaml:5:1: wiat: unknown setting; did you mean wait?
  relay.yaml:6:1: acounts: unknown setting; did you mean accounts?
  relay.yaml:7:14: log.level: "inof" is none of debug, info, warn, error; did you mean info?
  relay.yaml:9:6: accounts[0].nmae: unknown setting; did you mean accounts[0].name?
  relay.yaml:9:22: accounts[0].bots: "st b" must be characters out of A-Z a-z 0-9 . _ : - and *
  RELAY_BASE_URL: unknown variable; did you mean RELAY_SMARTASSIST_BASE_URL?
  RELAY_CALLS_CONCURRENCY: calls.concurrency: "many" is not a whole number
  RELAY_WAIT_FRIST: unknown variable; did you mean RELAY_WAIT_FIRST?
  --nats.ulr: unknown flag; did you mean --nats.url?
  --http.addr: "x" is not host:port, such as 127.0.0.1:8088
  --retry.first: 6m is more than retry.max (5m)
  relay.yaml:9: accounts[0].base_url: is required, such as https://smartassist.kore.ai
  relay.yaml:9: accounts[0].app_id: is required: the app's client id
  relay.yaml:9: accounts[0].app_secret: is required: set it, or app_secret_file
`, "\n")
	if got != want {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}
