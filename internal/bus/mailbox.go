package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// answerWithin is how long an answer of the server is waited for: what the client's jetstream package gives one, too.
const answerWithin = 5 * time.Second

// mostMailboxes bounds them: each is a subscription. With 64 of them a call costs 2 to 6 % more CPU where 256 are under way.
const mostMailboxes = 256

// Mailboxes take the answers to what is asked of the server, for one who waits at a time each. The client's own requests share one subscription:
// each of their answers goes through one more goroutine, a map, and a channel of its own. They are the way for who finds no mailbox free.
type mailboxes struct {
	nc     *nats.Conn
	within time.Duration       // how long an answer is waited for
	way    atomic.Pointer[way] // of the moment
	mu     sync.Mutex
	most   int // that may be made
	made   int // and in use
	proven int // of these
	free   []*mailbox
}

type mailbox struct {
	sub     *nats.Subscription
	address string // of its answers, up to the number of the question
	asked   uint64
	proven  bool // it has heard an answer: the server has granted it
	answers chan *nats.Msg
	timer   *time.Timer
}

// A way to the server ends when its connection is lost, and takes the answers along.
type way struct {
	context.Context
	end context.CancelFunc
}

func newWay() *way {
	ctx, end := context.WithCancel(context.Background())
	return &way{ctx, end}
}

func newMailboxes(nc *nats.Conn) *mailboxes {
	x := &mailboxes{nc: nc, within: answerWithin, most: mostMailboxes}
	x.way.Store(newWay())
	go x.watch(nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)) // ends with the connection
	return x
}

// watch tells those who wait for an answer when the connection is lost, or replaced on purpose.
func (x *mailboxes) watch(status chan nats.Status) {
	defer x.nc.RemoveStatusListener(status)
	defer func() { x.way.Load().end() }()
	for !x.nc.IsClosed() {
		<-status
		x.way.Swap(newWay()).end()
	}
}

// request sends a message and returns the first answer to it that counts, if that is asked; nil: any does. Without one within 5 s, or before ctx
// ends, it fails as the client's own requests do; with nats.ErrDisconnected as soon as the connection is lost on which it was asked.
func (x *mailboxes) request(ctx context.Context, m *nats.Msg, counts func(*nats.Msg) bool) (*nats.Msg, error) {
	in, err := x.take()
	if err != nil {
		return nil, err
	}
	on := x.way.Load() // before it is sent: what is lost later has lost it, too
	if in == nil {
		return x.byClient(ctx, on, m)
	}
	deaf, heard := false, false
	defer func() { x.give(in, deaf, heard) }()
	in.asked++
	m.Reply = in.address + strconv.FormatUint(in.asked, 10)
	if err := x.nc.PublishMsg(m); err != nil {
		return nil, err
	}
	in.timer.Reset(x.within)
	defer in.timer.Stop()
	for {
		select {
		case answer := <-in.answers:
			heard = true
			switch {
			case answer.Subject != m.Reply: // a late one, or a second one: whoever hears a verdict may answer it, too
			case len(answer.Data) == 0 && statusOf(answer.Header) == "503":
				return nil, nats.ErrNoResponders
			case counts == nil || counts(answer):
				return answer, nil
			}
		case <-in.timer.C:
			deaf = true // perhaps: the server tells of a subscription that it does not grant behind it alone
			return nil, nats.ErrTimeout
		case <-on.Done():
			return nil, nats.ErrDisconnected
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// byClient asks without a mailbox. The client would wait on after it has lost the connection.
func (x *mailboxes) byClient(ctx context.Context, on *way, m *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, x.within)
	defer cancel()
	defer context.AfterFunc(on, cancel)()
	answer, err := x.nc.RequestMsgWithContext(ctx, m)
	if err != nil && on.Err() != nil {
		return nil, nats.ErrDisconnected
	}
	return answer, err
}

// take returns a mailbox, or nil where there are enough of them.
func (x *mailboxes) take() (*mailbox, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		in := x.free[n-1]
		x.free = x.free[:n-1]
		return in, nil
	}
	if x.made >= x.most {
		return nil, nil
	}
	in := &mailbox{answers: make(chan *nats.Msg, 8), timer: time.NewTimer(answerWithin)}
	in.timer.Stop()
	sub, err := x.nc.ChanSubscribe(x.nc.NewInbox()+".*", in.answers)
	if err != nil {
		return nil, err
	}
	in.sub, in.address = sub, strings.TrimSuffix(sub.Subject, "*")
	x.made++
	return in, nil
}

func (x *mailboxes) give(in *mailbox, deaf, heard bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if heard && !in.proven {
		in.proven = true
		x.proven++
	}
	if deaf || x.made > x.most {
		x.drop(in)
		return
	}
	x.free = append(x.free, in)
}

func (x *mailboxes) drop(in *mailbox) {
	x.made--
	if in.proven {
		x.proven--
	}
	_ = in.sub.Unsubscribe()
}

// refused has fewer of them, since the server grants the connection no more subscriptions: others need some, too.
func (x *mailboxes) refused() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.most = min(x.most, x.proven*3/4)
	for n := len(x.free); n > 0 && x.made > x.most; n-- {
		x.drop(x.free[n-1])
		x.free = x.free[:n-1]
	}
}

// errNotDirect is an answer to a direct read that is neither a message nor that there is none.
var errNotDirect = errors.New("no direct read")

// direct reads a message of a stream by the shorter way, with the names that the server gives it in the header (ADR-31). The error is
// jetstream.ErrMsgNotFound when there is none.
func (x *mailboxes) direct(ctx context.Context, where string, which []byte) (*nats.Msg, error) {
	m, err := x.request(ctx, &nats.Msg{Subject: "$JS.API.DIRECT.GET." + where, Data: which}, nil)
	if err != nil {
		return nil, err
	}
	switch statusOf(m.Header) {
	case "":
		return m, nil
	case "404":
		return nil, jetstream.ErrMsgNotFound
	}
	return nil, fmt.Errorf("%w: status %s", errNotDirect, statusOf(m.Header))
}

func statusOf(h nats.Header) string {
	if s := h["Status"]; len(s) > 0 {
		return s[0]
	}
	return ""
}
