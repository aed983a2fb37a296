package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	inWorld(t, []string{"wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.Slow(5*time.Second, emu.Ready("x")))
		for i := range 40 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(2 * time.Second)
		start := time.Now()
		w.halt()
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("stopping took %s, want the 3 s that were left of the requests", took)
		}
		if vs := w.verdicts(); len(vs) != 40 || w.emu.Requests() != 40 {
			t.Errorf("%d verdicts and %d requests, want 40 and 40", len(vs), w.emu.Requests())
		}
		w.session("while-down")
		w.start()
		w.await(41, time.Minute)
		if got := w.emu.Requests(); got != 41 {
			t.Errorf("%d requests, want 41: none was repeated", got)
		}
	})
}

func TestStopHandsBackWhatTakesTooLong(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", "shutdown_grace=2s", "smartassist.timeout=1m"}, func(w *world) {
		w.emu.Script("s1", emu.Hang(), emu.Ready("x"))
		w.session("s1")
		pass(time.Second)
		start := time.Now()
		w.halt()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("stopping took %s, want shutdown_grace, 2 s", took)
		}
		w.start()
		start = time.Now()
		w.one(time.Minute)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the call came back after %s, want at once: it was handed back", took)
		}
	})
}

// The embedded server stops with the relay: what was handed back has to come at once all the same.
func TestWhatIsHandedBackOutlivesTheServer(t *testing.T) {
	for _, moment := range []struct {
		name  string
		after time.Duration
	}{{"in hand", 500 * time.Millisecond}, {"in line", 1500 * time.Millisecond}} {
		t.Run(moment.name, func(t *testing.T) {
			inWorld(t, []string{"wait.first=0s", "shutdown_grace=2s", "smartassist.timeout=1m", "calls.ack_wait=10m", "calls.concurrency=4"}, func(w *world) {
				w.emu.ScriptEvery(emu.Slow(10*time.Second, emu.Ready("x")))
				for i := range 12 { // two are under way, the others wait
					w.session(fmt.Sprintf("s%d", i))
				}
				pass(moment.after)
				w.halt()
				w.stopServer()
				w.startServer()
				w.start()
				start := time.Now()
				w.await(12, 20*time.Minute)
				if took := time.Since(start); took > 2*time.Minute {
					t.Errorf("the calls came back after %s, want at once: they were handed back", took)
				}
			})
		})
	}
}

func TestServerThatGoesAwayLosesNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		for i := range 50 {
			s := fmt.Sprintf("s%d", i)
			w.emu.Script(s, emu.MediaInProgress(), emu.Ready("x"))
			w.session(s)
		}
		for range 4 {
			pass(13 * time.Second)
			w.stopServer()
			pass(7 * time.Second)
			if w.daemon.bus.Ready() == nil {
				t.Errorf("ready without a server")
			}
			w.startServer()
		}
		w.await(50, 10*time.Minute)
		pass(10 * time.Minute)
		if vs := w.verdicts(); len(vs) != 50 {
			t.Errorf("%d verdicts, want 50", len(vs))
		}
		if err := w.daemon.bus.Ready(); err != nil {
			t.Errorf("not ready in the end: %v", err)
		}
	})
}

func TestConsumersAndStreamsThatAreDeletedComeBack(t *testing.T) {
	ctx := context.Background()
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		if err := w.js.DeleteConsumer(ctx, "CALLS", "voicemail-relay"); err != nil {
			t.Fatal(err)
		}
		w.session("s1")
		w.await(1, time.Minute)
		for name := range consumers(w) {
			if err := w.js.DeleteConsumer(ctx, "VOICEMAIL_WORK", name); err != nil {
				t.Fatal(err)
			}
		}
		w.session("s2")
		w.await(2, time.Minute)
		for _, stream := range []string{"VOICEMAIL_WORK", "KV_VOICEMAIL_LEDGER", "CALLS"} {
			if err := w.js.DeleteStream(ctx, stream); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		w.session("s3")
		w.await(3, 2*time.Minute)
		if err := w.js.DeleteStream(ctx, "VOICEMAILS"); err != nil {
			t.Fatal(err)
		}
		w.session("s4")
		pass(2 * time.Minute)
		if vs := w.verdicts(); len(vs) != 1 {
			t.Errorf("%d verdicts in the stream that was made again, want 1", len(vs))
		}
	})
}

func consumers(w *world) map[string]bool {
	w.t.Helper()
	s, err := w.js.Stream(context.Background(), "VOICEMAIL_WORK")
	if err != nil {
		w.t.Fatal(err)
	}
	names := map[string]bool{}
	for n := range s.ConsumerNames(context.Background()).Name() {
		names[n] = true
	}
	return names
}

func TestPublishAgainAsksOnceMore(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.Script("s1", emu.Failed(), emu.Ready("x"))
		w.session("s1")
		w.await(1, time.Minute)
		for range 2 { // told twice: the same replay
			w.call(`{"botId":"st-1","sessionId":"s1"}`, "Voicemail-Relay-Replay", "1")
			pass(time.Minute)
		}
		vs := w.verdicts()
		if len(vs) != 2 || vs[1].subject != "voicemail.ready" || vs[1].header.Get("ce-id") != "" && vs[1].header.Get("Nats-Msg-Id") != key("st-1", "s1")+"/r1" {
			t.Errorf("%d verdicts, want failed, then ready under the id of the first replay", len(vs))
		}
	})
}

func TestEventThatIsTooLargeLosesTextAndIsTold(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limitMessages("VOICEMAILS", 8000)
		w.emu.Script("s1", emu.Ready(strings.Repeat("canary-transcript ", 5000)))
		w.call(`{"botId":"st-1","sessionId":"s1","queue":"sales"}`)
		v := w.one(time.Minute)
		if v.str("transcriptStatus") != "truncated" || len(v.str("transcript")) < 1000 || v.str("fileUrl") == "" || !strings.Contains(string(v.body), `"queue":"sales"`) {
			t.Errorf("told %d bytes with status %q, want the text cut and all else kept", len(v.body), v.str("transcriptStatus"))
		}
		w.call(strings.Repeat("no call at all ", 3000))
		if v := w.await(2, time.Minute)[1]; v.str("reason") != "malformed" || v.event["rawTruncated"] != true || v.num("rawSize") != 45000 {
			t.Errorf("told %v %v, want the raw event cut", v.event["rawTruncated"], v.event["rawSize"])
		}
	})
}

// A verdict that does not fit at all is tried again and again, but never at once; when there is room for it, it is told.
func TestVerdictThatDoesNotFitIsNoLoop(t *testing.T) {
	for _, row := range []struct {
		name string
		step emu.Step
		want string
	}{
		{"a recording", emu.Slow(100*time.Millisecond, emu.Ready("x")), "voicemail.ready"},
		{"a final no", emu.Slow(100*time.Millisecond, emu.Failed()), "voicemail.failed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, []string{"wait.first=5s", "calls.ack_wait=1m"}, func(w *world) {
				w.limitMessages("VOICEMAILS", 400)
				w.emu.ScriptEvery(row.step)
				w.session("s1")
				pass(10 * time.Minute)
				if got := w.emu.Requests(); got < 2 || got > 12 {
					t.Errorf("%d requests in ten minutes, want one each ack_wait at most", got)
				}
				if got := strings.Count(w.log.String(), "a call cannot be settled"); got < 2 || got > 12 {
					t.Errorf("the log tells it %d times, want once a try", got)
				}
				w.limitMessages("VOICEMAILS", -1)
				if v := w.one(10 * time.Minute); v.subject != row.want {
					t.Errorf("told %s %s, want %s", v.subject, v.str("reason"), row.want)
				}
			})
		})
	}
}

func TestVerdictIsToldOnceThoughTheLedgerIsLost(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.Script("s1", emu.Ready("x"), emu.Failed())
		w.session("s1")
		w.await(1, time.Minute)
		pass(3 * time.Hour) // far beyond the server's own window for repeats
		if err := w.js.DeleteStream(context.Background(), "KV_VOICEMAIL_LEDGER"); err != nil {
			t.Fatal(err)
		}
		w.session("s1")
		pass(time.Minute)
		if vs := w.verdicts(); len(vs) != 1 {
			t.Errorf("%d verdicts, want 1: the id folds what the ledger forgot", len(vs))
		}
		if log := w.log.String(); !strings.Contains(log, `"verdict":"ready"`) || strings.Contains(log, `"verdict":"failed"`) {
			t.Errorf("the log tells a verdict that the stream does not hold")
		}
	})
}

func TestLongWaitsHop(t *testing.T) {
	inWorld(t, []string{"wait.max=2h", "wait.recording_for=3h", "retry.give_up_after=100h", "retry.first=1h", "retry.max=1h"}, func(w *world) {
		ctx := context.Background()
		w.emu.Script("s1", emu.Error(418, "teapot"), emu.Ready("x"))
		w.session("s1")
		pass(20 * time.Second)
		for range 5 {
			s, err := w.js.Stream(ctx, "VOICEMAIL_WORK")
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.GetLastMsgForSubject(ctx, "voicemail.work.wait.>")
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse("@at "+time.RFC3339Nano, m.Header.Get("Nats-Schedule"))
			if ahead := time.Until(at); err != nil || ahead > 10*time.Minute {
				t.Errorf("an appointment is dated %s ahead (%v), want 10 minutes at most: what is past its date is stuck", ahead, err)
			}
			pass(9 * time.Minute)
		}
		v := w.one(2 * time.Hour)
		if after := v.at.Sub(w.began); v.num("requests") != 2 || after < 45*time.Minute || after > 65*time.Minute {
			t.Errorf("told after %s and %d requests, want about an hour and 2", after, v.num("requests"))
		}
	})
}

// The stream of calls may be replaced by another one under the same subject.
func TestStreamOfCallsThatIsReplacedIsFollowed(t *testing.T) {
	ctx := context.Background()
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		if err := w.js.DeleteStream(ctx, "CALLS"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.js.CreateStream(ctx, jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"call.>"}}); err != nil {
			t.Fatal(err)
		}
		w.session("s1")
		w.await(1, 5*time.Minute)
		if err := w.daemon.bus.Ready(); err != nil {
			t.Errorf("ready says %v", err)
		}
	})
}
