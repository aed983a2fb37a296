package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// examining is what doctor was asked for.
type examining struct {
	bot       string
	noRequest bool
	monitor   string
	since     time.Duration
	asJSON    bool
}

func (a *app) doctorCommand() *cobra.Command {
	var x examining
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that the relay needs, and say what to do",
		Long: `Doctor looks at settings, NATS and the API, and prints a line for each check: what it looked at and what it found, and a hint where there is
something to do. It creates and changes nothing. A check ends as

  ok    as it should be
  skip  nobody looked, and why
  warn  it works, and may not at a bad moment; the exit code stays 0
  fail  it does not work; the exit code is 1

For each account it asks the API once, for a session that is made up: that costs one request out of the account's budget, which
the relays share. With --no-request it does not. An API may refuse credentials and a bot that it does not know in the same words: name a bot
of the account with --bot to be sure.`,
		Example: `  voicemail-relay doctor --config relay.yaml
  voicemail-relay doctor --config relay.yaml --no-request --json
  voicemail-relay doctor --config relay.yaml --bot st-1a2b --monitor http://127.0.0.1:8222`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.load(cmd, settings.NeedAccount)
			if err != nil {
				return err
			}
			if err := x.check(); err != nil {
				return err
			}
			return a.doctor(cmd.Context(), e, x)
		},
	}
	f := cmd.Flags()
	f.StringVar(&x.bot, "bot", "", "a bot's id, for the request to the account that serves it")
	f.BoolVar(&x.noRequest, "no-request", false, "leave the request to the API out, and with it its clock, token and scope")
	f.StringVar(&x.monitor, "monitor", "", "URL of the NATS server's monitoring port, such as http://127.0.0.1:8222: it tells what no client sees")
	f.DurationVar(&x.since, "since", 24*time.Hour, "how far back dead letters count")
	f.BoolVar(&x.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (x examining) check() error {
	if x.bot != "" {
		if err := relay.CheckID(x.bot); err != nil {
			return usagef("--bot %w", err)
		}
	}
	if x.since <= 0 {
		return usagef("--since must be over 0s")
	}
	if x.monitor != "" && !strings.HasPrefix(x.monitor, "http://") && !strings.HasPrefix(x.monitor, "https://") {
		return usagef("--monitor must be an http or https URL")
	}
	return nil
}

// doctorWithin bounds the whole: every question has a shorter bound of its own.
const doctorWithin = 2 * time.Minute

// A doctor gathers what its checks find.
type doctor struct {
	s     settings.Settings
	x     examining
	nc    *nats.Conn // nil: no server lets it in
	found []checkup.Finding
}

func (d *doctor) tell(found ...checkup.Finding) { d.found = append(d.found, found...) }

func (a *app) doctor(ctx context.Context, e *settings.Effective, x examining) error {
	ctx, cancel := context.WithTimeout(ctx, doctorWithin)
	defer cancel()
	d := &doctor{s: e.Settings, x: x}
	d.settings(e.Rows())
	d.disk()
	d.nats(ctx)
	if d.nc != nil {
		defer d.nc.Close()
	}
	d.api(ctx)
	d.relay(ctx)
	return a.report(d.found, x.asJSON)
}

// accounts are all that are set, the tree's own last.
func (d *doctor) accounts() []settings.Account {
	all := d.s.Accounts[:len(d.s.Accounts):len(d.s.Accounts)]
	if d.s.SmartAssist.BaseURL != "" {
		all = append(all, d.s.SmartAssist)
	}
	return all
}

// report prints what was found; the error names what failed.
func (a *app) report(found []checkup.Finding, asJSON bool) error {
	if asJSON {
		out := map[string]any{"checks": found, "healthy": checkup.Count(found, checkup.Fail) == 0}
		for _, g := range checkup.Grades() {
			out[string(g)] = checkup.Count(found, g)
		}
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		printFindings(a.stdout, found)
	}
	var failed []string
	for _, f := range found {
		if f.Grade == checkup.Fail && !slices.Contains(failed, f.Check) {
			failed = append(failed, f.Check)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("doctor: something is wrong: %s", strings.Join(failed, ", "))
	}
	return nil
}

// printFindings writes a line for each, its hint on the next, and how many there are of each grade.
func printFindings(w io.Writer, found []checkup.Finding) {
	width := 0
	for _, f := range found {
		width = max(width, len(f.Check))
	}
	for _, f := range found {
		fmt.Fprintf(w, "%-4s  %-*s  %s: %s\n", f.Grade, width, f.Check, f.Of, f.Found)
		if f.Hint != "" {
			fmt.Fprintf(w, "      %-*s  hint: %s\n", width, "", f.Hint)
		}
	}
	var parts []string
	for _, g := range checkup.Grades() {
		parts = append(parts, fmt.Sprintf("%d %s", checkup.Count(found, g), g))
	}
	fmt.Fprintf(w, "%s: %s\n", plural(len(found), "check"), strings.Join(parts, ", "))
}
