package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/settings"
)

func (a *app) setupCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Create and update streams, buckets and durables",
		Long: `Setup creates the streams, buckets and durables that are missing and brings the relay's own to the settings, printing each change.
A stream that was there before for call.ended is bound to and never changed.`,
		Example: `  voicemail-relay setup --config relay.yaml
  voicemail-relay setup --nats.url nats://127.0.0.1:4222`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.load(cmd, settings.NeedNATS)
			if err != nil {
				return err
			}
			return a.setup(cmd.Context(), e.Settings, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the changes as JSON")
	return cmd
}

func (a *app) setup(ctx context.Context, s settings.Settings, asJSON bool) error {
	nc, err := connect(ctx, s, "setup")
	if err != nil {
		return err
	}
	defer nc.Close()
	cfg := setupConfig(s)
	b, err := bus.New(nc, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	changes, calls, err := b.Setup(ctx, true)
	if asJSON {
		if changes == nil {
			changes = []string{}
		}
		out, _ := json.Marshal(map[string]any{"changes": changes, "calls": calls})
		fmt.Fprintln(a.stdout, string(out))
	} else {
		for _, c := range changes {
			fmt.Fprintln(a.stdout, c)
		}
	}
	if err != nil {
		return err
	}
	if !asJSON && len(changes) == 0 {
		fmt.Fprintln(a.stdout, "nothing to change")
	}
	if !asJSON && len(cfg.Accounts) == 0 {
		fmt.Fprintln(a.stdout, "no account is set (smartassist.app_id): the durables of its line are made when it is")
	}
	return nil
}

// setupConfig is what is to be set up: also for accounts of which nothing but the name is known.
func setupConfig(s settings.Settings) bus.Config {
	cfg := busConfig(s, zap.NewNop())
	for _, acct := range append(s.Accounts[:len(s.Accounts):len(s.Accounts)], s.SmartAssist) {
		if acct.Name != "" {
			cfg.Accounts = append(cfg.Accounts, bus.Account{Name: acct.Name})
		}
	}
	return cfg
}
