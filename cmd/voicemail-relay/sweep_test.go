package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// rename has the account of a world's relay go by another name from its next start on.
func (w *world) rename(name string) {
	w.halt()
	pass(time.Hour) // what waits comes due in the old lines
	w.settings.SmartAssist.Name = name
	w.start()
}

// Each class of a renamed account's calls is moved, not only the first that is found.
func TestEveryLineOfARenamedAccountIsMoved(t *testing.T) {
	inWorld(t, []string{"wait.first=5s"}, func(w *world) {
		w.emu.Script("again", emu.NotYet(), emu.Ready("x"))
		w.emu.Script("next", emu.NoTranscript(), emu.Ready("x"))
		w.emu.Script("first", emu.Ready("x"))
		w.session("again")
		w.session("next")
		pass(7 * time.Second)
		w.session("first")
		pass(time.Second)
		w.rename("renamed")
		for _, v := range w.await(3, 10*time.Minute) {
			if v.subject != "voicemail.ready" {
				t.Errorf("%s is told %s %s, want ready", v.str("sessionId"), v.subject, v.str("reason"))
			}
		}
		if n := w.waiting("voicemail.work.>"); n != 0 {
			t.Errorf("%d messages are left in the work stream", n)
		}
	})
}

// A sweep ends, and the keeper goes on: appointments that did not fire are made anew, and a consumer that hands out nothing is looked at.
func TestKeeperGoesOnAfterASweep(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.NotYet(), emu.Ready("x"))
		w.session("moved")
		pass(20 * time.Second)
		w.rename("renamed")
		w.await(1, 10*time.Minute)
		pass(5 * time.Minute)
		if got := strings.Count(w.log.String(), "moved calls out of the line"); got != 1 {
			t.Errorf("%d sweeps tell of what they moved, want 1", got)
		}
		for i := range 20 {
			w.session(fmt.Sprintf("s%d", i))
		}
		w.miss(20)
		w.await(21, 10*time.Minute)

		ctx := context.Background()
		if _, err := w.js.PauseConsumer(ctx, "CALLS", "voicemail-relay", time.Now().Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		if err := w.daemon.bus.Ready(); err == nil || !strings.Contains(err.Error(), "is paused") {
			t.Errorf("ready says %v, want that a consumer is paused", err)
		}
	})
}
