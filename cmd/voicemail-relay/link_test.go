package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// levels runs what reads the gauges of what waits, and do a moment later.
func (w *world) levels(do func()) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.daemon.level(ctx); close(ended) }() // ends with stop
	defer func() { stop(); <-ended }()
	pass(6 * time.Second)
	do()
}

// metric reads one sample of a scrape; series is written as the scrape does.
func (w *world) metric(series string) float64 {
	w.t.Helper()
	text := metricsText(w.t, w.daemon)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		w.t.Fatalf("no %s in the scrape", series)
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// Whoever looks while the server is down sees that, what is held up because of it, and that the other figures are old.
func TestMetricsTellOfALostServer(t *testing.T) {
	account := fmt.Sprintf(`{account=%q}`, testApp)
	inWorld(t, []string{"smartassist.rate_limit=600", "wait.first=0s", "smartassist.timeout=30s"}, func(w *world) {
		w.levels(func() {
			w.emu.ScriptEvery(emu.Slow(5*time.Second, emu.Ready("x")))
			w.session("s1")
			w.session("s1")
			pass(4 * time.Second) // it is being asked for
			for series, want := range map[string]float64{"voicemail_relay_nats_connected": 1, "voicemail_relay_received_calls_total": 2, "voicemail_relay_in_hand_calls": 1,
				"voicemail_relay_budget_limit_requests" + account: 600, "voicemail_relay_budget_reachable" + account: 1,
				`voicemail_relay_stuck_calls{operation="publish a verdict"}`: 0, `voicemail_relay_failed_operations_total{operation="publish a verdict"}`: 0} {
				if got := w.metric(series); got != want {
					t.Errorf("%s is %v, want %v", series, got, want)
				}
			}
			before, read := w.metric("voicemail_relay_nats_reconnects_total"), w.metric("voicemail_relay_levels_timestamp_seconds")
			if age := float64(time.Now().UnixMilli())/1000 - read; age < 0 || age > 5 {
				t.Errorf("the levels were read %v s ago, want within 5", age)
			}
			w.stopServer()
			pass(time.Minute)
			for series, want := range map[string]float64{"voicemail_relay_nats_connected": 0, `voicemail_relay_stuck_calls{operation="publish a verdict"}`: 1, "voicemail_relay_levels_timestamp_seconds": read} {
				if got := w.metric(series); got != want {
					t.Errorf("without a server %s is %v, want %v", series, got, want)
				}
			}
			if got := w.metric(`voicemail_relay_failed_operations_total{operation="publish a verdict"}`); got < 3 {
				t.Errorf("%v tries to publish have failed in a minute, want several", got)
			}
			w.startServer()
			w.one(time.Minute)
			pass(30 * time.Second)
			if got := w.metric("voicemail_relay_nats_reconnects_total") - before; got != 1 {
				t.Errorf("it has reconnected %v times, want once", got)
			}
			for series, want := range map[string]float64{"voicemail_relay_nats_connected": 1, "voicemail_relay_in_hand_calls": 0, `voicemail_relay_stuck_calls{operation="publish a verdict"}`: 0} {
				if got := w.metric(series); got != want {
					t.Errorf("when the server is back %s is %v, want %v", series, got, want)
				}
			}
			if now := w.metric("voicemail_relay_levels_timestamp_seconds"); now <= read {
				t.Error("when the server is back the levels are not read any more")
			}
		})
	})
}

// askBudget wants a request of the account's budget, as a call in line does.
func (w *world) askBudget() {
	p := w.daemon.purses[testApp]
	if ok, probe, _ := p.Acquire(); ok {
		p.Release(probe)
	}
}

// A budget that nobody can read is told, and so is that it is back.
func TestMetricsTellOfALostBudget(t *testing.T) {
	reachable := fmt.Sprintf(`voicemail_relay_budget_reachable{account=%q}`, testApp)
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.NotYet())
		w.session("s1")
		pass(10 * time.Second)
		w.stopServer()
		w.askBudget()
		pass(20 * time.Second)
		if got := w.metric(reachable); got != 0 {
			t.Errorf("%s is %v, want 0", reachable, got)
		}
		w.startServer()
		pass(20 * time.Second)
		w.askBudget()
		pass(20 * time.Second)
		if got := w.metric(reachable); got != 1 {
			t.Errorf("when it is back %s is %v, want 1", reachable, got)
		}
		w.one(time.Hour)
	})
}

// The age of a line is that of the call that is longest in it.
func TestMetricsTellTheAgeOfALine(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=10", "wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 50 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(2 * time.Minute)
		w.levels(func() {
			if got := w.metric(fmt.Sprintf(`voicemail_relay_line_oldest_seconds{account=%q,class="first"}`, testApp)); got < 110 || got > 130 {
				t.Errorf("the oldest in line is said to be there for %v s, want about two minutes", got)
			}
			if got := w.metric(fmt.Sprintf(`voicemail_relay_line_oldest_seconds{account=%q,class="last"}`, testApp)); got != 0 {
				t.Errorf("the oldest of class last is said to be there for %v s, and there is none", got)
			}
			w.await(50, time.Hour)
			pass(6 * time.Second)
			if got := w.metric(fmt.Sprintf(`voicemail_relay_line_oldest_seconds{account=%q,class="first"}`, testApp)); got != 0 {
				t.Errorf("of an empty line the oldest is said to be there for %v s, want 0", got)
			}
		})
	})
}
