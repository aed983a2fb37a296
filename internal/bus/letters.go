package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// ErrNoLetter says that a sequence is none of a dead letter.
var ErrNoLetter = errors.New("no dead letter")

// Letters are the dead letters: the failed verdicts of the stream of verdicts.
type Letters struct {
	names    Names
	js       jetstream.JetStream
	verdicts jetstream.Stream
	ledger   *Ledger
	keep     time.Duration // how long the ledger remembers; 0: for ever
}

// A StoredLetter is a dead letter as the stream holds it.
type StoredLetter struct {
	relay.Letter
	Sequence uint64
	Stored   time.Time
	Subject  string
	Header   map[string][]string
	Body     []byte        // the event's JSON, out of its envelope in structured mode
	Record   *relay.Record // what Lookup found in the ledger about its session; nil: nothing
	Since    *relay.Record // a later verdict on its session, as far as Lookup found one
}

// OpenLetters finds the stream and the ledger; the error says how to make them when they are missing.
func OpenLetters(ctx context.Context, js jetstream.JetStream, n Names) (*Letters, error) {
	s, err := js.Stream(ctx, n.verdictStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("there is no stream %s: run voicemail-relay setup", n.verdictStream())
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", n.verdictStream(), err)
	}
	ledger, err := OpenLedger(ctx, js, n)
	if err != nil {
		return nil, err
	}
	st, err := ledger.kv.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", n.ledgerBucket(), err)
	}
	return &Letters{n, js, s, ledger, st.TTL()}, nil
}

// Stream is the name of the stream that holds them.
func (l *Letters) Stream() string { return l.names.verdictStream() }

// Each hands over the letters that are stored now, oldest first, until do returns false.
func (l *Letters) Each(ctx context.Context, do func(StoredLetter) (more bool, err error)) error {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{l.names.verdict(relay.KindFailed)}, DeliverPolicy: jetstream.DeliverAllPolicy}
	return scan(ctx, l.verdicts, cfg, func(m jetstream.Msg, md *jetstream.MsgMetadata) (bool, error) {
		return do(l.letter(m.Subject(), md.Sequence.Stream, md.Timestamp, m.Headers(), m.Data()))
	})
}

// Get reads the letter of a sequence; the error is ErrNoLetter when that holds none.
func (l *Letters) Get(ctx context.Context, sequence uint64) (StoredLetter, error) {
	m, err := l.verdicts.GetMsg(ctx, sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return StoredLetter{}, fmt.Errorf("%w: stream %s holds no message %d (any more)", ErrNoLetter, l.Stream(), sequence)
	case err != nil:
		return StoredLetter{}, fmt.Errorf("read message %d of stream %s: %w", sequence, l.Stream(), err)
	case m.Subject != l.names.verdict(relay.KindFailed):
		return StoredLetter{}, fmt.Errorf("%w: message %d of stream %s is a %s", ErrNoLetter, sequence, l.Stream(), m.Subject)
	}
	for _, name := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} { // the answer's, not the message's
		delete(m.Header, name)
	}
	return l.letter(m.Subject, m.Sequence, m.Time, m.Header, m.Data), nil
}

func (l *Letters) letter(subject string, sequence uint64, stored time.Time, h nats.Header, data []byte) StoredLetter {
	id := h.Get(nats.MsgIdHdr)
	if v := h["ce-id"]; id == "" && len(v) > 0 { // a copy: whoever made it may have left out what is NATS's own
		id = v[0]
	}
	body := unwrapped(h, data)
	return StoredLetter{Letter: relay.ReadLetter(id, h, body), Sequence: sequence, Stored: stored.UTC(), Subject: subject, Header: h, Body: body}
}

// Lookup notes in each letter what the ledger holds about its session. Thorough, it looks for later verdicts in the stream itself too, for
// letters that the ledger has outlived: only so is a letter of long ago known to have been replayed.
func (l *Letters) Lookup(ctx context.Context, letters []StoredLetter, thorough bool) error {
	err := Parallel(ctx, len(letters), func(ctx context.Context, i int) error {
		s := &letters[i]
		if s.Reason == relay.ReasonMalformed {
			return nil
		}
		rec, found, err := l.ledger.Get(ctx, s.Call.Key())
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if found {
			s.Record = &rec
			if s.Outdated(rec) {
				s.Since = &rec
			}
		}
		return nil
	})
	if err != nil || !thorough {
		return err
	}
	return l.lookupForgotten(ctx, letters)
}

func (l *Letters) lookupForgotten(ctx context.Context, letters []StoredLetter) error {
	forgotten := map[string][]*StoredLetter{} // by their session's key
	from := uint64(0)
	for i := range letters {
		s := &letters[i]
		if s.Record != nil || s.Reason == relay.ReasonMalformed || l.keep == 0 || time.Since(s.Stored) < l.keep {
			continue
		}
		forgotten[s.Call.Key()] = append(forgotten[s.Call.Key()], s)
		if from == 0 || s.Sequence < from {
			from = s.Sequence
		}
	}
	if len(forgotten) == 0 {
		return nil
	}
	return l.names.eachID(ctx, l.verdicts, from, func(id string, rec relay.Record) {
		for _, s := range forgotten[keyOf(id)] {
			if s.Outdated(rec) {
				s.Since = &rec
			}
		}
	})
}

// Replay reports a letter's call once more. No message id is set: a stream that folds repeats by it would swallow a second replay for as
// long as its window is, also when the first one's call is gone from it. What makes the second harmless is the id of the verdict.
func (l *Letters) Replay(ctx context.Context, r relay.Replay) error {
	m := nats.NewMsg(l.names.CallsSubject)
	m.Data = r.Body
	setTrace(m.Header, r.Trace)
	if r.K > 0 {
		m.Header.Set(relay.ReplayHeader, strconv.Itoa(r.K))
	}
	_, err := l.js.PublishMsg(ctx, m)
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("no stream holds %s: run voicemail-relay setup", l.names.CallsSubject)
	}
	if err != nil {
		return fmt.Errorf("publish on %s: %w", l.names.CallsSubject, err)
	}
	return nil
}

// Delete removes a letter from its stream. That it is gone already is no error.
func (l *Letters) Delete(ctx context.Context, sequence uint64) error {
	err := l.verdicts.DeleteMsg(ctx, sequence)
	if err == nil {
		return nil
	}
	if _, gone := l.verdicts.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("delete message %d of stream %s: %w", sequence, l.Stream(), err)
}

// atOnce bounds how many round trips of a command are under way.
const atOnce = 64

// Parallel does n things, many at once, and returns the first error; nothing is begun after it.
func Parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var working sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range n {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		working.Go(func() { // ends with do
			defer func() { <-free }()
			if err := do(ctx, i); err != nil {
				stop(err)
			}
		})
	}
	working.Wait()
	return context.Cause(ctx)
}
