package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/settings"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the relay",
		Long: `Run takes calls and settles them until it is told to stop (SIGTERM: it finishes what is under way within shutdown_grace).

SIGHUP has it read its settings again: it takes over log.level, accounts' secrets, and what the files of nats.credentials_file and nats.tls
hold. If anything else has changed, or anything is wrong, all stays as it was, and the log says what is in the way.

With --nats.embedded --nats.store_dir DIR it brings a NATS server of its own, on loopback at nats.url's port, for a small site.`,
		Example: `  voicemail-relay run --config relay.yaml
  voicemail-relay run --config relay.yaml --nats.embedded --nats.store_dir /var/lib/voicemail-relay`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked, forget := hangups() // before anything else: SIGHUP would end the process
			defer forget()
			load := func() (*settings.Effective, error) {
				a.blind = false
				return a.load(cmd, settings.NeedAccount)
			}
			e, err := a.load(cmd, settings.NeedAccount)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), reloader{load: load, running: e, keys: natsKeys(e.NATS)}, asked)
		},
	}
}

// serve runs the relay until ctx ends; r reads its settings again when asked to.
func (a *app) serve(ctx context.Context, r reloader, asked <-chan os.Signal) error {
	s := r.running.Settings
	r.level = level(s.Log)
	log := leveled(a.stderr, s.Log.Format, r.level)
	defer func() { _ = log.Sync() }()
	dial := dialing(s.NATS, "run", log)
	dial.Wait, dial.Inbox = true, bus.Inbox
	if s.NATS.Embedded {
		server, err := embed(s.NATS)
		if err != nil {
			return err
		}
		defer server.Shutdown()
		dial.Options = append(dial.Options, nats.InProcessServer(server))
		log.Info("nats server embedded", zap.String("url", server.URL()), zap.String("store_dir", s.NATS.StoreDir))
	}
	nc, err := bus.Dial(dial)
	if err != nil {
		return err
	}
	defer nc.Close()
	tracer := a.tracing(ctx, log)
	d, err := wire(s, nc, log, extras{tracer: tracer})
	if err != nil {
		return err
	}
	l, err := listen(s.HTTP.Addr)
	if err != nil {
		return err
	}
	log.Info("voicemail-relay starts", zap.String("version", version()), zap.String("http", "http://"+l.Addr().String()), zap.String("calls", s.Calls.Subject), zap.String("ready", s.Ready.Subject))

	// The ops endpoints outlive the bus, so that readiness goes first and is seen to.
	show, hide := context.WithCancel(context.WithoutCancel(ctx))
	var shown sync.WaitGroup
	var opsErr error
	work, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan time.Time, 1)
	context.AfterFunc(work, func() { stopped <- time.Now() })
	shown.Go(func() {
		if opsErr = d.ops().Serve(show, l); opsErr != nil {
			stop()
		}
	})
	shown.Go(func() { d.level(work) })
	shown.Go(func() { a.spare(work) })
	r.daemon, r.nc, r.log = d, nc, log
	shown.Go(func() { r.run(work, asked) })
	err = d.run(work)
	stop()
	endTracing(tracer, (<-stopped).Add(s.ShutdownGrace), log)
	hide()
	shown.Wait()
	for _, c := range d.clients {
		c.Close()
	}
	if err = errors.Join(err, opsErr); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	log.Info("voicemail-relay stopped")
	return nil
}
