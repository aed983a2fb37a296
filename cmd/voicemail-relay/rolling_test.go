package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// Replicas share the durable and the lines, and each takes its part. Restarting one after the other while calls stand in line is no storm: none is
// asked for twice, what a replica has in hand when it leaves is handed out once more at once, and nothing else is.
func TestRollingRestartHandsBackAndRepeatsNothing(t *testing.T) {
	const (
		replicas = 4
		calls    = 400
		every    = 100 * time.Millisecond
	)
	flags := []string{"wait.first=0s", "wait.max=5s", "smartassist.rate_limit=300", "calls.ack_wait=1h", "log.level=info"}
	inEmptyWorld(t, flags, func(w *world) {
		w.emu.ScriptEvery(emu.Slow(time.Second, emu.Ready("x")))
		for i := 0; i < calls; i += 4 {
			w.emu.Script(fmt.Sprintf("s%d", i), emu.Slow(time.Second, emu.NotYet()), emu.Slow(time.Second, emu.Ready("x")))
		}
		fleet := make([]*replica, replicas)
		for i := range fleet {
			fleet[i] = w.replica()
			fleet[i].awaitReady(t)
		}
		done := make(chan struct{})
		go func() { // ends with its calls
			defer close(done)
			for i := range calls {
				w.session(fmt.Sprintf("s%d", i))
				pass(every)
			}
		}()
		for i, r := range fleet {
			pass(8 * time.Second)
			if err := r.terminate(); err != nil {
				t.Error(err)
			}
			fleet[i] = w.replica()
			fleet[i].awaitReady(t)
		}
		w.daemon = fleet[0].daemon
		<-done
		w.await(calls, 5*time.Minute) // and not ack_wait
		pass(time.Second)
		if got, want := w.emu.Requests(), calls+calls/4; got != want {
			t.Errorf("%d requests, want %d: none twice", got, want)
		}
		if again := int(w.handedOut()) - calls - w.emu.Requests(); again < 1 || again > replicas*4 {
			t.Errorf("%d deliveries were handed out once more, want a few for each restart", again)
		}
		for i, r := range w.replicas {
			if settled(t, r) == 0 {
				t.Errorf("replica %d settled no call", i)
			}
		}
		for _, r := range fleet {
			if err := r.terminate(); err != nil {
				t.Error(err)
			}
		}
	})
}

// handedOut is how many deliveries there were, from call.ended and from the lines.
func (w *world) handedOut() (n uint64) {
	w.t.Helper()
	ctx := context.Background()
	all := map[string]string{"voicemail-relay": "CALLS"}
	for name := range consumers(w) {
		all[name] = "VOICEMAIL_WORK"
	}
	for name, stream := range all {
		c, err := w.js.Consumer(ctx, stream, name)
		if err != nil {
			w.t.Fatal(err)
		}
		n += c.CachedInfo().Delivered.Consumer
	}
	return n
}

var settledReady = regexp.MustCompile(`(?m)^voicemail_relay_settled_calls_total\{reason="",verdict="ready"\} (\d+)`)

// settled is how many voicemails a replica has told.
func settled(t *testing.T, r *replica) int {
	t.Helper()
	m := settledReady.FindStringSubmatch(metricsText(t, r.daemon))
	if m == nil {
		t.Fatal("the metric is missing")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
