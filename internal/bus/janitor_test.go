package bus

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// An appointment is made anew only while it still stands: one that was fired, or replaced, since it was looked at is left alone.
func TestJanitorTouchesOnlyWhatStillStands(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	_, b := onServer(t, cfg)
	ctx := context.Background()
	p := place{account: relay.Token("a"), class: relay.ClassAgain, key: relay.Token("x")}
	appoint := func() uint64 {
		m := nats.NewMsg(b.cfg.wait(p))
		m.Data = []byte(`{"botId":"st-1","sessionId":"x"}`)
		m.Header.Set(historyHeader, `{"id":"x"}`)
		m.Header.Set(scheduleHeader, "@at "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano))
		m.Header.Set(targetHeader, b.cfg.due(p))
		ack, err := b.js.PublishMsg(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Sequence
	}
	s, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.GetMsg(ctx, appoint())
	if err != nil {
		t.Fatal(err)
	}
	appoint() // another replica was quicker
	if err := b.anew(ctx, first, time.Now()); !exists(err) {
		t.Errorf("a replaced appointment is made anew: %v, want that it is refused", err)
	}
	second, err := s.GetLastMsgForSubject(ctx, b.cfg.wait(p))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.anew(ctx, second, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := b.js.Consumer(ctx, b.cfg.workStream(), b.cfg.lineConsumer(p.account, p.class))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatalf("made anew, it does not fire: %v", err)
	}
	if m.Headers().Get(historyHeader) != `{"id":"x"}` || string(m.Data()) != string(second.Data) {
		t.Errorf("made anew, it comes as %v %s", m.Headers(), m.Data())
	}
}
