package settings_test

import (
	"testing"

	"voicemail-relay/internal/settings"
)

// contract is the table of the contract's Settings section, written down by hand: it is not to follow the code.
var contract = []struct{ path, env, def string }{
	{"nats.url", "RELAY_NATS_URL", "nats://127.0.0.1:4222"},
	{"nats.credentials_file", "RELAY_NATS_CREDENTIALS_FILE", ""},
	{"nats.tls.ca_file", "RELAY_NATS_TLS_CA_FILE", ""},
	{"nats.tls.cert_file", "RELAY_NATS_TLS_CERT_FILE", ""},
	{"nats.tls.key_file", "RELAY_NATS_TLS_KEY_FILE", ""},
	{"nats.embedded", "RELAY_NATS_EMBEDDED", "false"},
	{"nats.store_dir", "RELAY_NATS_STORE_DIR", ""},
	{"nats.provision", "RELAY_NATS_PROVISION", "true"},
	{"nats.replicas", "RELAY_NATS_REPLICAS", "1"},
	{"nats.prefix", "RELAY_NATS_PREFIX", ""},
	{"calls.subject", "RELAY_CALLS_SUBJECT", "call.ended"},
	{"calls.stream", "RELAY_CALLS_STREAM", ""},
	{"calls.durable", "RELAY_CALLS_DURABLE", "voicemail-relay"},
	{"calls.concurrency", "RELAY_CALLS_CONCURRENCY", "256"},
	{"calls.ack_wait", "RELAY_CALLS_ACK_WAIT", "30s"},
	{"ready.subject", "RELAY_READY_SUBJECT", "voicemail.ready"},
	{"ready.format", "RELAY_READY_FORMAT", "binary"},
	{"smartassist.base_url", "RELAY_SMARTASSIST_BASE_URL", ""},
	{"smartassist.path", "RELAY_SMARTASSIST_PATH", "/api/public/bot/{botId}/voicemail"},
	{"smartassist.app_id", "RELAY_SMARTASSIST_APP_ID", ""},
	{"smartassist.app_secret", "RELAY_SMARTASSIST_APP_SECRET", ""},
	{"smartassist.app_secret_file", "RELAY_SMARTASSIST_APP_SECRET_FILE", ""},
	{"smartassist.algorithm", "RELAY_SMARTASSIST_ALGORITHM", "HS256"},
	{"smartassist.jti", "RELAY_SMARTASSIST_JTI", "false"},
	{"smartassist.transcription", "RELAY_SMARTASSIST_TRANSCRIPTION", "true"},
	{"smartassist.timeout", "RELAY_SMARTASSIST_TIMEOUT", "10s"},
	{"smartassist.rate_limit", "RELAY_SMARTASSIST_RATE_LIMIT", "60"},
	{"smartassist.concurrency", "RELAY_SMARTASSIST_CONCURRENCY", "128"}, // half of calls.concurrency
	{"wait.first", "RELAY_WAIT_FIRST", "15s"},
	{"wait.max", "RELAY_WAIT_MAX", "2m"},
	{"wait.recording_for", "RELAY_WAIT_RECORDING_FOR", "10m"},
	{"wait.transcript_for", "RELAY_WAIT_TRANSCRIPT_FOR", "10m"},
	{"retry.first", "RELAY_RETRY_FIRST", "200ms"},
	{"retry.max", "RELAY_RETRY_MAX", "5m"},
	{"retry.give_up_after", "RELAY_RETRY_GIVE_UP_AFTER", "24h"},
	{"ledger.keep", "RELAY_LEDGER_KEEP", "168h"},
	{"verdicts.keep", "RELAY_VERDICTS_KEEP", "720h"},
	{"shutdown_grace", "RELAY_SHUTDOWN_GRACE", "10s"},
	{"http.addr", "RELAY_HTTP_ADDR", "127.0.0.1:8088"},
	{"log.level", "RELAY_LOG_LEVEL", "info"},
	{"log.format", "RELAY_LOG_FORMAT", "json"},
}

func TestContractsDefaults(t *testing.T) {
	rows, paths := load(t, settings.Source{}).Rows(), settings.Paths()
	if len(rows) != len(contract) || len(paths) != len(contract) {
		t.Fatalf("got %v rows and %v paths, want %v", len(rows), len(paths), len(contract))
	}
	for i, want := range contract {
		if got, want := rows[i], (settings.Row{Path: want.path, Value: want.def, Origin: "default"}); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := paths[i]; got.Name != want.path || got.Env != want.env || got.Help == "" {
			t.Errorf("got %v, want %v as %v, with help", got, want.path, want.env)
		}
	}
}

func TestDefaultsThatDependOnOthers(t *testing.T) {
	for total, want := range map[string]int{"1": 1, "2": 1, "7": 3, "65536": 32768} {
		if got := load(t, flag("calls.concurrency", total)).SmartAssist.Concurrency; got != want {
			t.Errorf("smartassist.concurrency with calls.concurrency %v: got %v, want %v", total, got, want)
		}
	}
	src := env("log.format", "json")
	src.Terminal = true
	if got := load(t, src).Log.Format; got != "json" {
		t.Errorf("log.format set on a terminal: got %v, want json", got)
	}
	if got := load(t, settings.Source{Terminal: true}).Log.Format; got != "console" {
		t.Errorf("log.format on a terminal: got %v, want console", got)
	}
}
