package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) failedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failed",
		Short: "Look at dead letters, replay or purge them",
		Long: `A call that is given up ends as voicemail.failed: a dead letter, with the reason. It stays in the stream of verdicts until verdicts.keep is
over. These commands list letters, show one, ask for their calls once more, and delete them.`,
		Example: `  voicemail-relay failed list
  voicemail-relay failed show 12
  voicemail-relay failed replay --reason gave_up --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var known []string
			for _, c := range cmd.Commands() {
				known = append(known, c.Name())
			}
			return usagef("unknown command %q for failed; known are %s", args[0], strings.Join(known, ", "))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.failedListCommand(), a.failedShowCommand(), a.failedReplayCommand(), a.failedPurgeCommand())
	return cmd
}

// printJSON writes a value as one line, links and texts as they are.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// age is how long ago something was, for people.
func age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
