package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/settings"
)

// TestStreamsOfOthersAreBoundAndNeverChanged sets up beside a stream that was there before for call.ended.
func TestStreamsOfOthersAreBoundAndNeverChanged(t *testing.T) {
	subjects := []string{"call.>"}
	rows := []struct {
		name  string
		cfg   jetstream.StreamConfig
		wrong string // what has to be said; empty: it works
	}{
		{"a wider stream", jetstream.StreamConfig{Subjects: subjects}, ""},
		{"a work queue", jetstream.StreamConfig{Subjects: subjects, Retention: jetstream.WorkQueuePolicy}, ""},
		{"interest retention", jetstream.StreamConfig{Subjects: subjects, Retention: jetstream.InterestPolicy}, ""},
		{"a limit of pending acknowledgements", jetstream.StreamConfig{Subjects: subjects, ConsumerLimits: jetstream.StreamConsumerLimits{MaxAckPending: 10}}, ""},
		{"one call a subject", jetstream.StreamConfig{Subjects: subjects, MaxMsgsPerSubject: 1}, "max_msgs_per_subject"},
		{"a handful of calls", jetstream.StreamConfig{Subjects: subjects, MaxMsgs: 5}, "max_msgs"},
		{"calls for seconds", jetstream.StreamConfig{Subjects: subjects, MaxAge: 5 * time.Second, Duplicates: time.Second}, "max_age"},
		{"no acknowledgements", jetstream.StreamConfig{Subjects: subjects, NoAck: true}, "no_ack is true"},
		{"messages of some bytes", jetstream.StreamConfig{Subjects: subjects, MaxMsgSize: 1000}, "max_msg_size is 1000"},
		{"messages of some kilobytes", jetstream.StreamConfig{Subjects: subjects, MaxMsgSize: 2000}, ""},
		{"some kilobytes of calls", jetstream.StreamConfig{Subjects: subjects, MaxBytes: 100_000}, "max_bytes is 100000: further calls push out"},
		{"some kilobytes of calls, then none", jetstream.StreamConfig{Subjects: subjects, MaxBytes: 100_000, Discard: jetstream.DiscardNew}, "further calls are refused"},
		{"a handful of calls, then none", jetstream.StreamConfig{Subjects: subjects, MaxMsgs: 5, Discard: jetstream.DiscardNew}, "further calls are refused"},
		{"another deployment's", jetstream.StreamConfig{Subjects: subjects, MaxAge: time.Hour, Metadata: map[string]string{"voicemail-relay": "ownx-"}}, ""},
		{"another subject", jetstream.StreamConfig{Subjects: []string{"other"}}, ""}, // CALLS is made beside it
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			bubble(t, func(t *testing.T) {
				w := newWorld(t, dir)
				w.startServer()
				defer func() { w.nc.Close(); w.stopServer() }()
				ctx := context.Background()
				r.cfg.Name = "THEIRS"
				before, err := w.js.CreateStream(ctx, r.cfg)
				if err != nil {
					t.Fatal(err)
				}
				e, err := settings.Load(settings.Source{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := bus.New(w.nc, busConfig(e.Settings, zap.NewNop()))
				if err != nil {
					t.Fatal(err)
				}
				changes, calls, err := b.Setup(ctx, true)
				if r.wrong != "" {
					if err == nil || !strings.Contains(err.Error(), r.wrong) || !strings.Contains(err.Error(), "THEIRS") {
						t.Errorf("got %v, want an error that names THEIRS and %s", err, r.wrong)
					}
					return
				}
				want := "THEIRS"
				if r.cfg.Subjects[0] == "other" {
					want = "CALLS"
				}
				if err != nil || calls != want {
					t.Fatalf("calls come from %q (%v), want %s", calls, err, want)
				}
				after, err := w.js.Stream(ctx, "THEIRS")
				if err != nil {
					t.Fatal(err)
				}
				if a, b := before.CachedInfo().Config, after.CachedInfo().Config; a.MaxAge != b.MaxAge || a.Retention != b.Retention || len(a.Subjects) != len(b.Subjects) || len(b.Metadata) != len(a.Metadata) {
					t.Errorf("the stream was changed from %+v to %+v", a, b)
				}
				again, _, err := b.Setup(ctx, true)
				if err != nil || len(again) != 0 {
					t.Errorf("a second setup says %v, %v; want nothing to change after %v", again, err, changes)
				}
			})
		})
	}
}

// TestDeploymentsLeaveEachOthersStreamAlone has two of them on one stream of calls: whose it is brings it to the settings.
func TestDeploymentsLeaveEachOthersStreamAlone(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		w := newWorld(t, dir)
		w.startServer()
		defer func() { w.nc.Close(); w.stopServer() }()
		ctx := context.Background()
		set := func(flags ...string) string {
			t.Helper()
			src := settings.Source{}
			for _, f := range flags {
				path, value, _ := strings.Cut(f, "=")
				src.Flags = append(src.Flags, settings.Flag{Path: path, Value: value})
			}
			e, err := settings.Load(src)
			if err != nil {
				t.Fatal(err)
			}
			b, err := bus.New(w.nc, busConfig(e.Settings, zap.NewNop()))
			if err != nil {
				t.Fatal(err)
			}
			changes, calls, err := b.Setup(ctx, true)
			if err != nil || calls != "CALLS" {
				t.Fatalf("calls come from %q (%v), want CALLS", calls, err)
			}
			return strings.Join(changes, "\n")
		}
		set("ledger.keep=200h")
		other := []string{"nats.prefix=x-", "ready.subject=x.ready", "ledger.keep=100h"}
		if got := set(other...); strings.Contains(got, "CALLS updated") || !strings.Contains(got, "x-voicemail-relay on stream CALLS created") {
			t.Errorf("a second deployment says %s, want its durable made and the stream left alone", got)
		}
		s, err := w.js.Stream(ctx, "CALLS")
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		if cfg.MaxAge != 200*time.Hour {
			t.Errorf("calls are kept %s, want 200h as who made the stream has it", cfg.MaxAge)
		}
		cfg.Metadata = map[string]string{"voicemail-relay": "own"} // as an earlier version noted it, whoever it was
		if _, err := w.js.UpdateStream(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		if got := set(other...); strings.Contains(got, "CALLS") {
			t.Errorf("the second deployment says %s, want nothing of CALLS", got)
		}
		if got := set("ledger.keep=150h"); !strings.Contains(got, "CALLS updated: max_age 200h0m0s → 150h0m0s") {
			t.Errorf("who made it says %s, want it brought to the settings", got)
		}
	})
}

func TestDurableSkipsCallsOlderThanTheLedger(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		w := newWorld(t, dir)
		w.startServer()
		defer func() { w.nc.Close(); w.stopServer() }()
		ctx := context.Background()
		if _, err := w.js.CreateStream(ctx, jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"call.ended"}}); err != nil {
			t.Fatal(err)
		}
		w.session("old-1")
		w.session("old-2")
		pass(8 * 24 * time.Hour)
		w.session("new")
		e, err := settings.Load(settings.Source{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := bus.New(w.nc, busConfig(e.Settings, zap.NewNop()))
		if err != nil {
			t.Fatal(err)
		}
		changes, _, err := b.Setup(ctx, true)
		if err != nil || !strings.Contains(strings.Join(changes, "\n"), "skips 2 calls") {
			t.Errorf("setup says %v, %v; want that it skips 2 calls", changes, err)
		}
	})
}

// TestOwnStreamsThatWouldLoseCallsAreRefused has somebody put a limit on what is the relay's: run names it, setup mends it.
func TestOwnStreamsThatWouldLoseCallsAreRefused(t *testing.T) {
	stream := func(name string, change func(*jetstream.StreamConfig)) func(context.Context, *world) error {
		return func(ctx context.Context, w *world) error {
			s, err := w.js.Stream(ctx, name)
			if err != nil {
				return err
			}
			cfg := s.CachedInfo().Config
			change(&cfg)
			_, err = w.js.UpdateStream(ctx, cfg)
			return err
		}
	}
	rows := []struct {
		name, wrong string
		spoil       func(context.Context, *world) error
	}{
		{"waiting calls end by age", "VOICEMAIL_WORK has max_age", stream("VOICEMAIL_WORK", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })},
		{"waiting calls end by number", "VOICEMAIL_WORK has max_msgs", stream("VOICEMAIL_WORK", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 })},
		{"waiting calls end by size", "VOICEMAIL_WORK has max_bytes", stream("VOICEMAIL_WORK", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 })},
		{"calls do not fit", "VOICEMAIL_WORK has max_msg_size 60000", stream("VOICEMAIL_WORK", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 60_000 })},
		{"verdicts do not fit", "VOICEMAILS has max_msg_size 600", stream("VOICEMAILS", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 600 })},
		{"verdicts are not folded", "VOICEMAILS folds repeats for 2m0s", stream("VOICEMAILS", func(c *jetstream.StreamConfig) { c.Duplicates = 2 * time.Minute })},
		{"the ledger forgets", "VOICEMAIL_LEDGER forgets after 1h0m0s", stream("KV_VOICEMAIL_LEDGER", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })},
		{"the durable gives up", "max_deliver 5", func(ctx context.Context, w *world) error {
			c, err := w.js.Consumer(ctx, "CALLS", "voicemail-relay")
			if err != nil {
				return err
			}
			cfg := c.CachedInfo().Config
			cfg.MaxDeliver = 5
			_, err = w.js.UpdateConsumer(ctx, "CALLS", cfg)
			return err
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			inEmptyWorld(t, nil, func(w *world) {
				ctx := context.Background()
				b, err := bus.New(w.nc, busConfig(w.settings, zap.NewNop()))
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := b.Setup(ctx, true); err != nil {
					t.Fatal(err)
				}
				if err := r.spoil(ctx, w); err != nil {
					t.Fatal(err)
				}
				relay := w.replica()
				var ended error
				select {
				case ended = <-relay.ended:
					relay.ended <- ended
				case <-time.After(time.Hour):
					ended = relay.terminate()
				}
				if !errors.Is(ended, bus.ErrSetup) || !strings.Contains(ended.Error(), r.wrong) || !strings.Contains(ended.Error(), "run voicemail-relay setup") {
					t.Errorf("run ends with %v, want ErrSetup that says %q and the cure", ended, r.wrong)
				}
				if changes, _, err := b.Setup(ctx, true); err != nil || len(changes) == 0 {
					t.Errorf("setup changes %v, %v", changes, err)
				}
				w.start()
				w.session("s1")
				w.await(1, time.Hour)
				w.halt()
			})
		})
	}
}
