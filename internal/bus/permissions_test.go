package bus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/relay"
)

// guarded starts a server whose user relay may publish on these subjects alone, and subscribe to its inbox. setup may do everything.
func guarded(t *testing.T, publish []string) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "guarded", Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "setup", Password: "setup"}, {Username: "relay", Password: "relay", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: []string{Inbox + ".>"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

func connected(t testing.TB, url, user string, cfg Config) (*nats.Conn, *Bus) {
	t.Helper()
	nc, err := Dial(Dialing{URL: url, Inbox: Inbox, Name: "test", Log: zap.NewNop(), Options: []nats.Option{nats.UserInfo(user, user)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b, err := New(nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return nc, b
}

func testConfig(t testing.TB) Config {
	t.Helper()
	purse, err := budget.New(budget.Config{Seats: 4, Shared: budget.NewSeats(4), ProbeFirst: time.Second, ProbeMax: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Names: Names{CallsSubject: "call.ended", ReadySubject: "voicemail.ready", Durable: "voicemail-relay"}, Replicas: 1, Concurrency: 4, AckWait: 5 * time.Second,
		LedgerKeep: time.Hour, VerdictsKeep: time.Hour, Grace: time.Second, Log: zap.NewNop(), Accounts: []Account{{Name: "a", Seats: 4, Purse: purse}}}
}

// told is a handler that gives every call the same verdict.
type told struct{}

func (told) Handle(_ context.Context, d *relay.Delivery) (relay.Outcome, error) {
	return &relay.Verdict{Kind: relay.KindAbsent, Reason: relay.ReasonHint, ID: d.Call.Key(), Call: d.Call, At: d.Now, FirstSeen: d.Stored}, nil
}

func (told) Moot(*relay.Delivery) bool { return false }

func TestMissingPermissionIsNamed(t *testing.T) {
	cfg := testConfig(t)
	all := func(b *Bus) []string { return append(b.publishes("CALLS"), userInfo) }
	_, b := connected(t, guarded(t, nil), "setup", cfg)
	for _, row := range []struct {
		name, without, want string
	}{
		{"a verdict", "voicemail.failed", "publish voicemail.failed"},
		{"the ledger", "$KV.VOICEMAIL_LEDGER." + relay.Token(""), "publish $KV.VOICEMAIL_LEDGER."},
		{"an ack", "$JS.ACK.CALLS.voicemail-relay.1.1.1.1.0", "publish $JS.ACK.CALLS.voicemail-relay."},
		{"a stream of its own", "$JS.API.STREAM.INFO.VOICEMAIL_WORK", "publish $JS.API.STREAM.INFO.VOICEMAIL_WORK"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var allow []string
			for _, s := range all(b) {
				if s != row.without {
					allow = append(allow, s)
				}
			}
			url := guarded(t, allow)
			_, maker := connected(t, url, "setup", cfg)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if _, _, err := maker.Setup(ctx, true); err != nil {
				t.Fatal(err)
			}
			_, b := connected(t, url, "relay", cfg)
			err := b.Run(ctx, told{})
			if !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), row.want) || strings.Count(err.Error(), "publish") != 1 {
				t.Errorf("run ends with %v, want ErrSetup that names %q alone", err, row.want)
			}
		})
	}
}

// Where the server does not tell what is allowed, a denied permission is named when it is needed, instead of a time-out.
func TestDeniedPermissionMakesUnready(t *testing.T) {
	cfg := testConfig(t)
	allow := []string{"$JS.API.STREAM.>", "$JS.API.CONSUMER.>", "$JS.API.DIRECT.>", "$JS.ACK.>", "$KV.>", "voicemail.work.>"}
	url := guarded(t, allow)
	nc, maker := connected(t, url, "setup", cfg)
	ctx, stop := context.WithCancel(context.Background())
	if _, _, err := maker.Setup(ctx, true); err != nil {
		t.Fatal(err)
	}
	denied := make(chan struct{}, 100)
	cfg.Incident = func(k Incident, _ int) {
		if k == IncidentDenied {
			denied <- struct{}{}
		}
	}
	_, b := connected(t, url, "relay", cfg)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, told{}) }()
	if err := nc.Publish("call.ended", []byte(`{"botId":"st-1","sessionId":"s1"}`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-denied:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	if err := b.Ready(); err == nil || !strings.Contains(err.Error(), `nats denies Publish to "voicemail.absent": allow it`) {
		t.Errorf("ready says %v, want what is denied and the cure", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestGrantsAreReadAsTheServerDoes(t *testing.T) {
	for _, row := range []struct {
		g    *grant
		want bool
	}{
		{nil, true}, {&grant{}, true}, {&grant{Allow: []string{"a.>"}}, true}, {&grant{Allow: []string{"a.*"}}, true}, {&grant{Allow: []string{"a"}}, false},
		{&grant{Allow: []string{">"}, Deny: []string{"a.b"}}, false}, {&grant{Deny: []string{"a.c"}}, true}, {&grant{Deny: []string{"a.b queue"}}, true},
	} {
		if got := row.g.allows("a.b"); got != row.want {
			t.Errorf("%+v allows a.b: %v, want %v", row.g, got, row.want)
		}
	}
}
