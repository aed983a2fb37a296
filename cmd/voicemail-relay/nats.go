package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
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
	return named(nc, bus.Explained(do(cmd.Context(), e.Settings, js)))
}

// named adds to an error what the server has denied, which looks like a time-out otherwise.
func named(nc *nats.Conn, err error) error {
	if denied := bus.Denied(nc); err != nil && denied != nil {
		return fmt.Errorf("%w; %w", err, denied)
	}
	return err
}

// noCheck is for commands that nothing more can be wrong with.
func noCheck(settings.Settings) error { return nil }
