package bus

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/relay"
)

// A server that is killed may remember that a due call was acknowledged, and still hold it: nobody would ever be handed it.
func TestForgottenDueCallIsFound(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy %v", busy), func(t *testing.T) { forgottenDueCall(t, busy) })
	}
}

func forgottenDueCall(t *testing.T, busy bool) {
	cfg := testConfig(t)
	cfg.Provision = true
	dir := t.TempDir()
	start := func() (*natsd.Server, *nats.Conn, *Bus) {
		s, err := natsd.Start(natsd.Config{StoreDir: dir, Host: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		nc, b := connected(t, s.URL(), "", cfg)
		return s, nc, b
	}
	ctx := context.Background()
	s, nc, b := start()
	if _, _, err := b.Setup(ctx, true); err != nil {
		t.Fatal(err)
	}
	p := place{account: relay.Token("a"), class: relay.ClassFirst, key: relay.Token("x")}
	if _, err := b.js.Publish(ctx, b.cfg.due(p), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	s.Shutdown()
	msgs := filepath.Join(dir, "jetstream", "$G", "streams", "VOICEMAIL_WORK", "msgs")
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(msgs)); err != nil {
		t.Fatal(err)
	}

	s, nc, b = start()
	c, err := b.js.Consumer(ctx, b.cfg.workStream(), b.cfg.lineConsumer(p.account, p.class))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(ctx); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	s.Shutdown()
	if err := os.RemoveAll(msgs); err != nil { // the message is back, its acknowledgement is not forgotten
		t.Fatal(err)
	}
	if err := os.CopyFS(msgs, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}

	s, nc, b = start()
	defer s.Shutdown()
	defer nc.Close()
	c, err = b.js.Consumer(ctx, b.cfg.workStream(), b.cfg.lineConsumer(p.account, p.class))
	if err != nil {
		t.Fatal(err)
	}
	st, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		t.Fatal(err)
	}
	if got := st.CachedInfo().State.Msgs; got != 1 || c.CachedInfo().NumPending != 0 {
		t.Skipf("this server mends it by itself: %d messages, %d pending", got, c.CachedInfo().NumPending)
	}
	puller, err := b.newPuller(b.cfg.workStream(), b.cfg.lineConsumer(p.account, p.class), make(chan *nats.Msg, 1))
	if err != nil {
		t.Fatal(err)
	}
	if busy { // another call is in hand, and it is never hungry
		other := p
		other.key = relay.Token("y")
		if _, err := b.js.Publish(ctx, b.cfg.due(other), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || m.Subject() != b.cfg.due(other) {
			t.Fatalf("the other call is not handed out: %v", err)
		}
	}
	b.cfg.Log = zap.NewNop()
	rebuilt := false
	b.cfg.Incident = func(k Incident, _ int) { rebuilt = rebuilt || k == IncidentConsumer }
	for look := 1; look <= 2; look++ {
		if err := b.look(ctx, puller, time.Now()); err != nil || rebuilt != (look == 2) {
			t.Fatalf("look %d: rebuilt %v, %v; want it at the second: at the first it may just have come, or been acknowledged", look, rebuilt, err)
		}
	}
	c, err = b.js.Consumer(ctx, b.cfg.workStream(), b.cfg.lineConsumer(p.account, p.class))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Next(); err != nil || m.Subject() != b.cfg.due(p) {
		t.Errorf("the call is not handed out again: %v", err)
	}
}
