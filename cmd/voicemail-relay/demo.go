package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/smartassist/smartassisttest"
)

// demonstrating is what demo was asked for.
type demonstrating struct {
	calls int
	speed float64
	keep  bool
}

func (a *app) demoCommand() *cobra.Command {
	d := demonstrating{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: NATS, the API's emulator and the relay in one process, offline",
		Long: `Demo runs a NATS server, an emulator of the API and the relay in this process. Calls end, voicemails arrive: some late, some never,
some failing. Time runs faster by --speed. Every word that a caller says is made up.`,
		Example: `  voicemail-relay demo
  voicemail-relay demo --keep          and from another terminal:
  voicemail-relay publish st-demo my-session-1
  voicemail-relay watch --reveal`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case d.calls < 1 || d.calls > 1000:
				return usagef("--calls must be from 1 to 1000")
			case !(d.speed >= 1 && d.speed <= 100): // NaN is neither
				return usagef("--speed must be from 1 to 100")
			}
			return a.demo(cmd.Context(), d)
		},
	}
	f := cmd.Flags()
	f.IntVar(&d.calls, "calls", 14, "how many calls end")
	f.Float64Var(&d.speed, "speed", 20, "how much faster than life time runs")
	f.BoolVar(&d.keep, "keep", false, "stay up afterwards, to play with publish and watch")
	return cmd
}

func (d demonstrating) scale(t time.Duration) time.Duration {
	return time.Duration(float64(t) / d.speed).Round(time.Millisecond)
}

func (a *app) demo(ctx context.Context, d demonstrating) (err error) {
	dir, err := os.MkdirTemp("", "voicemail-relay-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := demoServer(dir)
	if err != nil {
		return err
	}
	defer server.Shutdown()

	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	const app, secret = "cs-demo", "made-up-for-the-demo"
	emu := smartassisttest.New(smartassisttest.Config{AppID: app, Secret: secret, Seed: 7, Share: 0.6, Speed: d.speed})
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	go func() { _ = serveHTTP(serving, api, emu) }() // ends with serving

	e, err := settings.Load(settings.Source{Need: settings.NeedAccount, Flags: []settings.Flag{
		{Path: "smartassist.base_url", Value: "http://" + api.Addr().String()}, {Path: "smartassist.app_id", Value: app}, {Path: "smartassist.app_secret", Value: secret},
		{Path: "smartassist.rate_limit", Value: "0"},
		{Path: "wait.first", Value: d.scale(15 * time.Second).String()}, {Path: "wait.max", Value: d.scale(time.Minute).String()},
		{Path: "wait.recording_for", Value: d.scale(4 * time.Minute).String()}, {Path: "wait.transcript_for", Value: d.scale(90 * time.Second).String()},
	}})
	if err != nil {
		return err
	}
	nc, err := bus.Dial(bus.Dialing{URL: server.URL(), Name: "demo", Log: zap.NewNop(), Options: []nats.Option{nats.InProcessServer(server)}})
	if err != nil {
		return err
	}
	defer nc.Close()
	show := newShow(a.stdout, isTerminal(a.stdout))
	tracer := a.tracing(ctx, zap.NewNop())
	defer func() { endTracing(tracer, time.Now().Add(time.Second), zap.NewNop()) }()
	w, err := wire(e.Settings, nc, zap.NewNop(), extras{observe: show.settled, tracer: tracer})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "NATS on %s, the API's emulator on http://%s, and the relay between them.\nCalls end; time runs %g times faster than life.\n\n", server.URL(), api.Addr(), d.speed)

	work, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var runErr error
	running.Go(func() { runErr = w.run(work); stop() })
	err = d.play(work, nc, emu, show)
	if err == nil && ctx.Err() == nil {
		show.summary(emu.Requests())
		if d.keep {
			fmt.Fprintf(a.stdout, "\nStill running. From another terminal:\n%s\nInterrupt to stop.\n", keepHelp(server.URL()))
			<-work.Done()
		}
	}
	stop()
	running.Wait()
	if ctx.Err() != nil {
		return nil // interrupted
	}
	return errors.Join(err, runErr)
}

// demoServer takes NATS' usual port if it is free, so that publish and watch find it without a flag.
func demoServer(dir string) (*natsd.Server, error) {
	s, err := natsd.Start(natsd.Config{StoreDir: dir, Host: "127.0.0.1", Port: nats.DefaultPort})
	if err == nil {
		return s, nil
	}
	return natsd.Start(natsd.Config{StoreDir: dir, Host: "127.0.0.1"})
}

func keepHelp(url string) string {
	flag := ""
	if url != fmt.Sprintf("nats://127.0.0.1:%d", nats.DefaultPort) {
		flag = " --nats.url " + url
	}
	return "  voicemail-relay watch --reveal" + flag + "\n  voicemail-relay publish st-demo my-session-1 --field queue=sales" + flag
}

// play announces the calls, waits until each has its verdict.
func (d demonstrating) play(ctx context.Context, nc *nats.Conn, emu *smartassisttest.Server, show *show) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	pause := min(300*time.Millisecond, 4*time.Second/time.Duration(d.calls))
	for i := range d.calls {
		call := demoCall(i)
		emu.Script(call.session, call.steps...)
		show.ended(call.session, call.title)
		for range max(1, call.times) {
			if err := publishRetry(ctx, js, call.body); err != nil {
				return err
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return show.wait(ctx, d.calls)
}

// publishRetry waits for the stream: the relay is making it.
func publishRetry(ctx context.Context, js jetstream.JetStream, body []byte) error {
	for {
		_, err := js.Publish(ctx, "call.ended", body)
		if err == nil || !errors.Is(err, jetstream.ErrNoStreamResponse) || ctx.Err() != nil {
			return err
		}
	}
}
