package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// examine has doctor look at a world's NATS.
func (w *world) examine(since time.Duration) diagnosis {
	w.t.Helper()
	d := &doctor{s: w.settings, x: examining{since: since}, nc: w.nc}
	d.s.NATS.Embedded = true // it is known how the disk is written to
	d.examine(context.Background())
	return diagnosis{Checks: d.found}
}

func TestDoctorFindsCallsThatWait(t *testing.T) {
	t.Run("nobody takes them", func(t *testing.T) {
		inWorld(t, []string{unlimited}, func(w *world) {
			w.halt()
			w.session("s1")
			pass(30 * time.Second)
			if bad := w.examine(time.Hour).bad(); len(bad) > 0 {
				t.Errorf("after half a minute it finds %+v", bad)
			}
			pass(2 * time.Minute)
			w.examine(time.Hour).one(t, fail("waiting", "stream CALLS", "1 call waits, the oldest since 2m30s, and no relay takes them", "start voicemail-relay run"))
			w.emu.ScriptEvery(emu.Ready("x"))
			w.start()
			w.one(time.Minute)
			if d := w.examine(time.Hour); len(d.bad()) > 0 || !strings.Contains(d.find("waiting")[0].Found, "every call is taken; a relay takes them") {
				t.Errorf("when it is taken it finds %+v", d.Checks)
			}
		})
	})
	t.Run("they are taken too slowly", func(t *testing.T) {
		inWorld(t, nil, func(w *world) {
			w.halt()
			for i := range 3 {
				w.session(fmt.Sprint("s", i))
			}
			pass(2 * time.Minute)
			c, err := w.js.Consumer(context.Background(), "CALLS", "voicemail-relay")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Next(); err != nil { // as one does whose seats are then all taken
				t.Fatal(err)
			}
			w.examine(time.Hour).one(t, warn("waiting", "stream CALLS", "2 calls wait, the oldest since 2m0s, though a relay takes them", "run more replicas"))
		})
	})
	t.Run("in line", func(t *testing.T) {
		inWorld(t, []string{"wait.first=0s", "smartassist.rate_limit=60"}, func(w *world) {
			w.emu.ScriptEvery(emu.Unauthorized())
			w.session("s1")
			pass(5 * time.Minute)
			if bad := w.examine(time.Hour).bad(); len(bad) > 0 {
				t.Errorf("after five minutes it finds %+v", bad)
			}
			w.halt()
			pass(20 * time.Minute)
			w.examine(time.Hour).one(t, warn("waiting", "stream VOICEMAIL_WORK", "1 call waits; the oldest has stood in line for ", "budget, token and relay"))
		})
	})
	t.Run("an appointment did not fire", func(t *testing.T) {
		inWorld(t, nil, func(w *world) {
			w.session("s1")
			pass(time.Second)
			w.halt()
			w.miss(1)
			if err := w.js.DeleteStream(context.Background(), "FILL"); err != nil {
				t.Fatal(err)
			}
			pass(3 * time.Minute)
			w.examine(time.Hour).one(t, fail("waiting", "stream VOICEMAIL_WORK", "1 call waits; the oldest appointment should have fired 3m", "start a relay"))
		})
	})
}

func TestDoctorCountsDeadLettersOfLate(t *testing.T) {
	for _, format := range []string{"binary", "structured"} {
		inWorld(t, []string{"wait.first=0s", "ready.format=" + format}, func(w *world) {
			w.emu.ScriptEvery(emu.Failed())
			w.session("s1")
			w.call("no call")
			w.await(2, time.Minute)
			w.examine(time.Hour).one(t, warn("dead_letters", "voicemail.failed in stream VOICEMAILS, the last 1h", "2 letters: 1 malformed, 1 rejected", "voicemail-relay failed list"))
			pass(2 * time.Hour)
			if bad := w.examine(time.Hour).bad(); len(bad) > 0 {
				t.Errorf("two hours later it finds %+v of the last hour", bad)
			}
		})
	}
}
