package main

import (
	"fmt"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func TestServersRestartFloodsNoLog(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", "log.level=info"}, func(w *world) {
		const calls = 120
		for i := range calls { // all are being asked for when the server goes
			id := fmt.Sprintf("s%d", i)
			w.emu.Script(id, emu.Slow(5*time.Second, emu.Ready("x")))
			w.session(id)
		}
		pass(time.Second)
		w.stopServer()
		pass(30 * time.Second)
		w.startServer()
		w.await(calls, 2*time.Minute)

		if n := len(logged(w.log.String(), "settled")); n != calls {
			t.Errorf("%d calls are told in the log, want every one of %d", n, calls)
		}
		const stuck = "cannot publish a verdict; taking no more calls until it succeeds"
		left := 0
		for _, line := range logged(w.log.String(), "more lines were left out") {
			if line["of"] == stuck {
				left += int(line["count"].(float64))
			}
		}
		if n := len(logged(w.log.String(), stuck)); n == 0 || n > 20 || n+left != calls {
			t.Errorf("%d calls could not be told; the log has %d lines, and %d left out, want some twenty and the rest", calls, n, left)
		}
	})
}
