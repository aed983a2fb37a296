package bus

import (
	"errors"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// A question gets the answer to it, whatever else comes: a subscriber of verdicts may answer them, once or more, and late.
func TestMailboxesTakeTheirOwnAnswers(t *testing.T) {
	nc, _ := onServer(t, testConfig(t))
	var last string // touched by one goroutine: the subscription's
	sub, err := nc.Subscribe("echo", func(m *nats.Msg) {
		if last != "" {
			_ = nc.Publish(last, []byte("late"))
		}
		_ = m.Respond(m.Data)
		_ = m.Respond([]byte("twice"))
		last = m.Reply
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	x := newMailboxes(nc)
	for _, word := range []string{"one", "two", "three"} {
		m, err := x.request(t.Context(), &nats.Msg{Subject: "echo", Data: []byte(word)})
		if err != nil || string(m.Data) != word {
			t.Fatalf("asked %s, got %v %v", word, m, err)
		}
	}
	if _, err := x.request(t.Context(), &nats.Msg{Subject: "nobody.hears"}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("nobody answers: %v, want %v", err, nats.ErrNoResponders)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { _, _ = x.request(t.Context(), &nats.Msg{Subject: "nobody.hears"}) })
	}
	all.Wait()
	if n := len(x.free); n == 0 || n > 50 {
		t.Errorf("%d mailboxes are kept, want as many as waited at once", n)
	}
}
