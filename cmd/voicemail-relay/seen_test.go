package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// Once seen, a recording is told, also where the server has forgotten that it handed the call out before: the acknowledgement is lost, and the
// line's consumer is made anew and counts from one again.
func TestForgottenDeliveryDoesNotTellAgainstWhatWasSeen(t *testing.T) {
	inWorld(t, []string{"wait.first=1s", "wait.transcript_for=20m", "wait.max=10m"}, func(w *world) {
		ctx := context.Background()
		w.emu.Script("s1", emu.NotYet(), emu.NoTranscript(), emu.Failed())
		w.session("s1")
		w.requests(1)
		pass(500 * time.Millisecond)
		w.relay.cables.lose("+ACK")
		w.requests(2)
		pass(500 * time.Millisecond)
		st, err := w.js.Stream(ctx, "VOICEMAIL_WORK")
		if err != nil {
			t.Fatal(err)
		}
		forgot := 0
		for info := range st.ListConsumers(ctx).Info() {
			if info.NumAckPending > 0 {
				forgot++
				if err := w.js.DeleteConsumer(ctx, "VOICEMAIL_WORK", info.Name); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.relay.cables.lose("")
		w.requests(3)
		if v := w.one(time.Hour); forgot != 1 || v.subject != "voicemail.ready" {
			t.Errorf("told %s %s, %d consumers forgot; want ready: the recording was seen", v.subject, v.str("reason"), forgot)
		}
	})
}

// Calls whose recording was seen come due while the one probe of their closed account is out: they wait for what comes of it, and are asked for when
// the account is mended, not at their deadline.
func TestTextIsAskedForWhenTheAccountIsMended(t *testing.T) {
	inWorld(t, []string{"wait.transcript_for=5h", "retry.max=1m"}, func(w *world) {
		w.emu.ScriptEvery(emu.NoTranscript(), emu.Ready("x"))
		const calls = 5
		for i := range calls {
			w.session(fmt.Sprintf("s%d", i))
		}
		w.requests(calls)
		refused := emu.Slow(8*time.Second, emu.Unauthorized())
		w.emu.Outage(&refused)
		pass(10 * time.Minute)
		w.emu.Outage(nil)
		for _, v := range w.await(calls, 6*time.Hour) {
			if late := v.at.Sub(w.began); v.str("transcriptStatus") != "completed" || late > 20*time.Minute {
				t.Errorf("told %s %s after %s, want ready with its text within 20m", v.subject, v.str("transcriptStatus"), late)
			}
		}
	})
}

// requests waits until so many requests were made.
func (w *world) requests(n int) {
	w.t.Helper()
	for end := time.Now().Add(time.Hour); w.emu.Requests() < n; pass(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%d requests within an hour, want %d", w.emu.Requests(), n)
		}
	}
	synctest.Wait() // what comes of the last one may be under way, see verdicts
}

// Two relays ask for one session in the same moment, and only the one whose history is not stored sees the recording.
func TestWhatOneOfTwoRelaysSeesIsNotForgotten(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps []emu.Step
	}{
		{"an appointment stands", []emu.Step{emu.Slow(2*time.Second, emu.NotYet()), emu.Slow(3*time.Second, emu.NoTranscript()), emu.NotYet()}},
		{"the next request is under way", []emu.Step{emu.Slow(time.Second, emu.NotYet()), emu.Slow(20*time.Second, emu.NoTranscript()), emu.Slow(40*time.Second, emu.Failed()), emu.NotYet()}},
		{"the next request sees nothing", []emu.Step{emu.Slow(time.Second, emu.NotYet()), emu.Slow(20*time.Second, emu.NoTranscript()), emu.Slow(40*time.Second, emu.NotYet()), emu.NotYet()}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inEmptyWorld(t, []string{"wait.first=0s", "smartassist.timeout=2m", "wait.recording_for=3m", "wait.transcript_for=5m"}, func(w *world) {
				w.emu.Script("s1", row.steps...)
				a := w.replica()
				a.awaitReady(t)
				w.start()
				w.session("s1")
				w.session("s1")
				pass(500 * time.Millisecond)
				if got := w.emu.Requests(); got != 2 {
					t.Fatalf("%d requests at first, want one of each relay", got)
				}
				v := w.one(time.Hour)
				if v.subject != "voicemail.ready" || v.str("transcriptStatus") != "timed_out" {
					t.Errorf("told %s %s, want ready: the recording was seen", v.subject, v.str("reason"))
				}
				if after := v.at.Sub(w.began); after > 7*time.Minute {
					t.Errorf("told after %s, want some 5 minutes after it was seen", after)
				}
				pass(time.Hour)
				if vs, n := w.verdicts(), w.waiting("voicemail.work.>"); len(vs) != 1 || n != 0 {
					t.Errorf("%d verdicts, and %d messages left in the work stream; want 1 and none", len(vs), n)
				}
				if err := a.terminate(); err != nil {
					t.Error(err)
				}
				w.halt()
			})
		})
	}
}

// Nor is what a delivery saw that another one has overtaken.
func TestWhatAnOvertakenDeliverySawIsNotForgotten(t *testing.T) {
	handedTwice(t, []string{"wait.transcript_for=5m"}, 45*time.Second, []emu.Step{emu.Slow(time.Second, emu.NoTranscript())}, []emu.Step{emu.NotYet()}, func(w *world, v told) {
		if v.subject != "voicemail.ready" || v.num("requests") != w.emu.Requests() {
			t.Errorf("told %s %s after %d requests of %d; want ready, and each request counted", v.subject, v.str("reason"), v.num("requests"), w.emu.Requests())
		}
	})
}

// A repeat that is too large to wait tells nothing about its session, which is on its way.
func TestRepeatTooLargeToKeepTellsNothing(t *testing.T) {
	inWorld(t, []string{"wait.first=5s"}, func(w *world) {
		w.limitMessages("VOICEMAIL_WORK", 60_000)
		w.emu.Script("s1", emu.NoTranscript(), emu.Ready("x"))
		w.session("s1")
		pass(6 * time.Second)
		w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"s1","crm":%q}`, strings.Repeat("x", 62_000)))
		if v := w.one(time.Hour); v.subject != "voicemail.ready" {
			t.Errorf("told %s %s, want ready: a repeat is no reason", v.subject, v.str("reason"))
		}
		w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"s2","crm":%q}`, strings.Repeat("x", 62_000)))
		if v := w.await(2, time.Minute)[1]; v.str("reason") != "undeliverable" {
			t.Errorf("told %s %s, want undeliverable: it does not fit", v.subject, v.str("reason"))
		}
	})
}

// limitMessages bounds the size of a stream's messages.
func (w *world) limitMessages(stream string, size int32) {
	w.t.Helper()
	w.change(stream, func(cfg *jetstream.StreamConfig) { cfg.MaxMsgSize = size })
}

// change has an operator configure a stream differently.
func (w *world) change(stream string, how func(*jetstream.StreamConfig)) {
	w.t.Helper()
	s, err := w.js.Stream(context.Background(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	how(&cfg)
	if _, err := w.js.UpdateStream(context.Background(), cfg); err != nil {
		w.t.Fatal(err)
	}
}
