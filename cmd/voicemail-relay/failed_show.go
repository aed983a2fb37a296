package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

func (a *app) failedShowCommand() *cobra.Command {
	var seq uint64
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   "show SEQ",
		Short: "Show all that is known about a dead letter",
		Long: `Show prints a letter's event, its headers, and what the ledger holds about its session: the requests that were made, and whether the letter
has been replayed. The values of the publisher's own fields and the bytes of what was no call are left out unless --reveal.`,
		Example: `  voicemail-relay failed show 12
  voicemail-relay failed show 12 --reveal --json`,
		Annotations: map[string]string{usesSettings: "y"},
		Args: func(_ *cobra.Command, args []string) (err error) {
			if len(args) != 1 {
				return usagef("failed show takes one SEQ, got %s", plural(len(args), "argument"))
			}
			seq, err = sequence(args[0])
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onJetStream(cmd, noCheck, func(ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return a.failedShow(ctx, s, js, seq, reveal, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the values of the publisher's fields, and raw bytes")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (a *app) failedShow(ctx context.Context, s settings.Settings, js jetstream.JetStream, seq uint64, reveal, asJSON bool) error {
	letters, err := bus.OpenLetters(ctx, js, names(s))
	if err != nil {
		return err
	}
	l, err := letters.Get(ctx, seq)
	if err != nil {
		return fmt.Errorf("%w; voicemail-relay failed list shows them", err)
	}
	one := []bus.StoredLetter{l}
	if err := letters.Lookup(ctx, one, true); err != nil {
		return err
	}
	l = one[0]
	event, header := l.Body, l.Header
	if !json.Valid(event) {
		event, _ = json.Marshal(string(event)) // a string always encodes
	}
	if !reveal {
		event, header = relay.Masked(event), maskedHeader(header)
	}
	if asJSON {
		return a.printJSON(shown{Seq: l.Sequence, Time: l.Stored, Subject: l.Subject, Headers: header, Event: event, Ledger: l.Record, Since: l.Since, Replay: replayLine(l)})
	}
	a.showLetter(l, letters.Stream(), header, event, reveal)
	return nil
}

// shown is a letter with all that is known, for scripts.
type shown struct {
	Seq     uint64              `json:"seq"`
	Time    time.Time           `json:"time"`
	Subject string              `json:"subject"`
	Headers map[string][]string `json:"headers"`
	Event   json.RawMessage     `json:"event"`
	Ledger  *relay.Record       `json:"ledger"`          // null: it holds nothing about the session
	Since   *relay.Record       `json:"since,omitempty"` // a later verdict on the session
	Replay  string              `json:"replay"`          // what replaying it would do, for people
}

// replayLine says what a replay would do.
func replayLine(l bus.StoredLetter) string {
	r, err := l.Replay()
	switch {
	case l.Since != nil:
		return fmt.Sprintf("replayed and settled since: %s, sequence %d, verdict %s", l.Since.Verdict, l.Since.Sequence, l.Since.ID)
	case err != nil:
		return "cannot be replayed: " + err.Error()
	case r.ID == "":
		return "publishes the same bytes again, without the headers they came with: what was no call will be none again, unless that was the relay's fault"
	}
	return "its verdict will be published under " + r.ID
}

func (a *app) showLetter(l bus.StoredLetter, stream string, header map[string][]string, event []byte, reveal bool) {
	w := a.stdout
	fmt.Fprintf(w, "letter %d of stream %s, stored %s (%s ago)\n\nevent on %s\n", l.Sequence, stream, clock(l.Stored), age(time.Since(l.Stored)), l.Subject)
	var fields map[string]json.RawMessage
	if json.Unmarshal(event, &fields) != nil {
		fmt.Fprintf(w, "  %s\n", event)
	}
	names := []string{"botId", "sessionId", "reason", "error", "attempts", "requests", "firstSeen", "failedAt"}
	for _, name := range slices.Sorted(maps.Keys(fields)) { // what is not of these comes behind them
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		value := fields[name]
		if name == "raw" && reveal {
			value = strconv.AppendQuote(nil, string(l.Raw)) // for people; --json has it as it is
		}
		if value != nil {
			fmt.Fprintf(w, "  %-10s %s\n", name, value)
		}
	}
	fmt.Fprintln(w, "\nheaders")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(w, "  %s: %q\n", name, strings.Join(header[name], ", "))
	}
	if l.Reason != relay.ReasonMalformed {
		fmt.Fprintln(w, "\nledger")
		showRecord(w, l.Record)
	}
	fmt.Fprintf(w, "\nreplay\n  %s\n", replayLine(l))
}

// showRecord prints what the ledger holds about a session.
func showRecord(w io.Writer, rec *relay.Record) {
	if rec == nil {
		fmt.Fprintln(w, "  nothing (any more) about this session")
		return
	}
	fmt.Fprintf(w, "  %s at %s, sequence %d, verdict %s, %s\n", strings.TrimSpace(string(rec.Verdict)+" "+rec.Reason), clock(rec.At), rec.Sequence, rec.ID, plural(rec.Requests, "request"))
	for _, ask := range rec.Asks {
		fmt.Fprintf(w, "  %s  %s (%s)\n", clock(ask.At), strings.ReplaceAll(ask.Answer, "_", " "), plural(ask.Requests, "request"))
	}
}

// clock writes a time for people, to the second.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// maskedHeader leaves out the values of headers that are neither the relay's nor NATS's own.
func maskedHeader(h map[string][]string) map[string][]string {
	out := map[string][]string{}
	for name, values := range h {
		low := strings.ToLower(name)
		if !strings.HasPrefix(low, "ce-") && !strings.HasPrefix(low, "nats-") && low != "content-type" && low != "traceparent" && low != "tracestate" {
			values = []string{"***"}
		}
		out[name] = values
	}
	return out
}
