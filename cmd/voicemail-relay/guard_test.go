package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/bus"
)

// A guard is a server of deploy/nats within the process.
type guard struct{ *server.Server }

func (g guard) InProcessConn() (net.Conn, error) { return g.Server.InProcessConn() }
func (g guard) Shutdown()                        { g.Server.Shutdown(); g.WaitForShutdown() }

// inGuardedWorld runs a test in a world whose server is deploy/nats/nats-server.conf, with streams that setup has made, and without a relay.
func inGuardedWorld(t *testing.T, flags []string, test func(*world, *transcript)) {
	t.Helper()
	s, said := newSite(t), &transcript{}
	for k, v := range s.env {
		t.Setenv(k, v)
	}
	t.Setenv("NATS_LISTEN", "127.0.0.1:4222") // nobody listens: the world has no sockets
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	flags = append([]string{"nats.provision=false", "smartassist.rate_limit=600"}, flags...)
	inEmptyWorld(t, flags, func(w *world) {
		w.setUp()
		test(w, said)
		w.halt()
	}, func(w *world) {
		w.identity = s.signs
		w.launch = func() (backend, error) {
			o, err := guarded()
			if err != nil {
				return nil, err
			}
			g, err := server.NewServer(o)
			if err != nil {
				return nil, err
			}
			g.SetLoggerV2(said, false, true, false)
			g.Start()
			if !g.ReadyForConnections(10 * time.Second) {
				return nil, errors.New("the server does not start")
			}
			return guard{g}, nil
		}
	})
}

// guarded is the server's file, without a listener, and with a small store that is not waited for.
func guarded() (*server.Options, error) {
	o, err := configured(oneServer)
	if err != nil {
		return nil, err
	}
	o.DontListen, o.JetStreamMaxStore, o.SyncAlways, o.MaxTracedMsgLen = true, 16<<20, false, 1
	return o, nil
}

// setUp is voicemail-relay setup, by its own user.
func (w *world) setUp() {
	w.t.Helper()
	nc := w.as("setup", w)
	defer nc.Close()
	b, err := bus.New(nc, setupConfig(w.settings))
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := bus.Connected(ctx, nc); err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := b.Setup(ctx, true); err != nil {
		w.t.Fatal(err)
	}
}

// by has somebody else do what a test does otherwise with the test's own rights.
func (w *world) by(who string, do func()) {
	w.t.Helper()
	nc, js := w.nc, w.js
	defer func() { w.nc.Close(); w.nc, w.js = nc, js }()
	w.nc = w.as(who, w)
	w.js, _ = jetstream.New(w.nc)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := bus.Connected(ctx, w.nc); err != nil {
		w.t.Fatal(err)
	}
	do()
}

// denied says whether the server denies something, by its own word.
func (w *world) denied(do func(nc *nats.Conn) error) bool {
	w.t.Helper()
	if err := do(w.nc); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.nc.FlushWithContext(ctx); err != nil {
		w.t.Fatal(err)
	}
	return errors.Is(w.nc.LastError(), nats.ErrPermissionViolation)
}

// linesOf are what the file allows somebody.
func linesOf(t *testing.T, o *server.Options, who string) (publish, subscribe *[]string) {
	t.Helper()
	key := os.Getenv("NATS_KEY_" + strings.ToUpper(who))
	for _, u := range o.Nkeys {
		if u.Nkey == key {
			return &u.Permissions.Publish.Allow, &u.Permissions.Subscribe.Allow
		}
	}
	t.Fatalf("the file has no %s", who)
	return nil, nil
}
