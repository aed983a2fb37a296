package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// A Timeline is what is stored about a session.
type Timeline struct {
	Settled *relay.Record // what the ledger holds, or, when it has forgotten, the latest verdict in the stream; nil: none
	Waiting *Place        // where the call stands; nil: nowhere
	Lag     uint64        // calls in call.ended that no replica has taken yet: it may be among them
}

// A Place is where a call waits: for a date, or for its turn in the line.
type Place struct {
	Class   relay.Class
	At      time.Time // of the appointment; zero: it is due, and stands in line
	Since   time.Time
	History relay.History
}

// Explain reads a session's timeline by relay.Call.Key.
func Explain(ctx context.Context, js jetstream.JetStream, n Names, key string) (Timeline, error) {
	var t Timeline
	ledger, err := OpenLedger(ctx, js, n)
	if err != nil {
		return t, err
	}
	switch rec, found, err := ledger.Get(ctx, key); {
	case err != nil:
		return t, fmt.Errorf("read the ledger: %w", err)
	case found:
		t.Settled = &rec
	default:
		if t.Settled, err = n.latest(ctx, js, key); err != nil {
			return t, err
		}
	}
	if t.Waiting, err = n.standing(ctx, js, key); err != nil {
		return t, err
	}
	stream, err := js.StreamNameBySubject(ctx, n.CallsSubject)
	if err != nil {
		return t, fmt.Errorf("look up the stream of %s: %w", n.CallsSubject, err)
	}
	c, err := js.Consumer(ctx, stream, n.durable())
	if err != nil {
		return t, fmt.Errorf("durable %s of stream %s: %w", n.durable(), stream, err)
	}
	t.Lag = c.CachedInfo().NumPending
	return t, nil
}

// latest looks for a session's verdict in the stream itself, which is kept longer than the ledger. It reads the ids of all that is stored.
func (n Names) latest(ctx context.Context, js jetstream.JetStream, key string) (found *relay.Record, err error) {
	s, err := js.Stream(ctx, n.verdictStream())
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", n.verdictStream(), err)
	}
	err = n.eachID(ctx, s, 1, func(id string, rec relay.Record) {
		if keyOf(id) == key {
			found = &rec
		}
	})
	return found, err
}

// standing finds where a session waits.
func (n Names) standing(ctx context.Context, js jetstream.JetStream, key string) (*Place, error) {
	s, err := js.Stream(ctx, n.workStream())
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", n.workStream(), err)
	}
	m, err := s.GetLastMsgForSubject(ctx, n.chain(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n.workStream(), err)
	}
	p := &Place{Since: m.Time.UTC()}
	if at, ok := scheduled(m.Header); ok {
		p.At = at.UTC()
	}
	if due, ok := n.placeOf(m.Subject); ok {
		p.Class = due.class
	} else if wait, ok := n.placeOfWait(m.Subject); ok {
		p.Class = wait.class
	}
	_ = json.Unmarshal([]byte(m.Header.Get(historyHeader)), &p.History) // what is not there stays empty
	return p, nil
}
