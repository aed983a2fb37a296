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

// miss has the server's store full while so many appointments come due, so that none of them fires.
func (w *world) miss(n int) {
	w.t.Helper()
	ctx := context.Background()
	fill, err := w.js.CreateStream(ctx, jetstream.StreamConfig{Name: "FILL", Subjects: []string{"fill"}})
	if err != nil {
		w.t.Fatal(err)
	}
	pass(5 * time.Second)
	for size := 768 << 10; size > 0; size /= 8 {
		for {
			if _, err := w.js.Publish(ctx, "fill", make([]byte, size)); err != nil {
				break
			}
		}
	}
	pass(30 * time.Second) // all are past their date now
	if got := w.waiting("voicemail.work.wait.>"); got != n {
		w.t.Fatalf("%d appointments stand, want all %d to be stuck", got, n)
	}
	if err := fill.Purge(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// The server never tries an appointment again whose firing failed. The relay makes it anew.
func TestAppointmentsThatDidNotFireAreMadeAnew(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 20 {
			w.session(fmt.Sprintf("s%d", i))
		}
		w.miss(20)
		for _, v := range w.await(20, 4*time.Minute) {
			if v.num("requests") != 1 {
				t.Errorf("%d requests, want 1", v.num("requests"))
			}
		}
		if text := metricsText(t, w.daemon); !strings.Contains(text, `voicemail_relay_incidents_total{kind="appointment_mended"} 20`) {
			t.Errorf("the metric does not tell of 20: %s", line(text, "incidents_total"))
		}
	})
}

// A replica that makes an appointment anew takes nothing from one that was fired meanwhile, and a long wait is not taken for a stuck one.
func TestLongWaitsAreLeftAlone(t *testing.T) {
	inWorld(t, []string{"wait.first=3h"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 10 {
			w.session(fmt.Sprintf("s%d", i))
		}
		w.await(10, 4*time.Hour)
		if text := metricsText(t, w.daemon); !strings.Contains(text, `voicemail_relay_incidents_total{kind="appointment_mended"} 0`) {
			t.Errorf("something was mended, though nothing was stuck: %s", line(text, "incidents_total"))
		}
	})
}

func TestPausedConsumerIsNamed(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ctx := context.Background()
		w.emu.ScriptEvery(emu.Ready("x"))
		if _, err := w.js.PauseConsumer(ctx, "CALLS", "voicemail-relay", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.session("s1")
		pass(5 * time.Minute)
		if err := w.daemon.bus.Ready(); err == nil || !strings.Contains(err.Error(), "consumer voicemail-relay of stream CALLS is paused") || !strings.Contains(err.Error(), "nats consumer resume") {
			t.Errorf("ready says %v, want that an operator has paused the consumer", err)
		}
		if _, err := w.js.ResumeConsumer(ctx, "CALLS", "voicemail-relay"); err != nil {
			t.Fatal(err)
		}
		w.await(1, time.Minute)
		pass(3 * time.Minute)
		if err := w.daemon.bus.Ready(); err != nil {
			t.Errorf("ready says %v after it was resumed", err)
		}
	})
}

// What an operator purges is gone by his will; it is counted and named, and the relay goes on.
func TestPurgesAreCountedAndNamed(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ctx := context.Background()
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 7 {
			w.session(fmt.Sprintf("gone%d", i))
		}
		pass(5 * time.Second)
		work, err := w.js.Stream(ctx, "VOICEMAIL_WORK")
		if err != nil {
			t.Fatal(err)
		}
		if err := work.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		w.session("next")
		v := w.one(time.Minute)
		if v.str("sessionId") != "next" {
			t.Errorf("%s is told, though it was purged", v.str("sessionId"))
		}
		if text := metricsText(t, w.daemon); !strings.Contains(text, `voicemail_relay_incidents_total{kind="purged"} 7`) {
			t.Errorf("the metric does not tell of 7: %s", line(text, "incidents_total"))
		}
		if log := w.log.String(); !strings.Contains(log, `"stream":"VOICEMAIL_WORK"`) || !strings.Contains(log, "an operator purged messages") {
			t.Error("the log does not name the stream")
		}
	})
}

// Nor does anybody have to guess where calls went whose stream was deleted, or that were picked out one by one.
func TestDeletionsAreCountedAndNamed(t *testing.T) {
	inWorld(t, []string{"wait.first=5m"}, func(w *world) {
		ctx := context.Background()
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 7 {
			w.session(fmt.Sprintf("gone%d", i))
		}
		pass(5 * time.Second)
		work, err := w.js.Stream(ctx, "VOICEMAIL_WORK")
		if err != nil {
			t.Fatal(err)
		}
		if err := work.DeleteMsg(ctx, 1); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if text := metricsText(t, w.daemon); !strings.Contains(text, `voicemail_relay_incidents_total{kind="purged"} 1`) {
			t.Errorf("the metric does not tell of 1: %s", line(text, "incidents_total"))
		}
		pass(2 * time.Minute) // the keeper has made its round
		if err := w.js.DeleteStream(ctx, "VOICEMAIL_WORK"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		w.session("next")
		if v := w.one(time.Hour); v.str("sessionId") != "next" {
			t.Errorf("%s is told, though it was deleted", v.str("sessionId"))
		}
		if text := metricsText(t, w.daemon); !strings.Contains(text, `voicemail_relay_incidents_total{kind="purged"} 7`) {
			t.Errorf("the metric does not tell of all 7: %s", line(text, "incidents_total"))
		}
		if log := w.log.String(); !strings.Contains(log, "an operator deleted a stream") || !strings.Contains(log, `"stream":"VOICEMAIL_WORK","by":"test`) {
			t.Error("the log does not name the stream and who deleted it")
		}
		letters := w.stored("VOICEMAILS")
		verdicts, err := w.js.Stream(ctx, "VOICEMAILS")
		if err == nil {
			err = verdicts.DeleteMsg(ctx, 1)
		}
		pass(time.Second)
		if text := metricsText(t, w.daemon); err != nil || letters != 1 || !strings.Contains(text, `voicemail_relay_incidents_total{kind="purged"} 7`) {
			t.Errorf("a verdict that is deleted counts as a call that is gone: %v, %s", err, line(text, "incidents_total"))
		}
	})
}

// line is the part of a text's lines that hold a word.
func line(text, word string) string {
	var found []string
	for l := range strings.Lines(text) {
		if strings.Contains(l, word) {
			found = append(found, strings.TrimSpace(l))
		}
	}
	return strings.Join(found, " | ")
}

// A ledger that is deleted before the first call has asked for it is made again as well.
func TestLedgerDeletedBeforeItsFirstUse(t *testing.T) {
	inWorld(t, []string{"wait.first=0s"}, func(w *world) {
		if err := w.js.DeleteKeyValue(context.Background(), "VOICEMAIL_LEDGER"); err != nil {
			t.Fatal(err)
		}
		w.emu.ScriptEvery(emu.Ready("x"))
		w.session("s1")
		w.one(time.Minute)
	})
}
