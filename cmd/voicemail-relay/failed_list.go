package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// listing is what failed list was asked for.
type listing struct {
	picking
	account string
	limit   int
	asJSON  bool
}

func (a *app) failedListCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Long: `List prints a line for each dead letter, oldest first: its SEQ, by which the other commands know it, how old it is, the reason, and what
went wrong.`,
		Example: `  voicemail-relay failed list
  voicemail-relay failed list --reason rejected --newer-than 1h --json`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onJetStream(cmd, l.check, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.failedList(ctx, s, js, l)
			})
		},
	}
	l.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&l.newerThan, "newer-than", 0, "letters newer than this, such as 1h")
	f.StringVar(&l.account, "account", "", "letters of the bots that this account serves")
	f.IntVar(&l.limit, "limit", 0, "at most so many (default: all)")
	f.BoolVar(&l.asJSON, "json", false, "print a JSON object for each, one a line")
	return cmd
}

func (l *listing) check(s settings.Settings) error {
	if l.limit < 0 {
		return usagef("--limit must not be negative")
	}
	if l.account != "" {
		var known []string
		for _, acct := range accounts(s) {
			if acct.Name == l.account {
				return l.picking.check()
			}
			known = append(known, acct.Name)
		}
		if len(known) == 0 {
			return usagef("--account: no account is set, so that nobody knows which bots are whose: give --config, or leave --account out")
		}
		return usagef("--account: unknown account %q; known are %s", l.account, strings.Join(known, ", "))
	}
	return l.picking.check()
}

// accounts are those that settings describe, for the question which of them serves a bot.
func accounts(s settings.Settings) (as relay.Accounts) {
	for _, acct := range s.Accounts {
		if len(acct.Bots) > 0 {
			as = append(as, relay.Account{Name: acct.Name, Bots: acct.Bots})
		}
	}
	if s.SmartAssist.Name != "" {
		as = append(as, relay.Account{Name: s.SmartAssist.Name})
	}
	return as
}

func (a *app) failedList(ctx context.Context, s settings.Settings, js jetstream.JetStream, l listing) error {
	letters, err := bus.OpenLetters(ctx, js, names(s))
	if err != nil {
		return err
	}
	shown, since, more := 0, 0, false
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	tell := func(batch []bus.StoredLetter) error {
		if err := letters.Lookup(ctx, batch, false); err != nil {
			return err
		}
		for _, letter := range batch {
			if shown++; letter.Since != nil {
				since++
			}
			if l.asJSON {
				if err := a.printJSON(letterOf(letter)); err != nil {
					return err
				}
				continue
			}
			if shown == 1 {
				fmt.Fprintln(table, "SEQ\tAGE\tREASON\tBOT\tSESSION\tERROR")
			}
			fmt.Fprintln(table, letterRow(letter))
		}
		return nil
	}
	of := accounts(s)
	batch := make([]bus.StoredLetter, 0, 256) // looked up together
	taken := 0
	err = letters.Each(ctx, func(letter bus.StoredLetter) (bool, error) {
		if !l.has(letter) || l.account != "" && (letter.Call.Bot == "" || of.For(letter.Call.Bot).Name != l.account) {
			return true, nil
		}
		if more = l.limit > 0 && taken == l.limit; more {
			return false, nil
		}
		taken++
		if batch = append(batch, letter); len(batch) < cap(batch) {
			return true, nil
		}
		err := tell(batch)
		batch = batch[:0]
		return true, err
	})
	if err == nil {
		err = tell(batch)
	}
	if err == nil {
		err = table.Flush()
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stderr, listSummary(shown, since, more))
	return nil
}

func listSummary(shown, since int, more bool) string {
	text := plural(shown, "letter")
	if shown == 0 {
		text = "no letters"
	}
	if since > 0 {
		text += fmt.Sprintf(", %d replayed and settled since", since)
	}
	if more {
		text += "; there are more (--limit)"
	}
	return text
}

// letterRow is a letter's row for people; tabs divide its cells.
func letterRow(l bus.StoredLetter) string {
	cells := []string{fmt.Sprint(l.Sequence), age(time.Since(l.Stored)), string(l.Reason), l.Call.Bot, l.Call.Session}
	for i, c := range cells {
		if c == "" {
			cells[i] = "-"
		}
	}
	text := l.Error
	if l.Since != nil {
		text += fmt.Sprintf(" (replayed since: %s)", l.Since.Verdict)
	}
	return strings.Join(append(cells, text), "\t")
}

// listed is a letter for scripts.
type listed struct {
	Seq        uint64       `json:"seq"`
	Time       time.Time    `json:"time"`
	Reason     relay.Reason `json:"reason"`
	BotID      string       `json:"botId,omitempty"`
	SessionID  string       `json:"sessionId,omitempty"`
	Error      string       `json:"error"`
	Attempts   int          `json:"attempts"`
	Requests   int          `json:"requests"`
	ID         string       `json:"id"`
	Replayable bool         `json:"replayable"`
	Ledger     *inLedger    `json:"ledger,omitempty"`
}

// inLedger is what the ledger knows about a letter's session.
type inLedger struct {
	State   string     `json:"state"` // this: the letter is its latest verdict; since: a later one; forgotten: none
	ID      string     `json:"id,omitempty"`
	Verdict relay.Kind `json:"verdict,omitempty"`
	At      time.Time  `json:"at,omitzero"`
	Seq     uint64     `json:"seq,omitempty"`
}

func letterOf(l bus.StoredLetter) listed {
	_, err := l.Replay()
	out := listed{Seq: l.Sequence, Time: l.Stored, Reason: l.Reason, BotID: l.Call.Bot, SessionID: l.Call.Session, Error: l.Error, Attempts: l.Attempts,
		Requests: l.Requests, ID: l.ID, Replayable: err == nil}
	switch {
	case l.Reason == relay.ReasonMalformed: // it has no session
	case l.Record == nil:
		out.Ledger = &inLedger{State: "forgotten"}
	default:
		out.Ledger = &inLedger{"this", l.Record.ID, l.Record.Verdict, l.Record.At, l.Record.Sequence}
		if l.Since != nil {
			out.Ledger.State = "since"
		}
	}
	return out
}
