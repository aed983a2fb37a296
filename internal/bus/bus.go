package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/relay"
)

// Config describes a bus. Names and defaults are those of the settings of the same name.
type Config struct {
	Names
	Replicas     int           // of streams and buckets that are created
	Provision    bool          // create what is missing
	Concurrency  int           // calls taken from call.ended that are handled at once
	AckWait      time.Duration // until the server hands a call out again that nobody works on
	Structured   bool          // CloudEvents structured mode for verdicts; else binary
	LedgerKeep   time.Duration
	VerdictsKeep time.Duration
	Grace        time.Duration // for calls under way when Run's context ends
	Accounts     []Account
	Dialing      Dialing // how the connection was made, to say what is wrong while it is lost
	Log          *zap.Logger
	Observe      func(Settlement)           // told about each delivery that was settled; may be nil
	Incident     func(kind Incident, n int) // told what happened, for metrics; may be nil
	Received     func()                     // told of each event of call.ended that is handed out for the first time; may be nil
	Stumbled     func(operation string)     // told of each try of one of Operations that failed; may be nil
	Tracer       Tracer                     // nil: nobody looks on
}

// Account is one account's line.
type Account struct {
	Name  string
	Seats int
	Purse Purse
}

// Purse hands out what an account may spend: *budget.Purse.
type Purse interface {
	Acquire() (ok, probe bool, w budget.Wait)
	Release(probe bool)
	HasLimit() bool
	Yield()
	Resting() int
}

// A Handler decides about a delivery: *relay.Relay.
type Handler interface {
	// Handle's error means that ctx ended before it could decide.
	Handle(ctx context.Context, d *relay.Delivery) (relay.Outcome, error)
	// Moot says whether a call at the head of a line is to be handled though it cannot be asked for.
	Moot(d *relay.Delivery) bool
}

// A Settlement is one settled delivery, for logs and metrics.
type Settlement struct {
	Outcome relay.Outcome
	Verdict *relay.Record // of a verdict: what the stream holds, which may be an earlier verdict than the one decided now
	Repeat  bool          // nothing was published: the call is settled or on its way
}

// A Bus is a connection and what runs on it.
type Bus struct {
	cfg       Config
	nc        *nats.Conn
	js        jetstream.JetStream
	mailboxes *mailboxes
	health    *health
	flow      *flow
	flight    *flights
	denied    denials
	ahead     atomic.Int64  // nanoseconds that the server's clock is ahead of ours
	stood     atomic.Uint64 // messages in the work stream, when the keeper last looked
	added     atomic.Uint64 // messages that this process has begun to put there
	stock     atomic.Int64  // when a fresh call last came behind which many more stood, in nanoseconds since 1970
	none      atomic.Uint64 // one more than added was when the keeper last found none there; 0: never

	replicated atomic.Bool // the work stream has replicas, and any of them may answer
	direct     atomic.Bool // the work stream can be read from any replica, and at half the cost

	restoring sync.Mutex

	mu     sync.Mutex
	ledger *Ledger
	line   jetstream.Stream // the work stream, to read from
	budget jetstream.KeyValue
	calls  string // the stream that calls come from
	pulls  []*puller
}

// New makes a bus on a connection of Dial's. Nothing runs before Run.
func New(nc *nats.Conn, cfg Config) (*Bus, error) {
	switch {
	case cfg.Concurrency < 1:
		return nil, errors.New("bus: Concurrency must be at least 1")
	case cfg.AckWait <= 0:
		return nil, errors.New("bus: AckWait must be over 0")
	case cfg.Log == nil:
		return nil, errors.New("bus: Log is missing")
	}
	if err := cfg.Names.check(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	b := &Bus{cfg: cfg, nc: nc, js: js, mailboxes: newMailboxes(nc), health: newHealth(nc, cfg.Dialing), flow: newFlow(), flight: newFlights(cfg.AckWait / 3)}
	nc.SetErrorHandler(b.asyncError)
	return b, nil
}

// Ready returns nil while the bus can take calls and settle them, and otherwise what is in the way.
func (b *Bus) Ready() error {
	if err := b.denied.since(time.Now().Add(-denialLasts)); err != nil {
		return err
	}
	if err := b.health.ready(); err != nil {
		return err
	}
	return b.flow.err()
}

// Report notes that something the relay depends on is out of reach, and that it is not ready any more; nil: it is back.
func (b *Bus) Report(what string, err error) {
	b.health.set(what, err)
	if err != nil {
		b.cfg.Log.Error("out of reach: "+what+"; its calls wait until it is back", zap.Error(err))
		return
	}
	b.cfg.Log.Info("within reach again: " + what)
}
