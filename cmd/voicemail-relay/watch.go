package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/settings"
)

// watching is what watch was asked for.
type watching struct {
	all, reveal, asJSON bool
	since               time.Duration
	count               int
}

func (a *app) watchCommand() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show verdicts as they come",
		Long: `Watch reads the stream of verdicts, each once, and prints a line for each. Transcripts and links are left out unless --reveal; --json
prints whole events, one a line.`,
		Example: `  voicemail-relay watch
  voicemail-relay watch --all --count 10 --json`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.load(cmd, settings.NeedNATS)
			if err != nil {
				return err
			}
			if w.count < 0 || w.since < 0 {
				return usagef("--count and --since must not be negative")
			}
			return a.watch(cmd.Context(), e.Settings, w)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&w.all, "all", false, "begin with the oldest verdict that is stored")
	f.DurationVar(&w.since, "since", 0, "begin with verdicts of the last while, such as 1h")
	f.IntVar(&w.count, "count", 0, "stop after so many (default: go on until interrupted)")
	f.BoolVar(&w.reveal, "reveal", false, "print transcripts and links")
	f.BoolVar(&w.asJSON, "json", false, "print whole events, one a line")
	return cmd
}

func (a *app) watch(ctx context.Context, s settings.Settings, w watching) error {
	a.stdout = printable{a.stdout}
	nc, err := connect(ctx, s, "watch")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	verdicts, err := bus.Verdicts(ctx, js, names(s), w.all, w.since)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("there is no stream of verdicts yet: run voicemail-relay setup")
	}
	if err != nil {
		return named(nc, fmt.Errorf("watch: %w", bus.Explained(err)))
	}
	for n := 0; w.count == 0 || n < w.count; n++ {
		v, err := verdicts.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		line := verdictLine(v, w.reveal)
		if w.asJSON {
			line = strings.ReplaceAll(string(v.Body), "\n", " ")
		}
		if _, err := fmt.Fprintln(a.stdout, line); err != nil { // nobody reads on
			return err
		}
	}
	return nil
}

// verdictLine is a verdict for people.
func verdictLine(v bus.StoredVerdict, reveal bool) string {
	var e struct {
		BotID            string `json:"botId"`
		SessionID        string `json:"sessionId"`
		Reason           string `json:"reason"`
		Error            string `json:"error"`
		TranscriptStatus string `json:"transcriptStatus"`
		Transcript       string `json:"transcript"`
		FileURL          string `json:"fileUrl"`
		Requests         int    `json:"requests"`
	}
	_ = json.Unmarshal(v.Body, &e) // what is not there stays empty
	parts := []string{v.Time.UTC().Format(time.RFC3339), fmt.Sprintf("%-7s", v.Kind)}
	for _, id := range []string{e.BotID, e.SessionID} {
		if id != "" {
			parts = append(parts, id)
		}
	}
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	if e.TranscriptStatus != "" {
		parts = append(parts, "transcript "+e.TranscriptStatus)
	}
	parts = append(parts, plural(e.Requests, "request"))
	if e.Error != "" {
		parts = append(parts, e.Error)
	}
	if reveal && e.FileURL != "" {
		parts = append(parts, fmt.Sprintf("%q %s", e.Transcript, e.FileURL))
	}
	return strings.Join(parts, "  ")
}
