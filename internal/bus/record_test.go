package bus

import (
	"context"
	"errors"
	"testing"
	"time"

	"voicemail-relay/internal/budget"
)

// TestRecords holds the bucket to what budget.Record and its twin in memory promise.
func TestRecords(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	nc, b := connected(t, guarded(t, nil), "setup", cfg)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r := b.Records()
	if _, _, _, err := r.Read(ctx, "purse.a"); err == nil {
		t.Error("read before the streams are known, want an error")
	}
	if _, err := b.begin(ctx); err != nil {
		t.Fatal(err)
	}
	b.calls = "CALLS"
	if _, revision, _, err := r.Read(ctx, "purse.a"); err != nil || revision != 0 {
		t.Errorf("nothing there: revision %d, %v; want 0", revision, err)
	}
	one, err := r.Write(ctx, "purse.a", []byte("one"), 0)
	if err != nil || one == 0 {
		t.Fatalf("created: revision %d, %v", one, err)
	}
	if _, err := r.Write(ctx, "purse.a", []byte("again"), 0); !errors.Is(err, budget.ErrConflict) {
		t.Errorf("created twice: %v, want ErrConflict", err)
	}
	two, err := r.Write(ctx, "purse.a", []byte("two"), one)
	if err != nil || two <= one {
		t.Errorf("written on: revision %d after %d, %v", two, one, err)
	}
	if _, err := r.Write(ctx, "purse.a", []byte("late"), one); !errors.Is(err, budget.ErrConflict) {
		t.Errorf("written on an old revision: %v, want ErrConflict", err)
	}
	value, revision, stored, err := r.Read(ctx, "purse.a")
	if err != nil || string(value) != "two" || revision != two || time.Since(stored).Abs() > 10*time.Second {
		t.Errorf("read %q, revision %d of %s, %v; want what was written last", value, revision, stored, err)
	}
	if err := b.budget.Delete(ctx, "purse.a"); err != nil { // an operator
		t.Fatal(err)
	}
	if _, revision, _, err := r.Read(ctx, "purse.a"); err != nil || revision != 0 {
		t.Errorf("deleted: revision %d, %v; want 0", revision, err)
	}
	if _, err := r.Write(ctx, "purse.a", []byte("new"), two); !errors.Is(err, budget.ErrConflict) {
		t.Errorf("written on what was deleted: %v, want ErrConflict", err)
	}
	if _, err := r.Write(ctx, "purse.a", []byte("new"), 0); err != nil {
		t.Errorf("created after it was deleted: %v", err)
	}
	if err := b.js.DeleteKeyValue(ctx, "VOICEMAIL_BUDGET"); err != nil { // a harsher one
		t.Fatal(err)
	}
	if _, _, _, err := r.Read(ctx, "purse.a"); err == nil {
		t.Error("read without a bucket, want an error")
	}
	if _, revision, _, err := r.Read(ctx, "purse.a"); err != nil || revision != 0 {
		t.Errorf("the bucket was not made again: revision %d, %v", revision, err)
	}
	nc.Close()
	if _, err := r.Write(ctx, "purse.a", []byte("x"), 0); err == nil || errors.Is(err, budget.ErrConflict) {
		t.Errorf("written without a connection: %v, want an error that is no conflict", err)
	}
}
