package main

import (
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// handedTwice has the one call of a world in the hands of two relays: the first asks, and its network stands still; the second is handed the
// same delivery after ack_wait and goes on. Then the first one hears its answer. still is how long.
func handedTwice(t *testing.T, flags []string, still time.Duration, first, then []emu.Step, check func(w *world, v told)) {
	t.Helper()
	inEmptyWorld(t, append([]string{"smartassist.timeout=10m", "wait.first=1s"}, flags...), func(w *world) {
		w.emu.Script("s1", append(first, then...)...)
		a := w.replica()
		a.awaitReady(t)
		w.session("s1")
		for w.emu.Requests() < len(first) {
			pass(100 * time.Millisecond)
		}
		a.cables.stall()
		w.start() // the second
		pass(still)
		if got := w.emu.Requests(); got <= len(first) {
			t.Fatalf("%d requests: the second relay was not handed the call", got)
		}
		a.cables.flow()
		v := w.one(time.Hour)
		pass(time.Hour)
		check(w, v)
		if vs := w.verdicts(); len(vs) != 1 {
			t.Errorf("%d verdicts, want 1", len(vs))
		}
		if err := a.terminate(); err != nil {
			t.Error(err)
		}
		w.halt()
	})
}

// A delivery that another one has overtaken begins no second chain.
func TestDeliveryHandedTwiceDoesNotForkTheChain(t *testing.T) {
	// The second one's second request is under way when the first comes back: no appointment stands then.
	then := append([]emu.Step{emu.MediaInProgress(), emu.Slow(time.Minute, emu.MediaInProgress())}, emu.MediaInProgress(), emu.MediaInProgress(), emu.Ready("x"))
	handedTwice(t, nil, 90*time.Second, []emu.Step{emu.Slow(time.Second, emu.MediaInProgress())}, then, func(w *world, v told) {
		if got := w.emu.Requests(); v.subject != "voicemail.ready" || got != v.num("requests")+1 {
			t.Errorf("%s after %d requests of which %d are told; want ready, and only the first relay's request beside", v.subject, got, v.num("requests"))
		}
	})
}

// Nor does it tell what its late answer says: the other has seen the recording meanwhile.
func TestOvertakenDeliveryTellsNothing(t *testing.T) {
	handedTwice(t, []string{"wait.transcript_for=5m"}, 45*time.Second, []emu.Step{emu.Slow(time.Second, emu.Failed())}, []emu.Step{emu.NoTranscript()}, func(w *world, v told) {
		if v.subject != "voicemail.ready" || v.str("transcriptStatus") != "timed_out" {
			t.Errorf("told %s %s, want ready: the recording was seen", v.subject, v.str("reason"))
		}
	})
}
