package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// purging is what failed purge was asked for.
type purging struct {
	picking
	dryRun, yes, asJSON bool
}

func (a *app) failedPurgeCommand() *cobra.Command {
	var p purging
	cmd := &cobra.Command{
		Use:   "purge SEQ… | --all | --reason R | --older-than D",
		Short: "Delete dead letters",
		Long: `Purge deletes letters from the stream of verdicts, for good. Once a letter is gone the ledger alone knows that its call is settled: a letter
whose session the ledger does not hold is named and kept. It goes by itself after verdicts.keep.`,
		Example: `  voicemail-relay failed purge 12 13 --yes
  voicemail-relay failed purge --older-than 48h --dry-run
  voicemail-relay failed purge --reason malformed --yes`,
		Annotations: map[string]string{usesSettings: "y"},
		Args:        func(_ *cobra.Command, args []string) error { return p.read(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			check := func(settings.Settings) error {
				if err := p.check(); err != nil {
					return err
				}
				if !p.yes && !p.dryRun && !a.canAsk() {
					return usagef("failed purge deletes for good: add --yes, or --dry-run to see what it would delete")
				}
				return nil
			}
			return a.onJetStream(cmd, check, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.failedPurge(ctx, s, js, p)
			})
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&p.all, "all", false, "all letters")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be deleted, and delete nothing")
	f.BoolVar(&p.yes, "yes", false, "do not ask")
	f.BoolVar(&p.asJSON, "json", false, "print the counts as JSON")
	return cmd
}

func (p *purging) check() error {
	if len(p.sequences) == 0 && !p.all && p.reason == "" && p.olderThan > 0 {
		return p.picking.check()
	}
	return p.one("failed purge", "SEQ…, --all, --reason and --older-than; --older-than goes with --all or --reason too")
}

func (a *app) failedPurge(ctx context.Context, s settings.Settings, js jetstream.JetStream, p purging) error {
	letters, err := bus.OpenLetters(ctx, js, names(s))
	if err != nil {
		return err
	}
	picked, err := p.pick(ctx, letters, func(bus.StoredLetter) {})
	if err == nil {
		err = letters.Lookup(ctx, picked, false)
	}
	if err != nil {
		return err
	}
	var due []uint64
	for _, l := range picked {
		if !remembered(l) {
			fmt.Fprintf(a.stderr, "%s is kept: the ledger does not hold its verdict\n", letterName(l))
			continue
		}
		due = append(due, l.Sequence)
		if p.dryRun && !p.asJSON {
			fmt.Fprintf(a.stdout, "would delete %s\n", letterName(l))
		}
	}
	kept, purged, verb := len(picked)-len(due), len(due), "would delete"
	if !p.dryRun {
		verb = "deleted"
		if !p.yes && len(due) > 0 && !a.ask(fmt.Sprintf("delete %s for good?", plural(len(due), "letter"))) {
			return fmt.Errorf("nothing was deleted")
		}
		purged, err = a.delete(ctx, letters, due)
	}
	if p.asJSON {
		if err := a.printJSON(map[string]any{"dryRun": p.dryRun, "letters": len(picked), "purged": purged, "kept": kept}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%s %s\n", verb, plural(purged, "letter"))
	}
	switch {
	case err != nil:
		return fmt.Errorf("%d of %s deleted, then it stopped: %w; run it again for the rest", purged, plural(len(due), "letter"), err)
	case kept > 0:
		return fmt.Errorf("%s kept, since the ledger does not hold the verdict", plural(kept, "letter"))
	}
	return nil
}

// remembered says whether a repeat of the letter's call would be folded without the letter.
func remembered(l bus.StoredLetter) bool {
	if l.Record == nil {
		return l.Remembered(relay.Record{}, false)
	}
	return l.Remembered(*l.Record, true)
}

// delete deletes letters and returns how many.
func (a *app) delete(ctx context.Context, letters *bus.Letters, due []uint64) (int, error) {
	var n atomic.Int64
	stop := a.progress("deleted", len(due), func() int { return int(n.Load()) })
	err := bus.Parallel(ctx, len(due), func(ctx context.Context, i int) error {
		err := letters.Delete(ctx, due[i])
		if err == nil {
			n.Add(1)
		}
		return err
	})
	stop()
	return int(n.Load()), err
}

// canAsk says whether somebody sits there who can be asked.
func (a *app) canAsk() bool {
	f, ok := a.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && isTerminal(a.stderr)
}

// ask asks for a yes.
func (a *app) ask(question string) bool {
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n') // no answer is a no
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
