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

// A request may be longer than ack_wait: the call stays in the hands that have it.
func TestRequestLongerThanAckWaitIsAskedOnce(t *testing.T) {
	for _, limit := range []string{"0", "60"} {
		t.Run("limit "+limit, func(t *testing.T) {
			inEmptyWorld(t, []string{"calls.ack_wait=2s", "smartassist.timeout=1m", "smartassist.rate_limit=" + limit}, func(w *world) {
				w.emu.ScriptEvery(emu.Slow(30*time.Second, emu.Ready("x")))
				other := w.replica()
				other.awaitReady(t)
				w.start()
				for range 3 {
					w.call(`{"botId":"st-1","sessionId":"s1","endedAt":"2000-01-01T00:00:00Z"}`)
				}
				w.one(5 * time.Minute)
				pass(5 * time.Minute)
				if got := w.emu.Requests(); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
				if err := other.terminate(); err != nil {
					t.Error(err)
				}
				w.halt()
			})
		})
	}
}
