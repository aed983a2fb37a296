package main

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/settings"
)

// onJetStream runs what a command does in JetStream, after check has looked at how it was called: wrong usage is told without a server.
func (a *app) onJetStream(cmd *cobra.Command, check func(settings.Settings) error, do func(context.Context, settings.Settings, jetstream.JetStream) error) error {
	a.stdout = printable{a.stdout}
	e, err := a.load(cmd, settings.NeedNATS)
	if err != nil {
		return err
	}
	if err := check(e.Settings); err != nil {
		return err
	}
	nc, err := connect(cmd.Context(), e.Settings, strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return bus.Explained(do(cmd.Context(), e.Settings, js))
}

// noCheck is for commands that nothing more can be wrong with.
func noCheck(settings.Settings) error { return nil }
