package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/budget"
)

// Records are the small values that all replicas share: each account's purse, and what was learned of it. They stand in the bucket
// VOICEMAIL_BUDGET.
type Records struct{ b *Bus }

// Records returns the bus's.
func (b *Bus) Records() Records { return Records{b} }

// Read returns a value, its revision and when the server stored it; revision 0 when there is none.
func (r Records) Read(ctx context.Context, key string) (value []byte, revision uint64, stored time.Time, err error) {
	kv, err := r.bucket(ctx)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	value, revision, stored, err = Bucket{kv}.Read(ctx, key)
	r.mend(ctx, err)
	return value, revision, stored, err
}

// Write stores a value if its revision is still the one given (0: there is none). The error wraps budget.ErrConflict when it is not.
func (r Records) Write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	kv, err := r.bucket(ctx)
	if err != nil {
		return 0, err
	}
	next, err := Bucket{kv}.Write(ctx, key, value, revision)
	r.mend(ctx, err)
	return next, err
}

// mend makes the bucket again when somebody deleted it.
func (r Records) mend(ctx context.Context, err error) {
	if gone(err) {
		r.b.mu.Lock()
		r.b.budget = nil
		r.b.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // longer than a question may take
		defer cancel()
		_, _ = r.b.restore(ctx) // what went wrong shows at the next try
	}
}

func (r Records) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	r.b.mu.Lock()
	kv, begun := r.b.budget, r.b.calls != ""
	r.b.mu.Unlock()
	switch {
	case kv != nil:
		return kv, nil
	case !begun:
		return nil, errors.New("the streams are not known yet")
	}
	kv, err := r.b.js.KeyValue(ctx, r.b.cfg.budgetBucket())
	if err != nil {
		r.mend(ctx, err)
		return nil, fmt.Errorf("open bucket %s: %w", r.b.cfg.budgetBucket(), err)
	}
	r.b.mu.Lock()
	r.b.budget = kv
	r.b.mu.Unlock()
	return kv, nil
}

// A Bucket is the same records for who runs no relay: what is missing stays missing. It implements budget.Record.
type Bucket struct{ kv jetstream.KeyValue }

// OpenBucket opens it; the error is jetstream.ErrBucketNotFound where no relay has run yet.
func OpenBucket(ctx context.Context, js jetstream.JetStream, n Names) (Bucket, error) {
	kv, err := js.KeyValue(ctx, n.budgetBucket())
	if err != nil {
		return Bucket{}, fmt.Errorf("open bucket %s: %w", n.budgetBucket(), err)
	}
	return Bucket{kv}, nil
}

// Read is Records.Read.
func (k Bucket) Read(ctx context.Context, key string) (value []byte, revision uint64, stored time.Time, err error) {
	e, err := k.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, time.Time{}, nil
	case err != nil:
		return nil, 0, time.Time{}, fmt.Errorf("read %s: %w", key, err)
	}
	return e.Value(), e.Revision(), e.Created(), nil
}

// Write is Records.Write.
func (k Bucket) Write(ctx context.Context, key string, value []byte, revision uint64) (next uint64, err error) {
	if revision == 0 {
		next, err = k.kv.Create(ctx, key, value)
	} else {
		next, err = k.kv.Update(ctx, key, value, revision)
	}
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, jetstream.ErrKeyExists), exists(err), apiCode(err) == codeInProcessSequence:
		return 0, fmt.Errorf("write %s: %w", key, budget.ErrConflict)
	}
	return 0, fmt.Errorf("write %s: %w", key, err)
}
