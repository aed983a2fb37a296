package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// A Ledger is the bucket that remembers what became of each session: a small record by the session's key, for ledger.keep.
type Ledger struct {
	kv        jetstream.KeyValue
	mailboxes *mailboxes
	bucket    string
	direct    bool // records can be read from any replica, and at half the cost
}

// OpenLedger opens the bucket; the error says how to make it when it is missing.
func OpenLedger(ctx context.Context, js jetstream.JetStream, n Names) (*Ledger, error) {
	return openLedger(ctx, js, n, newMailboxes(js.Conn()))
}

func openLedger(ctx context.Context, js jetstream.JetStream, n Names, x *mailboxes) (*Ledger, error) {
	kv, err := js.KeyValue(ctx, n.ledgerBucket())
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("there is no bucket %s (%w): run voicemail-relay setup", n.ledgerBucket(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", n.ledgerBucket(), err)
	}
	l := &Ledger{kv: kv, mailboxes: x, bucket: n.ledgerBucket()}
	if st, err := kv.Status(ctx); err == nil {
		if st, ok := st.(*jetstream.KeyValueBucketStatus); ok {
			l.direct = st.StreamInfo().Config.AllowDirect
		}
	}
	return l, nil
}

// Get returns a session's record; false when it has none.
func (l *Ledger) Get(ctx context.Context, key string) (rec relay.Record, found bool, err error) {
	value, err := l.value(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return rec, false, nil
	}
	if err != nil {
		return rec, false, err
	}
	if err := json.Unmarshal(value, &rec); err != nil { // not ours: as good as none, the verdict's id still folds a repeat
		return relay.Record{}, false, nil
	}
	return rec, true, nil
}

// value is kv.Get, by the shorter way where there is one: each call does it once.
func (l *Ledger) value(ctx context.Context, key string) ([]byte, error) {
	if l.direct {
		m, err := l.mailboxes.direct(ctx, "KV_"+l.bucket+"."+l.subject(key), nil)
		switch {
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, errNotDirect): // the bucket has changed, or is gone
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return nil, jetstream.ErrKeyNotFound
		case err != nil:
			return nil, err
		case len(m.Header["KV-Operation"]) > 0: // a deletion's marker
			return nil, jetstream.ErrKeyNotFound
		default:
			return m.Data, nil
		}
	}
	e, err := l.kv.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return e.Value(), nil
}

func (l *Ledger) subject(key string) string { return "$KV." + l.bucket + "." + key }

func (l *Ledger) put(ctx context.Context, key string, rec relay.Record) error {
	m := newDraft(l.subject(key))
	defer m.free()
	m.Data = rec.AppendJSON(m.Data)
	_, err := l.mailboxes.store(ctx, &m.Msg)
	return err
}

// Settled is relay's question; it waits out trouble with NATS.
func (b *Bus) Settled(ctx context.Context, key string) (rec relay.Record, found bool, err error) {
	err = b.persist(ctx, opReadLedger, func(ctx context.Context) error {
		l, err := b.openLedger(ctx)
		if err != nil {
			return err
		}
		rec, found, err = l.Get(ctx, key)
		return err
	})
	return rec, found, err
}

func (b *Bus) note(ctx context.Context, key string, rec relay.Record) error {
	return b.persist(ctx, opWriteLedger, func(ctx context.Context) error {
		l, err := b.openLedger(ctx)
		if err != nil {
			return err
		}
		return l.put(ctx, key, rec)
	})
}

// openLedger opens the bucket once.
func (b *Bus) openLedger(ctx context.Context) (*Ledger, error) {
	b.mu.Lock()
	l := b.ledger
	b.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := openLedger(ctx, b.js, b.cfg.Names, b.mailboxes)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.ledger = l
	b.mu.Unlock()
	return l, nil
}

// work opens the work stream once.
func (b *Bus) work(ctx context.Context) (jetstream.Stream, error) {
	b.mu.Lock()
	s := b.line
	b.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := b.js.Stream(ctx, b.cfg.workStream())
	if err != nil {
		return nil, err
	}
	b.replicated.Store(s.CachedInfo().Config.Replicas > 1)
	b.direct.Store(s.CachedInfo().Config.AllowDirect)
	b.mu.Lock()
	b.line = s
	b.mu.Unlock()
	return s, nil
}
