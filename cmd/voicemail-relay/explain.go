package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

func (a *app) explainCommand() *cobra.Command {
	var asJSON bool
	var call relay.Call
	cmd := &cobra.Command{
		Use:   "explain BOT SESSION",
		Short: "Tell what became of a session, and when",
		Long: `Explain prints a session's timeline, out of the ledger, the line and the stream of verdicts: when it was received, each request and its answer,
the next appointment, and the verdict. Links, transcripts and the publisher's own fields are not in it.`,
		Example:     `  voicemail-relay explain st-1a2b 67aa38026e199c8f470e0001`,
		Annotations: map[string]string{usesSettings: "y"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("explain takes BOT and SESSION, got %d arguments", len(args))
			}
			call = relay.Call{Bot: args[0], Session: args[1]}
			for name, id := range map[string]string{"BOT": call.Bot, "SESSION": call.Session} {
				if err := relay.CheckID(id); err != nil {
					return usagef("%s %w", name, err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.letters(cmd, func(settings.Settings) error { return nil }, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.explain(ctx, s, js, call, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// An explanation is a timeline for scripts.
type explanation struct {
	BotID     string        `json:"botId"`
	SessionID string        `json:"sessionId"`
	Key       string        `json:"key"` // the id of the session's first verdict, and its place in subjects
	FirstSeen time.Time     `json:"firstSeen,omitzero"`
	Requests  []relay.Ask   `json:"requests"` // the latest
	Next      *next         `json:"next,omitempty"`
	Verdict   *relay.Record `json:"verdict,omitempty"`
}

type next struct {
	At    time.Time   `json:"at,omitzero"` // absent: it is due, and stands in line
	Since time.Time   `json:"since"`
	Class relay.Class `json:"class"`
}

func (a *app) explain(ctx context.Context, s settings.Settings, js jetstream.JetStream, call relay.Call, asJSON bool) error {
	t, err := bus.Explain(ctx, js, names(s), call.Key())
	if err != nil {
		return err
	}
	if t.Settled == nil && t.Waiting == nil {
		text := "nothing is known of this session: it was never reported, or its verdict is older than verdicts.keep"
		if t.Lag > 0 {
			text += fmt.Sprintf(", or it is among the %s that no relay has taken yet", plural(int(t.Lag), "call"))
		}
		return errors.New(text)
	}
	e := explanation{BotID: call.Bot, SessionID: call.Session, Key: call.Key(), Requests: []relay.Ask{}, Verdict: t.Settled}
	if v := t.Settled; v != nil {
		e.FirstSeen, e.Requests = v.FirstSeen, append(e.Requests, v.Asks...)
	}
	if w := t.Waiting; w != nil {
		if e.Next = (&next{w.At, w.Since, w.Class}); e.FirstSeen.IsZero() {
			e.FirstSeen = w.History.FirstSeen
		}
		e.Requests = append(e.Requests, w.History.Asks...)
	}
	if asJSON {
		return a.printJSON(e)
	}
	for _, l := range e.lines() {
		fmt.Fprintf(a.stdout, "%-20s  %s\n", clock(l.at), l.text)
	}
	return nil
}

// timed is a line of a timeline.
type timed struct {
	at   time.Time
	text string
}

// lines are the timeline in its order.
func (e explanation) lines() (ls []timed) {
	if !e.FirstSeen.IsZero() {
		ls = append(ls, timed{e.FirstSeen, "received"})
	}
	for _, r := range e.Requests {
		ls = append(ls, timed{r.At, fmt.Sprintf("asked: %s (%s)", strings.ReplaceAll(r.Answer, "_", " "), plural(r.Requests, "request"))})
	}
	if v := e.Verdict; v != nil {
		ls = append(ls, timed{v.At, fmt.Sprintf("verdict: %s, sequence %d, id %s, %s", strings.TrimSpace(string(v.Verdict)+" "+v.Reason), v.Sequence, v.ID, plural(v.Requests, "request"))})
	}
	if n := e.Next; n != nil && n.At.IsZero() {
		ls = append(ls, timed{n.Since, fmt.Sprintf("stands in its account's line since then, class %s", n.Class)})
	} else if n != nil {
		ls = append(ls, timed{n.At, fmt.Sprintf("next appointment, class %s", n.Class)})
	}
	slices.SortStableFunc(ls, func(a, b timed) int { return a.at.Compare(b.at) })
	return ls
}
