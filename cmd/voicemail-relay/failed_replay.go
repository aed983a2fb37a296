package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// replaying is what failed replay was asked for.
type replaying struct {
	picking
	dryRun, asJSON bool
	rate           float64 // letters per second; 0: no limit
}

func (a *app) failedReplayCommand() *cobra.Command {
	var r replaying
	cmd := &cobra.Command{
		Use:   "replay SEQ… | --all | --reason R",
		Short: "Ask for the calls of dead letters once more",
		Long: `Replay reports the calls of letters on call.ended once more. The new verdict's id follows from the letter, so that replaying a letter twice
asks once: the second is folded, and a letter whose replay is settled already is skipped.

A letter with reason malformed is published as the bytes that it was, without the headers that they came with. As long as they are no call they
come back as another letter, so --all leaves these out: name them by SEQ or --reason malformed.`,
		Example: `  voicemail-relay failed replay 12 13
  voicemail-relay failed replay --all --dry-run
  voicemail-relay failed replay --reason gave_up --older-than 1h --rate 10`,
		Annotations: map[string]string{usesSettings: "y"},
		Args:        func(_ *cobra.Command, args []string) error { return r.read(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onJetStream(cmd, r.check, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.failedReplay(ctx, s, js, r)
			})
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "all letters but the malformed ones")
	f.BoolVar(&r.dryRun, "dry-run", false, "say what would be replayed, and replay nothing")
	f.Float64Var(&r.rate, "rate", 0, "letters per second (default: no limit)")
	f.BoolVar(&r.asJSON, "json", false, "print the counts as JSON")
	return cmd
}

func (r *replaying) check(s settings.Settings) error {
	switch {
	case r.rate < 0, math.IsNaN(r.rate), math.IsInf(r.rate, 1):
		return usagef("--rate must not be negative, and a number")
	case strings.ContainsAny(s.Calls.Subject, "*>"):
		return usagef("calls.subject %s has wildcards: set it to the subject to publish on", s.Calls.Subject)
	}
	return r.one("failed replay", "SEQ…, --all and --reason; --older-than goes with --all or --reason")
}

// A tally says what became of the letters that were meant.
type tally struct {
	DryRun    bool `json:"dryRun"`
	Letters   int  `json:"letters"`
	Replayed  int  `json:"replayed"` // dry: that would be
	Settled   int  `json:"skippedSettledSince"`
	Malformed int  `json:"skippedMalformed"`
	Gone      int  `json:"skippedGone"` // deleted meanwhile
	Cannot    int  `json:"cannotBeReplayed"`
}

func (t tally) String() string {
	verb := "replayed"
	if t.DryRun {
		verb = "would replay"
	}
	text := fmt.Sprintf("%s %s", verb, plural(t.Replayed, "letter"))
	var skipped []string
	for _, s := range []struct {
		n   int
		why string
	}{
		{t.Settled, "replayed and settled since"}, {t.Malformed, "malformed (name them by SEQ or --reason malformed)"},
		{t.Gone, "deleted meanwhile"}, {t.Cannot, "cannot be replayed"},
	} {
		if s.n > 0 {
			skipped = append(skipped, fmt.Sprintf("%d %s", s.n, s.why))
		}
	}
	if len(skipped) > 0 {
		text += "; skipped " + strings.Join(skipped, ", ")
	}
	return text
}

func (a *app) failedReplay(ctx context.Context, s settings.Settings, js jetstream.JetStream, r replaying) error {
	letters, err := bus.OpenLetters(ctx, js, names(s))
	if err != nil {
		return err
	}
	replays, cannot := map[uint64]string{}, map[uint64]error{} // ids, by sequence
	picked, err := r.pick(ctx, letters, func(l bus.StoredLetter) {
		if replay, err := l.Replay(); err != nil {
			cannot[l.Sequence] = err
		} else {
			replays[l.Sequence] = replay.ID
		}
	})
	if err == nil {
		err = letters.Lookup(ctx, picked, true)
	}
	if err != nil {
		return err
	}
	t := tally{DryRun: r.dryRun, Letters: len(picked)}
	var due []uint64
	for _, l := range picked {
		switch {
		case l.Reason == relay.ReasonMalformed && r.all:
			t.Malformed++
		case l.Since != nil:
			t.Settled++
		case cannot[l.Sequence] != nil:
			t.Cannot++
			fmt.Fprintf(a.stderr, "%s: %v\n", letterName(l), cannot[l.Sequence])
		default:
			due = append(due, l.Sequence)
			if r.dryRun && !r.asJSON {
				fmt.Fprintf(a.stdout, "would replay %s%s\n", letterName(l), under(replays[l.Sequence]))
			}
		}
	}
	if r.dryRun {
		t.Replayed = len(due)
	} else {
		err = a.republish(ctx, letters, due, r.rate, &t)
	}
	if r.asJSON {
		if err := a.printJSON(t); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.stdout, t)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%d of %s replayed, then it stopped: %w; run it again: what was replayed is folded", t.Replayed, plural(len(due), "letter"), err)
	case t.Cannot > 0:
		return fmt.Errorf("%s cannot be replayed", plural(t.Cannot, "letter"))
	}
	return nil
}

// republish publishes the calls of letters, many at once but no faster than the rate, and counts them.
func (a *app) republish(ctx context.Context, letters *bus.Letters, due []uint64, rate float64, t *tally) error {
	var replayed, gone atomic.Int64
	stop := a.progress("replayed", len(due), func() int { return int(replayed.Load()) })
	start := time.Now()
	err := bus.Parallel(ctx, len(due), func(ctx context.Context, i int) error {
		if rate > 0 {
			select {
			case <-time.After(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second))))):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		l, err := letters.Get(ctx, due[i]) // what was read before is not kept: there may be very many
		if errors.Is(err, bus.ErrNoLetter) {
			gone.Add(1)
			return nil
		}
		if err != nil {
			return err
		}
		replay, err := l.Replay()
		if err == nil {
			err = letters.Replay(ctx, replay)
		}
		if err == nil {
			replayed.Add(1)
		}
		return err
	})
	stop()
	t.Replayed, t.Gone = int(replayed.Load()), int(gone.Load())
	return err
}

func under(id string) string {
	if id == "" {
		return ", its bytes alone"
	}
	return ", verdict " + id
}
