package bus

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
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
		m, err := x.request(t.Context(), &nats.Msg{Subject: "echo", Data: []byte(word)}, nil)
		if err != nil || string(m.Data) != word {
			t.Fatalf("asked %s, got %v %v", word, m, err)
		}
	}
	if _, err := x.request(t.Context(), &nats.Msg{Subject: "nobody.hears"}, nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("nobody answers: %v, want %v", err, nats.ErrNoResponders)
	}
	var all sync.WaitGroup
	for range 3 * mostMailboxes {
		all.Go(func() { _, _ = x.request(t.Context(), &nats.Msg{Subject: "nobody.hears"}, nil) })
	}
	all.Wait()
	if n := len(x.free); n == 0 || n > mostMailboxes || n != x.made {
		t.Errorf("%d of %d mailboxes are free, want all of %d at most", n, x.made, mostMailboxes)
	}
}

// A server that grants few subscriptions is asked the client's own way beyond them, and some are left for others.
func TestFewSubscriptionsAreEnough(t *testing.T) {
	const granted = 40
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, MaxSubs: granted, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.Shutdown()
	others, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	const many = 100
	var waiting []*nats.Msg
	if _, err := others.Subscribe("echo", func(m *nats.Msg) { // all wait at once
		if waiting = append(waiting, m); len(waiting) == many {
			for _, m := range waiting {
				_ = m.Respond(nil)
			}
			waiting = nil
		}
	}); err != nil {
		t.Fatal(err)
	}
	_ = others.Flush()
	nc, b := connected(t, s.ClientURL(), "", testConfig(t))
	x := b.mailboxes
	x.within = time.Second
	_, _ = nc.Request("nobody.hears", nil, time.Second) // as each relay has asked at its start: the client's own way is a subscription, too
	asked := func() (unanswered int) {
		var all sync.WaitGroup
		var failed atomic.Int32
		for range many {
			all.Go(func() {
				if _, err := x.request(t.Context(), &nats.Msg{Subject: "echo"}, nil); err != nil {
					failed.Add(1)
				}
			})
		}
		all.Wait()
		return int(failed.Load())
	}
	for range 3 { // how many are refused before the server's word of it is heard is chance
		if asked() == 0 {
			break
		}
	}
	if n := asked(); n > 0 {
		t.Errorf("%d of %d questions get no answer once it is known how many subscriptions there are", n, many)
	}
	if n := nc.NumSubscriptions(); n >= granted {
		t.Errorf("%d of %d subscriptions are taken, want some left for others", n, granted)
	}
}

// Programs that answer whatever has a reply subject may be quicker than a stream: what they say confirms nothing.
func TestOnlyStreamsConfirm(t *testing.T) {
	nc, bus := onServer(t, testConfig(t))
	sub, err := nc.Subscribe("heard.and.stored", func(m *nats.Msg) {
		for _, word := range []string{"+ACK", "", `{}`, `{"seq":7}`, `{"stream":"VOICEMAILS"}`, `{"stream":"VOICEMAILS","seq":8}`} {
			_ = m.Respond([]byte(word))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if ack, err := bus.mailboxes.store(t.Context(), &nats.Msg{Subject: "heard.and.stored"}); err != nil || ack.Sequence != 8 {
		t.Errorf("confirmed by %+v %v, want by the stream", ack, err)
	}
}

// A mailbox that hears nothing is not used again.
func TestDeafMailboxesAreLeft(t *testing.T) {
	nc, _ := onServer(t, testConfig(t))
	silent, err := nc.Subscribe("silence", func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Unsubscribe() }()
	x := newMailboxes(nc)
	x.within = 50 * time.Millisecond
	before := nc.NumSubscriptions()
	if _, err := x.request(t.Context(), &nats.Msg{Subject: "silence"}, nil); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("got %v, want a time-out", err)
	}
	if x.made != 0 || len(x.free) != 0 || nc.NumSubscriptions() != before {
		t.Errorf("%d mailboxes made, %d free, %d subscriptions, want that it is gone", x.made, len(x.free), nc.NumSubscriptions()-before)
	}
}

// What is asked on a connection that goes is not answered on the next: it is given up at once, and can be asked again there.
func TestQuestionsEndWithTheirConnection(t *testing.T) {
	nc, _ := onServer(t, testConfig(t))
	x := newMailboxes(nc)
	x.within = time.Hour // nothing but the connection ends it
	for range 2 {
		heard := make(chan *nats.Msg, 1)
		silent, err := nc.ChanSubscribe("silence", heard)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the question
			<-heard
			if err := nc.ForceReconnect(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := x.request(ctx, &nats.Msg{Subject: "silence"}, nil); !errors.Is(err, nats.ErrDisconnected) {
			t.Errorf("asked on a connection that goes: %v, want %v", err, nats.ErrDisconnected)
		}
		cancel()
		_ = silent.Unsubscribe()
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		if err := Connected(ctx, nc); err != nil {
			t.Fatal(err)
		}
		if _, err := x.request(ctx, &nats.Msg{Subject: "nobody.hears"}, nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("asked on the next one: %v, want %v", err, nats.ErrNoResponders)
		}
		cancel()
	}
	if x.made != 1 || len(x.free) != 1 {
		t.Errorf("%d mailboxes are free of %d, want the one that was made: it is subscribed to anew", len(x.free), x.made)
	}
}

// A severable is a dialer whose connections break.
type severable struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (d *severable) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	if err == nil {
		d.mu.Lock()
		d.conns = append(d.conns, c)
		d.mu.Unlock()
	}
	return c, err
}

func (d *severable) sever() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
}

// Who found no mailbox free is told as well when a connection breaks: the client ends its own requests only where it was asked to reconnect.
func TestAllQuestionsEndWithTheirConnection(t *testing.T) {
	const asked = mostMailboxes + 2
	answering, _ := onServer(t, testConfig(t))
	heard := make(chan *nats.Msg, asked)
	silent, err := answering.ChanSubscribe("silence", heard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Unsubscribe() }()
	if err := answering.Flush(); err != nil {
		t.Fatal(err)
	}
	cable := &severable{}
	nc, err := Dial(Dialing{URL: answering.ConnectedUrl(), Inbox: Inbox, Name: "test", Log: zap.NewNop(), Options: []nats.Option{nats.SetCustomDialer(cable)}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	x := newMailboxes(nc)
	x.within = time.Hour // nothing but the connection ends them
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, asked)
	for range asked {
		go func() { // ends with the question
			_, err := x.request(ctx, &nats.Msg{Subject: "silence"}, nil)
			ended <- err
		}()
	}
	for range asked {
		<-heard
	}
	cable.sever()
	for range asked {
		if err := <-ended; !errors.Is(err, nats.ErrDisconnected) {
			t.Fatalf("asked on a connection that breaks: %v, want %v", err, nats.ErrDisconnected)
		}
	}
	if ctx.Err() != nil {
		t.Error("they ended with their time, and not with the connection")
	}
}
