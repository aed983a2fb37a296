package bus

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/relay"
)

// onServer is a bus with its streams on a server in the process.
func onServer(t testing.TB, cfg Config) (*nats.Conn, *Bus) {
	t.Helper()
	s, err := natsd.Start(natsd.Config{StoreDir: t.TempDir(), Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, b := connected(t, s.URL(), "", cfg)
	if _, _, err := b.Setup(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	return nc, b
}

// counted is told, once a session, and counts.
type counted struct {
	mu   sync.Mutex
	seen map[string]int
	all  chan struct{}
	want int
}

func (*counted) Moot(*relay.Delivery) bool { return false }

func (c *counted) Handle(ctx context.Context, d *relay.Delivery) (relay.Outcome, error) {
	c.mu.Lock()
	c.seen[d.Call.Session]++
	if len(c.seen) == c.want && c.seen[d.Call.Session] == 1 {
		close(c.all)
	}
	c.mu.Unlock()
	return told{}.Handle(ctx, d)
}

// A consumer that is rebuilt goes on where it stood: what was acknowledged stays so, and what was not comes.
func TestRebuiltConsumerGoesOnWhereItStood(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	rebuilt := 0
	cfg.Incident = func(k Incident, _ int) {
		if k == IncidentConsumer {
			rebuilt++
		}
	}
	nc, b := onServer(t, cfg)
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			if err := nc.Publish("call.ended", fmt.Appendf(nil, `{"botId":"st-1","sessionId":"s%d"}`, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(0, 20)
	first := &counted{seen: map[string]int{}, all: make(chan struct{}), want: 20}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, first) }()
	<-first.all
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	publish(20, 30)

	_, b = connected(t, nc.ConnectedUrl(), "", cfg)
	p, err := b.newPuller("CALLS", "voicemail-relay", make(chan *nats.Msg, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.js.Consumer(context.Background(), "CALLS", "voicemail-relay")
	if err != nil {
		t.Fatal(err)
	}
	p.hungry.begin(time.Now().Add(-2 * starved))
	if err := b.look(context.Background(), p, time.Now()); err != nil || rebuilt != 0 {
		t.Errorf("a consumer that was made this minute is rebuilt (%d times, %v): another replica has just done so", rebuilt, err)
	}
	if err := b.rebuild(context.Background(), p, c.CachedInfo()); err != nil || rebuilt != 1 {
		t.Fatalf("rebuilt %d times, %v", rebuilt, err)
	}
	second := &counted{seen: map[string]int{}, all: make(chan struct{}), want: 10}
	ctx, stop = context.WithCancel(context.Background())
	go func() { ended <- b.Run(ctx, second) }()
	select {
	case <-second.all:
	case <-time.After(20 * time.Second):
		t.Errorf("only %d of the 10 that were left came", len(second.seen))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for s, n := range second.seen {
		if first.seen[s] > 0 || n > 1 {
			t.Errorf("%s came again (%d, then %d times)", s, first.seen[s], n)
		}
	}
}

func TestStarvingConsumerIsRebuiltAndAnIdleOneIsNot(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	_, b := onServer(t, cfg)
	for _, row := range []struct {
		name    string
		created time.Duration
		pending uint64
		held    int
		want    bool
	}{
		{"has calls and hands out none", time.Hour, 3, 0, true},
		{"has none", time.Hour, 0, 0, false},
		{"was just made", time.Second, 3, 0, false},
		{"may hand out no more", time.Hour, 3, 5, false},
	} {
		info := &jetstream.ConsumerInfo{Created: time.Now().Add(-row.created), NumPending: row.pending, NumAckPending: row.held, Config: jetstream.ConsumerConfig{MaxAckPending: 5}}
		if got := starving(info, time.Now()); got != row.want {
			t.Errorf("%s: starving %v, want %v", row.name, got, row.want)
		}
	}
	p, err := b.newPuller("CALLS", "voicemail-relay", make(chan *nats.Msg, 1))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p.pull(1, start)
	if got := p.hungry.lasts(start.Add(time.Minute)); got != time.Minute {
		t.Errorf("hungry for %s after a minute without anything, want a minute", got)
	}
	p.take(&nats.Msg{Reply: "$JS.ACK.CALLS.voicemail-relay.1.1.1.1.0"}, start.Add(time.Minute))
	if got := p.hungry.lasts(start.Add(2 * time.Minute)); got != 0 {
		t.Errorf("hungry for %s after a message came, want 0", got)
	}
	p.pull(1, start.Add(2*time.Minute))
	p.take(&nats.Msg{Subject: p.reply, Header: nats.Header{"Status": {"408"}}}, start.Add(2*time.Minute+pullExpires))
	p.pull(1, start.Add(10*time.Minute)) // it was not asked for a long while: the store was full, say
	if got := p.hungry.lasts(start.Add(10 * time.Minute)); got != 0 {
		t.Errorf("hungry for %s when it begins to be asked again, want 0", got)
	}
}
