package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// A plain repeat of a settled session, in hand when a replay of it comes, does not take the replay with it.
func TestReplayBehindARepeatIsNotFolded(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Failed(), emu.Ready("x"))
		for i := range 50 {
			w.session(fmt.Sprintf("s%d", i))
		}
		w.await(50, time.Minute)
		w.halt()
		for i := range 50 {
			w.session(fmt.Sprintf("s%d", i))
			w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"s%d"}`, i), "Voicemail-Relay-Replay", "1")
		}
		w.start()
		pass(10 * time.Minute)
		if n := len(w.verdicts()); n != 100 {
			t.Errorf("%d verdicts, want 100: each session's, and each replay's", n)
		}
	})
}

// A replay that comes before the first call's acknowledgement is known waits for it.
func TestReplayBehindALostAckIsNotFolded(t *testing.T) {
	inEmptyWorld(t, nil, func(w *world) {
		w.emu.Script("s1", emu.Failed(), emu.Ready("x"))
		r := w.replica()
		r.awaitReady(t)
		w.session("s1")
		for w.waiting("voicemail.work.wait.>") == 0 {
			pass(100 * time.Millisecond)
		}
		r.cables.arm(&crash{at: "ack", side: "before"}) // of the call out of the line, once its verdict is told
		w.await(1, time.Minute)
		for !r.cables.isDead() {
			pass(time.Second)
		}
		<-r.ended
		w.start()
		w.call(`{"botId":"st-1","sessionId":"s1"}`, "Voicemail-Relay-Replay", "1")
		vs := w.await(2, 10*time.Minute)
		if vs[1].subject != "voicemail.ready" || vs[1].header.Get("Nats-Msg-Id") != key("st-1", "s1")+"/r1" {
			t.Errorf("the replay is told as %s %s", vs[1].subject, vs[1].header.Get("Nats-Msg-Id"))
		}
		w.halt()
	})
}

// Nor is one that could not be stored at first: what stands for its session is for the verdict before, and its acknowledgement got lost.
func TestReplayBehindALostAckIsNotFoldedAfterTrouble(t *testing.T) {
	for _, row := range []struct {
		name    string
		trouble func(w *world) (mend func())
	}{
		{"the network loses it", func(w *world) func() {
			w.relay.cables.lose("HPUB voicemail.work.due")
			return func() { w.relay.cables.lose("") }
		}},
		{"the server refuses it", func(w *world) func() {
			w.relay.cables.lose("")
			w.hold("VOICEMAIL_WORK", "elsewhere")
			return func() { w.hold("VOICEMAIL_WORK", "voicemail.work.>") }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, []string{"wait.first=1s", "smartassist.rate_limit=60", "calls.ack_wait=2m"}, func(w *world) {
				w.emu.Script("s1", emu.Failed(), emu.Ready("x"))
				w.session("s1")
				pass(500 * time.Millisecond)
				w.relay.cables.lose("+ACK")
				w.one(10 * time.Second)
				pass(time.Second)
				mend := row.trouble(w)
				w.call(`{"botId":"st-1","sessionId":"s1","endedAt":"2000-01-01T00:00:00Z"}`, "Voicemail-Relay-Replay", "1")
				pass(2 * time.Second)
				mend()
				vs := w.await(2, time.Hour)
				if id := vs[1].header.Get("Nats-Msg-Id"); vs[1].subject != "voicemail.ready" || id != key("st-1", "s1")+"/r1" {
					t.Errorf("the replay is told as %s %s", vs[1].subject, id)
				}
			})
		})
	}
}

// Nor is a replay that had to wait for hours taken for a crash loop: the ledger was lost, its session was reported again, and the account is
// refused.
func TestReplayThatWaitsLongIsNotGivenUp(t *testing.T) {
	inWorld(t, []string{"wait.first=1s"}, func(w *world) {
		w.emu.Script("s1", emu.Failed(), emu.Ready("x"))
		w.session("s1")
		w.one(time.Minute)
		if err := w.js.DeleteStream(context.Background(), "KV_VOICEMAIL_LEDGER"); err != nil {
			t.Fatal(err)
		}
		w.emu.SetCredentials(testApp, "another-secret")
		w.session("s1")
		pass(time.Minute)
		w.call(`{"botId":"st-1","sessionId":"s1"}`, "Voicemail-Relay-Replay", "1")
		pass(3 * time.Hour)
		w.emu.SetCredentials(testApp, testSecret)
		vs := w.await(2, time.Hour)
		if id := vs[1].header.Get("Nats-Msg-Id"); vs[1].subject != "voicemail.ready" || id != key("st-1", "s1")+"/r1" {
			t.Errorf("the replay is told as %s %s %s", vs[1].subject, vs[1].str("reason"), id)
		}
	})
}

// A repeat that is due at once, because its call ended long ago, neither asks nor tells while its session is between two requests.
func TestLateRepeatOfAWaitingSessionIsFolded(t *testing.T) {
	inWorld(t, []string{"wait.transcript_for=20m"}, func(w *world) {
		w.emu.Script("s1", emu.NoTranscript(), emu.NotYet())
		w.session("s1")
		pass(20 * time.Second)
		asked := w.emu.Requests()
		for range 5 {
			w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"s1","endedAt":%q}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
		}
		pass(time.Second)
		if got := w.emu.Requests(); got != asked {
			t.Errorf("%d requests for repeats", got-asked)
		}
		w.call(`{"botId":"st-1","sessionId":"s1","voicemail":false}`)
		if v := w.one(time.Hour); v.subject != "voicemail.ready" {
			t.Errorf("told %s %s, want ready: the recording was seen", v.subject, v.str("reason"))
		}
	})
}

// hold has a stream hold a subject.
func (w *world) hold(stream, subject string) {
	w.t.Helper()
	w.change(stream, func(cfg *jetstream.StreamConfig) { cfg.Subjects = []string{subject} })
}
