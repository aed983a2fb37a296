package main

import (
	"fmt"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// A call that stops the program each time it is asked for is given up, and takes no other with it.
func TestCrashLoopEnds(t *testing.T) {
	for _, limit := range []string{"0", "60"} {
		t.Run("limit "+limit, func(t *testing.T) {
			inEmptyWorld(t, []string{"smartassist.rate_limit=" + limit}, func(w *world) {
				w.emu.ScriptEvery(emu.Ready("x"))
				w.start()
				w.call(`{"botId":"st-1","sessionId":"poison"}`)
				died := 0
				for ; died < 40 && len(w.verdicts()) == 0; died++ {
					r := w.relay
					r.cables.arm(&crash{at: "request", side: "before"})
					for end := time.Now().Add(10 * time.Minute); !r.cables.isDead() && len(w.verdicts()) == 0 && time.Now().Before(end); {
						pass(time.Second)
					}
					if !r.cables.isDead() {
						r.cables.arm(nil)
						break
					}
					<-r.ended
					w.start()
				}
				if died < 10 || died > 20 {
					t.Errorf("it took %d crashes until it was given up, want 10 to 20", died)
				}
				if v := w.one(time.Minute); v.subject != "voicemail.failed" || v.str("reason") != "undeliverable" || v.str("sessionId") != "poison" {
					t.Errorf("got %s %s", v.subject, v.body)
				}
				w.session("next")
				w.await(2, time.Minute)
				w.halt()
			})
		})
	}
}

// A call that was handed out again and again while it waited, and stopped nothing, is no crash loop: its account was refused while the
// relay was deployed many times.
func TestManyDeploysAreNoCrashLoop(t *testing.T) {
	inEmptyWorld(t, []string{"smartassist.rate_limit=60"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		w.emu.SetCredentials(testApp, "another-secret")
		w.start()
		for i := range 5 {
			w.session(fmt.Sprintf("s%d", i))
		}
		for range 60 {
			pass(2 * time.Minute)
			w.halt()
			w.start()
		}
		w.emu.SetCredentials(testApp, testSecret)
		for _, v := range w.await(5, time.Hour) {
			if v.subject != "voicemail.ready" {
				t.Errorf("got %s %s, want ready", v.subject, v.str("reason"))
			}
		}
		w.halt()
	})
}
