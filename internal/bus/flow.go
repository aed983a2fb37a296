package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// flow stops the taking of calls while settled ones cannot be written down: what is decided is kept in its seat and written again, so
// that no request is spent twice, and nothing new is begun.
type flow struct {
	mu    sync.Mutex
	stuck map[string]int // what cannot be done, and how often
	last  error
	clear chan struct{} // closed when nothing is stuck
}

func newFlow() *flow {
	f := &flow{stuck: map[string]int{}, clear: make(chan struct{})}
	close(f.clear)
	return f
}

// open is closed while calls may be taken.
func (f *flow) open() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clear
}

func (f *flow) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for what := range f.stuck {
		return fmt.Errorf("cannot %s: %w", what, f.last)
	}
	return nil
}

// all is how many wait for each.
func (f *flow) all() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.stuck)
}

func (f *flow) block(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.stuck) == 0 {
		f.clear = make(chan struct{})
	}
	f.stuck[what]++
	f.last = err
}

func (f *flow) unblock(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stuck[what]--; f.stuck[what] == 0 {
		delete(f.stuck, what)
	}
	if len(f.stuck) == 0 {
		close(f.clear)
	}
}

// retries of an operation on NATS, by the failures so far.
func pause(failures int) time.Duration {
	return min(100*time.Millisecond<<min(failures, 6), 5*time.Second)
}

// What persist does, by the words of its log lines and metrics.
const (
	opPublish     = "publish a verdict"
	opReadVerdict = "read a verdict"
	opAppoint     = "keep an appointment"
	opReadWork    = "read the work stream"
	opReadLedger  = "read the ledger"
	opWriteLedger = "write the ledger"
)

// Operations lists what is done on NATS for a call, and again until it succeeds.
func Operations() []string {
	return []string{opPublish, opReadVerdict, opAppoint, opReadWork, opReadLedger, opWriteLedger}
}

// persist does an operation on NATS until it succeeds, fails for good (errFinal) or ctx ends. An operation whose outcome is unknown, such
// as a publish that timed out, is simply done again: each is guarded by an id or by compare-and-set. Each question within it has its own
// limit of time; here it would cost a context for each of what every call does three times.
func (b *Bus) persist(ctx context.Context, what string, op func(context.Context) error) error {
	blocked := false
	defer func() {
		if blocked {
			b.flow.unblock(what)
		}
	}()
	for failures := 0; ; failures++ {
		err := op(ctx)
		if err == nil || errors.Is(err, errFinal) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if b.cfg.Stumbled != nil {
			b.cfg.Stumbled(what)
		}
		if !blocked && failures > 0 { // one blip is no trouble
			blocked = true
			b.flow.block(what, err)
			b.cfg.Log.Warn("cannot "+what+"; taking no more calls until it succeeds", zap.Error(err))
		}
		if gone(err) { // a stream or bucket was deleted: make it again, if that is the relay's to do
			try, cancel := context.WithTimeout(ctx, 5*time.Second)
			if _, err := b.restore(try); err != nil {
				b.cfg.Log.Warn("cannot restore streams and consumers; trying again", zap.Error(err))
			}
			cancel()
		}
		if err := sleep(ctx, pause(failures)); err != nil {
			return err
		}
	}
}

// errFinal marks an operation that will never succeed as it is.
var errFinal = errors.New("final")

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Error codes of JetStream's API, from the server's errors.json; see ADR-51 and the design's list of what was measured.
const (
	codeWrongLastSequence = 10071 // compare-and-set: it exists
	codeInProcessSequence = 10164 // one is in process and may yet fail
	codeInProcessID       = 10158 // the same id is in process
	codeTooLarge          = 10054
	codeHeaderTooLarge    = 10097
)

func apiCode(err error) jetstream.ErrorCode {
	if err == nil {
		return 0
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode
	}
	return 0
}

// gone says that no stream answered for what was asked.
func gone(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound)
}

// exists says that a compare-and-set found what it was to create.
func exists(err error) bool { return apiCode(err) == codeWrongLastSequence }

func tooLarge(err error) bool {
	return err != nil && (errors.Is(err, nats.ErrMaxPayload) || apiCode(err) == codeTooLarge || apiCode(err) == codeHeaderTooLarge)
}
