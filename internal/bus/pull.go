package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// How long a pull waits at the server, and how often it says that it is still there: a lost one is noticed after two and a half beats.
const (
	pullExpires = 10 * time.Second
	pullBeat    = 2 * time.Second
	pullLost    = 5 * time.Second
)

// A puller asks one consumer for messages, with one request on its way at most: what comes is never more than what was asked for, so
// that nothing sits in a buffer while the server's ack_wait runs. (The client's own iterators refill theirs.) It belongs to one
// goroutine, but for what the watchdog looks at.
type puller struct {
	b        *Bus
	stream   string // "" for the stream of calls, which may be replaced by another
	consumer string
	sub      *nats.Subscription
	inbox    string
	reply    string // of the latest request: what an older one still says is of no interest
	requests int
	open     int       // messages that are still to come
	heard    time.Time // when the server last said anything
	hungry   hunger
	passed   uint64 // a message that the consumer seemed to have forgotten when the watchdog last looked; the keeper's alone
	failures int
	rest     time.Time // not to be asked before
}

func (b *Bus) newPuller(stream, consumer string, to chan *nats.Msg) (*puller, error) {
	box := b.nc.NewInbox()
	sub, err := b.nc.ChanSubscribe(box+".*", to)
	if err != nil {
		return nil, fmt.Errorf("subscribe for %s: %w", consumer, err)
	}
	return &puller{b: b, stream: stream, consumer: consumer, sub: sub, inbox: box}, nil
}

// pull asks for n messages unless a request is on its way.
func (p *puller) pull(n int, now time.Time) {
	if p.open > 0 || n <= 0 || now.Before(p.rest) {
		return
	}
	req, _ := json.Marshal(map[string]int64{"batch": int64(n), "expires": int64(pullExpires), "idle_heartbeat": int64(pullBeat)})
	p.requests++
	p.reply = p.inbox + "." + strconv.Itoa(p.requests)
	if err := p.b.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+p.on()+"."+p.consumer, p.reply, req); err != nil {
		p.fail(now)
		return
	}
	if now.Sub(p.heard) > pullBeat { // not asked for a while: what came meanwhile is nobody's fault
		p.hungry.end()
	}
	p.open, p.heard = n, now
	p.hungry.begin(now)
}

// take looks at what came: true for a message, false for the server's word about the request. lost says that the consumer has to be
// looked after.
func (p *puller) take(m *nats.Msg, now time.Time) (message, lost bool) {
	if !strings.HasPrefix(m.Reply, "$JS.ACK.") && m.Subject != p.reply {
		return false, false
	}
	p.heard = now
	if strings.HasPrefix(m.Reply, "$JS.ACK.") {
		p.open = max(0, p.open-1)
		p.hungry.end()
		p.failures = 0
		p.b.health.set(p.consumer, nil)
		return true, false
	}
	switch status := m.Header.Get("Status"); status {
	case "100": // it beats: it is there
		p.healthy()
	case "404", "408": // over, in the ordinary way
		p.healthy()
		p.open = 0
	default: // 409: deleted, leader changed, server going down, too many waiting; 503: nobody answers
		p.fail(now)
		return false, true
	}
	return false, false
}

func (p *puller) healthy() {
	p.failures = 0
	p.b.health.set(p.consumer, nil)
}

// check notices a request that got lost.
func (p *puller) check(now time.Time) (lost bool) {
	if p.open == 0 || now.Sub(p.heard) < pullLost {
		return false
	}
	p.fail(now)
	return true
}

// reset forgets the request that was on its way when the connection was lost.
func (p *puller) reset() {
	p.open, p.rest = 0, time.Time{}
	p.hungry.end()
}

func (p *puller) fail(now time.Time) {
	p.open = 0
	p.hungry.end()
	p.rest = now.Add(pause(p.failures))
	p.failures++
}

// revive looks after a consumer that does not answer: what is missing is made again, unless provisioning is not the relay's.
func (p *puller) revive(ctx context.Context, now time.Time) {
	if !p.b.nc.IsConnected() || p.failures < 2 {
		return
	}
	p.b.health.set(p.consumer, fmt.Errorf("consumer %s of stream %s does not answer", p.consumer, p.on()))
	if p.failures == 2 {
		p.b.cfg.Log.Warn("a consumer does not answer; looking after it", zap.String("consumer", p.consumer), zap.String("stream", p.on()))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	mended, err := p.b.restore(ctx)
	if err != nil {
		p.b.health.set(p.consumer, err)
		p.b.cfg.Log.Warn("cannot restore streams and consumers; trying again", zap.Error(err))
		return
	}
	if mended { // else it refuses for another reason: it is asked again, ever more seldom
		p.rest = time.Time{}
	}
}

// on is the stream that the consumer belongs to.
func (p *puller) on() string {
	if p.stream != "" {
		return p.stream
	}
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return p.b.calls
}
