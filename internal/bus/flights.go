package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// flights are the deliveries in this process's hands: each is extended until it lands, so that ack_wait may be shorter than a request, and
// a session is in hand once.
type flights struct {
	every  time.Duration
	sooner chan struct{} // told when every has shrunk
	mu     sync.Mutex
	byKey  map[string]*flight
	all    map[*flight]struct{}
}

// A flight is a delivery in hand.
type flight struct {
	relay.Delivery
	msg      *nats.Msg
	stream   string
	sequence uint64
	key      string // "" when it is no call
	replay   int    // which verdict of its session it will get
	extended time.Time
}

func newFlights(every time.Duration) *flights {
	return &flights{every: every, sooner: make(chan struct{}, 1), byKey: map[string]*flight{}, all: map[*flight]struct{}{}}
}

// atLeast has deliveries extended this often, where a durable hands them out again sooner than the settings say.
func (f *flights) atLeast(every time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if every <= 0 || every >= f.every {
		return
	}
	f.every = every
	select {
	case f.sooner <- struct{}{}:
	default: // told already
	}
}

func (f *flights) interval() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.every
}

// start takes a delivery into hand, unless another flight has the same session in hand already, which it returns.
func (f *flights) start(fl *flight) (other *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other = f.byKey[fl.key]; other != nil && fl.key != "" {
		return other
	}
	fl.extended = time.Now()
	if fl.key != "" {
		f.byKey[fl.key] = fl
	}
	f.all[fl] = struct{}{}
	return nil
}

// handOver lets another message of the session be taken into hand, while this one is still extended.
func (f *flights) handOver(fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[fl.key] == fl {
		delete(f.byKey, fl.key)
	}
}

func (f *flights) land(fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[fl.key] == fl {
		delete(f.byKey, fl.key)
	}
	delete(f.all, fl)
}

func (f *flights) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// due returns the deliveries that are to be extended now.
func (f *flights) due(now time.Time) []*nats.Msg {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ms []*nats.Msg
	for fl := range f.all {
		if now.Sub(fl.extended) >= f.every {
			fl.extended = now
			ms = append(ms, fl.msg)
		}
	}
	return ms
}
