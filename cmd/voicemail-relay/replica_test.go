package main

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A replica is one relay of a world, the code that ships, as if it were a process.
type replica struct {
	daemon *daemon
	cables *cables
	stop   context.CancelFunc
	ended  chan error // Run's, and nothing of it is left
}

// replica starts one.
func (w *world) replica() *replica {
	ctx, stop := context.WithCancel(context.Background())
	r := &replica{cables: newCables(w), stop: stop, ended: make(chan error, 1)}
	r.cables.died = stop
	w.replicas = append(w.replicas, r)
	nc := w.as("relay", r.cables)
	transport := &http.Transport{DialContext: r.cables.dial, MaxIdleConnsPerHost: 256}
	var err error
	r.daemon, err = wire(w.settings, nc, logger(w.log, w.settings.Log), extras{transport: transport, observe: w.observe, tracer: w.tracer})
	if err != nil {
		w.t.Fatal(err)
	}
	go func() { // ends with stop, or with the process's death
		err := r.daemon.run(ctx)
		nc.Close()
		transport.CloseIdleConnections()
		r.ended <- err
	}()
	return r
}

// awaitReady waits until it is, an hour at most.
func (r *replica) awaitReady(t *testing.T) {
	t.Helper()
	synctest.Wait()
	for end := time.Now().Add(time.Hour); r.daemon.bus.Ready() != nil; {
		select {
		case err := <-r.ended:
			r.ended <- err
			t.Fatalf("run ended with %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %v", r.daemon.bus.Ready())
		}
	}
}

// kill ends it as kill -9 does.
func (r *replica) kill() { r.cables.die() }

// terminate ends it as SIGTERM does, and returns what Run said.
func (r *replica) terminate() error {
	r.stop()
	err := <-r.ended
	r.ended <- err // for whoever asks again
	return err
}
