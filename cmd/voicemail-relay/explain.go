package main

import (
	"context"
	"fmt"
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
	cmd := &cobra.Command{
		Use:   "explain BOT SESSION",
		Short: "Tell what has become of a session so far",
		Long: `Explain tells a session's story in its order, out of the ledger, the waiting line and the stream of verdicts: when its call came, each request
and what it brought, when the next one is due or where it stands in line, and its verdict. Of the calls of a session that is not known it
says what that can mean.`,
		Example: `  voicemail-relay explain st-1a2b 67aa38026e199c8f470e0001
  voicemail-relay explain st-1a2b 67aa38026e199c8f470e0001 --json`,
		Annotations: map[string]string{usesSettings: "y"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("explain takes BOT and SESSION, got %s", plural(len(args), "argument"))
			}
			for i, name := range []string{"BOT", "SESSION"} {
				if err := relay.CheckID(args[i]); err != nil {
					return usagef("%s %w", name, err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onJetStream(cmd, noCheck, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.explain(ctx, s, js, relay.Call{Bot: args[0], Session: args[1]}, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// moment is one line of a session's story.
type moment struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"` // received, asked, ready, absent, failed, waits, in line: a closed set
	Detail string    `json:"detail,omitempty"`
}

// story is a session's, for scripts.
type story struct {
	BotID     string            `json:"botId"`
	SessionID string            `json:"sessionId"`
	Key       string            `json:"key"`
	Known     bool              `json:"known"`
	Timeline  []moment          `json:"timeline"`
	Ledger    *relay.Record     `json:"ledger"`
	Lines     []bus.LineOfClass `json:"lines,omitempty"` // of its account, best first, while it stands in one
	Searched  uint64            `json:"searched,omitempty"`
	Lag       bus.Lag           `json:"lag"`
}

func (a *app) explain(ctx context.Context, s settings.Settings, js jetstream.JetStream, c relay.Call, asJSON bool) error {
	known, err := bus.Explain(ctx, js, names(s), c)
	if err != nil {
		return err
	}
	st := story{BotID: c.Bot, SessionID: c.Session, Key: known.Key, Timeline: timeline(known, s), Ledger: known.Record, Searched: known.Looked, Lag: known.Lag}
	st.Known = len(st.Timeline) > 0
	for _, w := range known.Waiting {
		st.Lines = w.Lines
	}
	if asJSON {
		if err := a.printJSON(st); err != nil {
			return err
		}
	} else if st.Known {
		fmt.Fprintf(a.stdout, "session %s of bot %s, key %s\n", c.Session, c.Bot, st.Key)
		for _, m := range st.Timeline {
			fmt.Fprintln(a.stdout, strings.TrimSpace(fmt.Sprintf("  %s  %-8s  %s", clock(m.At), m.What, m.Detail)))
		}
	}
	if !st.Known {
		return unknownSession(known)
	}
	return nil
}

// unknownSession says what it can mean that nothing is known.
func unknownSession(s bus.Session) error {
	text := "nothing is known of this session: it was never reported, or longer ago than ledger.keep"
	switch lag := s.Lag; {
	case lag.Missing:
		text += ", or it has not been taken yet: there is no durable " + lag.Durable + " for call.ended, run voicemail-relay setup"
	case lag.Pending > 0 || lag.InHand > 0:
		text += fmt.Sprintf(", or it is among the calls in stream %s that the relay has not taken yet (%d) or is settling (%d): is it running?", lag.Stream, lag.Pending, lag.InHand)
	default:
		text += fmt.Sprintf("; no call waits in stream %s", lag.Stream)
	}
	text += "; looked through " + plural(s.Looked, "verdict")
	if s.Unlooked > 0 {
		text += ", and not through " + plural(s.Unlooked, "older one")
	}
	return fmt.Errorf("%s", text)
}
