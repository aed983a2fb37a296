package bus

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestSessionIsInHandOnceUntilItIsHandedOver(t *testing.T) {
	f := newFlights(time.Second)
	a, b := &flight{msg: &nats.Msg{}, key: "key"}, &flight{msg: &nats.Msg{}, key: "key"}
	if f.start(a) != nil {
		t.Fatal("the first one is not taken")
	}
	if f.start(b) != a {
		t.Errorf("the session is taken twice")
	}
	f.handOver(a)
	if f.start(b) != nil {
		t.Fatal("its next message is refused after it was handed over: it would come back only after ack_wait")
	}
	if n := len(f.due(time.Now().Add(2 * time.Second))); n != 2 {
		t.Errorf("%d deliveries are extended, want both until they land", n)
	}
	f.land(a)
	if f.start(&flight{key: "key"}) != b {
		t.Errorf("landing the first one let the second go")
	}
	f.land(b)
	if f.count() != 0 || len(f.byKey) != 0 {
		t.Errorf("%d in hand, %d keys, want none", f.count(), len(f.byKey))
	}
	for range 2 { // what is no call has no session
		if f.start(&flight{}) != nil {
			t.Errorf("a malformed event is refused beside another")
		}
	}
}

// A durable that hands calls out again sooner than was known at the start has what is in hand extended sooner from then on.
func TestShorterAckWaitIsKeptUpWith(t *testing.T) {
	nc, b := onServer(t, func() Config { c := testConfig(t); c.Provision = true; c.AckWait = time.Hour; return c }())
	extended, err := nc.SubscribeSync("hand")
	if err != nil {
		t.Fatal(err)
	}
	m := &nats.Msg{Subject: "call.ended", Reply: "hand", Sub: extended}
	fl := &flight{msg: m, key: "key"}
	b.flight.start(fl)
	defer b.flight.land(fl)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.extend(ctx); close(ended) }()
	for range 2 { // when it takes the second, it has begun, at an hour's pace
		b.flight.sooner <- struct{}{}
	}
	b.flight.atLeast(50 * time.Millisecond)
	for range 3 {
		if m, err := extended.NextMsg(10 * time.Second); err != nil || string(m.Data) != "+WPI" {
			t.Fatalf("what is in hand is not extended: %v", err)
		}
	}
	stop()
	<-ended
}

func TestSubjects(t *testing.T) {
	rows := []struct {
		a, b string
		want bool
	}{{"call.ended", "call.ended", true}, {"call.>", "call.ended", true}, {"call.*", "call.ended", true}, {"call.*", "call.a.b", false}, {">", "x", true},
		{"call.>", "call", false}, {"call.ended", "call.*", false}, {"call.*", "call.*", true}, {"call.>", "call.>", true}, {"call.*", "call.>", false}}
	for _, r := range rows {
		if got := covers(r.a, r.b); got != r.want {
			t.Errorf("%s covers %s: %v, want %v", r.a, r.b, got, r.want)
		}
	}
	n := Names{Prefix: "eu-", ReadySubject: "acme.vm.ready"}
	p := place{account: "a", class: "last", key: "k"}
	if got, ok := n.placeOf(n.due(p)); !ok || got != p {
		t.Errorf("%s is read as %v", n.due(p), got)
	}
	if got := n.verdict("failed"); got != "acme.vm.failed" {
		t.Errorf("failed goes to %s, want the sibling of ready", got)
	}
	if got := (Names{ReadySubject: "ready"}).verdict("absent"); got != "absent" {
		t.Errorf("absent goes to %s", got)
	}
}
