package settings

import (
	"sync"
	"time"
)

// account is the table of an account's settings, without the name of their group.
func account() []leaf[Account] {
	type a = Account
	return []leaf[a]{
		str("base_url", "", "required: where the API is, such as https://smartassist.kore.ai; https, or http to loopback", func(a *a) *string { return &a.BaseURL }, baseURL).filled("https://smartassist.kore.ai"),
		str("path", "/api/public/bot/{botId}/voicemail", "path of the voicemail API; {botId} stands for the bot's id", func(a *a) *string { return &a.Path }, apiPath),
		str("app_id", "", "required: the app's client id, such as cs-…; case counts", func(a *a) *string { return &a.AppID }, appID).filled("cs-00000000-0000-0000-0000-000000000000"),
		str("app_secret", "", "the app's client secret, or a PEM private key for RS*; this or app_secret_file is required", func(a *a) *string { return &a.AppSecret }).masked(hidden).changeable(),
		str("app_secret_file", "", "file with the secret; read again when it changes, one trailing newline is left out", func(a *a) *string { return &a.AppSecretFile }).filled("/run/secrets/smartassist").changeable(),
		str("algorithm", "HS256", "how tokens are signed: HS256, HS512, RS256 or RS512", func(a *a) *string { return &a.Algorithm }, oneOf("HS256", "HS512", "RS256", "RS512")),
		flag("jti", "false", "true: each request has a token of its own with a fresh jti, for apps that enforce it", func(a *a) *bool { return &a.JTI }),
		flag("transcription", "true", "ask for transcripts too", func(a *a) *bool { return &a.Transcription }),
		dur("timeout", "10s", "of one request", func(a *a) *time.Duration { return &a.Timeout }, time.Millisecond),
		num("rate_limit", "60", "requests in any 60 s for the account; 0: no limit", func(a *a) *int { return &a.RateLimit }, 0, maxInt),
		num("concurrency", "", "the most requests under way for the account; half of calls.concurrency unless it is set", func(a *a) *int { return &a.Concurrency }, 1, 65536),
	}
}

// tree is the table of all settings, in the order in which they are shown. It is made once, as a file's every line is looked up in it, and nobody
// changes it.
var tree = sync.OnceValue(func() []leaf[Settings] {
	type s = Settings
	leaves := []leaf[s]{
		str("nats.url", "nats://127.0.0.1:4222", "NATS server, several separated by commas", func(s *s) *string { return &s.NATS.URL }, natsURL).masked(maskUser),
		str("nats.credentials_file", "", "NATS credentials (.creds), or a file with the seed of an nkey; read at each connect", func(s *s) *string { return &s.NATS.CredentialsFile }),
		str("nats.tls.ca_file", "", "CA certificates that the server's is checked against, PEM", func(s *s) *string { return &s.NATS.TLS.CAFile }),
		str("nats.tls.cert_file", "", "client certificate, PEM", func(s *s) *string { return &s.NATS.TLS.CertFile }),
		str("nats.tls.key_file", "", "its key, PEM", func(s *s) *string { return &s.NATS.TLS.KeyFile }),
		flag("nats.embedded", "false", "run a NATS server inside, on loopback at nats.url's port", func(s *s) *bool { return &s.NATS.Embedded }),
		str("nats.store_dir", "", "where the embedded server keeps its streams", func(s *s) *string { return &s.NATS.StoreDir }),
		flag("nats.provision", "true", "create streams, buckets and durables that are missing", func(s *s) *bool { return &s.NATS.Provision }),
		num("nats.replicas", "1", "of streams and buckets that are created; 3 in a cluster", func(s *s) *int { return &s.NATS.Replicas }, 1, 5),
		str("nats.prefix", "", "goes before the names of the relay's streams, buckets, durables and voicemail.work", func(s *s) *string { return &s.NATS.Prefix }, prefix),
		str("calls.subject", "call.ended", "where ended calls are announced", func(s *s) *string { return &s.Calls.Subject }, subject),
		str("calls.stream", "", "stream that holds them; empty: found by the subject, or created", func(s *s) *string { return &s.Calls.Stream }, name),
		str("calls.durable", "voicemail-relay", "durable consumer on that stream", func(s *s) *string { return &s.Calls.Durable }, name),
		num("calls.concurrency", "256", "requests under way in one process", func(s *s) *int { return &s.Calls.Concurrency }, 1, 65536),
		dur("calls.ack_wait", "30s", "until a call is handed out again that nobody works on; work under way extends it", func(s *s) *time.Duration { return &s.Calls.AckWait }, 100*time.Millisecond),
		str("ready.subject", "voicemail.ready", "where voicemails are announced; absent and failed go to its siblings", func(s *s) *string { return &s.Ready.Subject }, literalSubject),
		str("ready.format", "binary", "CloudEvents mode of verdicts: binary or structured", func(s *s) *string { return &s.Ready.Format }, oneOf("binary", "structured")),
	}
	for _, a := range account() {
		leaves = append(leaves, leaf[s]{path: "smartassist." + a.path, def: a.def, help: a.help, kind: a.kind, example: a.example, show: a.show, live: a.live,
			set: func(s *s, v string) error { return a.set(&s.SmartAssist, v) }, get: func(s *s) string { return a.get(&s.SmartAssist) }})
	}
	return append(leaves,
		dur("wait.first", "15s", "after the call ended, before the first request", func(s *s) *time.Duration { return &s.Wait.First }, 0),
		dur("wait.max", "2m", "between two requests for one call while nothing is there yet", func(s *s) *time.Duration { return &s.Wait.Max }, 0),
		dur("wait.recording_for", "10m", "nothing there in a request made this long after the call ended: absent", func(s *s) *time.Duration { return &s.Wait.RecordingFor }, 0),
		dur("wait.transcript_for", "10m", "after the recording was first seen: ready without text", func(s *s) *time.Duration { return &s.Wait.TranscriptFor }, 0),
		dur("retry.first", "200ms", "after the first trouble with the API; doubles", func(s *s) *time.Duration { return &s.Retry.First }, 0),
		dur("retry.max", "5m", "between two requests while the API is in trouble", func(s *s) *time.Duration { return &s.Retry.Max }, 0),
		dur("retry.give_up_after", "24h", "of trouble since the last good answer: failed", func(s *s) *time.Duration { return &s.Retry.GiveUpAfter }, 0),
		dur("ledger.keep", "168h", "how long a settled session is remembered, and call.ended kept", func(s *s) *time.Duration { return &s.Ledger.Keep }, time.Second),
		dur("verdicts.keep", "720h", "how long verdicts are kept; at least ledger.keep", func(s *s) *time.Duration { return &s.Verdicts.Keep }, time.Second),
		dur("shutdown_grace", "10s", "for requests under way when the relay is told to stop", func(s *s) *time.Duration { return &s.ShutdownGrace }, 0),
		str("http.addr", "127.0.0.1:8088", "ops endpoints; port 0 takes a free one", func(s *s) *string { return &s.HTTP.Addr }, address),
		str("log.level", "info", "debug, info, warn or error", func(s *s) *string { return &s.Log.Level }, oneOf("debug", "info", "warn", "error")).changeable(),
		str("log.format", "json", "json or console; console on a terminal", func(s *s) *string { return &s.Log.Format }, oneOf("json", "console")),
	)
})

// A Path is a setting as commands and documents need it.
type Path struct {
	Name, Env, Default, Help string
	Bool                     bool
}

// Paths lists every setting, in the tree's order.
func Paths() []Path {
	var ps []Path
	for _, l := range tree() {
		ps = append(ps, Path{Name: l.path, Env: variable(l.path), Default: l.def, Help: l.help, Bool: l.kind == boolean})
	}
	return ps
}

func paths() []string {
	var names []string
	for _, l := range tree() {
		names = append(names, l.path)
	}
	return names
}
