package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// requestsSince counts the emulator's requests from a time on.
func (w *world) requestsSince(t time.Time) (n int) {
	for _, r := range w.emu.Log() {
		if !r.At.Before(t) {
			n++
		}
	}
	return n
}

func TestReplicasShareTheBudget(t *testing.T) {
	inEmptyWorld(t, []string{"smartassist.rate_limit=120", "wait.first=0s", "log.level=info"}, func(w *world) {
		a, b := w.replica(), w.replica()
		a.awaitReady(t)
		b.awaitReady(t)
		w.daemon = b.daemon
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 1000 {
			w.session(fmt.Sprint("s", i))
		}
		pass(3 * time.Minute)
		if got := w.emu.MaxIn60s(); got > 120 {
			t.Errorf("two replicas made %d requests within 60 s, want at most 120 together", got)
		}
		if got := w.requestsSince(time.Now().Add(-2 * time.Minute)); got < 2*108 {
			t.Errorf("two replicas made %d requests in two minutes, want over nine tenths of 240", got)
		}
		for _, r := range []*replica{a, b} {
			if n := r.daemon.purses[testApp].Snapshot(); n.Rate <= 0 {
				t.Errorf("a replica spends %v", n)
			}
		}
		a.kill()
		pass(time.Minute) // what it had in hand is handed out again after ack_wait
		from := time.Now()
		pass(2 * time.Minute)
		if got := w.requestsSince(from); got < 2*108 {
			t.Errorf("one killed, the other made %d requests in two minutes, want over nine tenths of 240", got)
		}
		if got := w.emu.MaxIn60s(); got > 120 {
			t.Errorf("%d requests within 60 s, want at most 120", got)
		}
		pass(5 * time.Minute)
		if n := len(w.verdicts()); n != 1000 {
			t.Errorf("%d verdicts, want 1000", n)
		}
		if err := b.terminate(); err != nil {
			t.Error(err)
		}
		<-a.ended
	})
}

// What the API says to one replica holds for all, and who was turned away keeps his place.
func TestOverTheLimitPausesEveryReplica(t *testing.T) {
	inEmptyWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s"}, func(w *world) {
		a, b := w.replica(), w.replica()
		a.awaitReady(t)
		b.awaitReady(t)
		w.daemon = a.daemon
		w.emu.ScriptEvery(emu.Ready("x"))
		w.emu.Script("s20", emu.RateLimited("45"), emu.Ready("x"))
		for i := range 60 {
			w.session(fmt.Sprint("s", i))
		}
		var turned time.Time
		for turned.IsZero() {
			pass(100 * time.Millisecond)
			for _, r := range w.emu.Log() {
				if r.Session == "s20" {
					turned = r.At
				}
			}
		}
		pass(time.Minute)
		var next []string
		for _, r := range w.emu.Log() {
			if since := r.At.Sub(turned); since > 500*time.Millisecond {
				if len(next) == 0 && (since < 45*time.Second || since > 50*time.Second) {
					t.Errorf("the API was asked again after %s, want after the 45 s that it said to one replica", since)
				}
				next = append(next, r.Session)
			}
		}
		if i := slices.Index(next, "s20"); i < 0 || i > 6 { // one replica has it in hand, and the budget is drawn by lot: each further place is some five times less likely
			t.Errorf("the calls after the pause are %v, want the one that was turned away among the first", next)
		}
		for _, v := range w.await(60, time.Hour) {
			if want := map[bool]int{true: 2, false: 1}[v.str("sessionId") == "s20"]; v.num("requests") != want {
				t.Errorf("%s cost %d requests, want %d", v.str("sessionId"), v.num("requests"), want)
			}
		}
		for _, r := range []*replica{a, b} {
			if err := r.terminate(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOverTheLimitWithoutAWordPausesToTheEndOfTheMinute(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s"}, func(w *world) {
		w.emu.Script("s0", emu.RateLimitText(400), emu.Ready("x"))
		w.emu.Script("s1", emu.Ready("x"))
		w.session("s0")
		pass(2 * time.Second)
		w.session("s1")
		began := time.Now()
		w.await(2, 2*time.Minute)
		first := w.emu.Log()[1]
		if minute := began.Truncate(time.Minute).Add(time.Minute); first.At.Before(minute) || first.At.Sub(minute) > 5*time.Second {
			t.Errorf("asked again at %s, want right after %s", first.At.Format("04:05.000"), minute.Format("04:05"))
		}
		if got := metricsText(t, w.daemon); !strings.Contains(got, `voicemail_relay_requests_total{account="`+testApp+`",result="limited"} 1`) {
			t.Error("no metric tells of it")
		}
	})
}

// An API that does not answer closes its account alone: it is tried with one call at a time, and everything flows on when it is back.
func TestDeadHostParksItsAccountAlone(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", unlimited}, func(w *world) {
		w.emu.ScriptBot("st-1", emu.ServerError(503))
		w.emu.ScriptBot("st-fast-1", emu.Ready("x"))
		for i := range 300 {
			w.session(fmt.Sprint("s", i))
		}
		pass(time.Minute)
		before := w.requestsSince(w.began)
		pass(10 * time.Minute)
		if got := w.requestsSince(w.began) - before; got > 40 {
			t.Errorf("%d requests in ten minutes while the API is down, want a probe now and then", got)
		}
		w.call(`{"botId":"st-fast-1","sessionId":"f"}`)
		if v := w.one(time.Second); v.str("sessionId") != "f" || v.subject != "voicemail.ready" {
			t.Errorf("%s of %s, want the other account's call", v.subject, v.str("sessionId"))
		}
		if err := w.daemon.bus.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		log := w.log.String()
		if n := strings.Count(log, `"level":"error"`); n != 1 || !strings.Contains(log, "check the account's base_url") {
			t.Errorf("%d lines of error, want one with the cure:\n%s", n, log)
		}
		if got := metricsText(t, w.daemon); !strings.Contains(got, `voicemail_relay_account_state{account="`+testApp+`",state="down"} 1`) {
			t.Error("no metric tells of it")
		}
		w.emu.ScriptBot("st-1", emu.Ready("x"))
		w.await(301, 10*time.Minute)
	})
}

func TestWhoWaitsForADeadHostGivesUpInTime(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", "retry.give_up_after=1h", "retry.max=1m"}, func(w *world) {
		w.emu.ScriptEvery(emu.HTML(502))
		for i := range 100 {
			w.session(fmt.Sprint("s", i))
		}
		pass(50 * time.Minute)
		if n := len(w.verdicts()); n > 0 {
			t.Errorf("%d calls gave up before their time", n)
		}
		for _, v := range w.await(100, 20*time.Minute) {
			if v.str("reason") != "gave_up" {
				t.Errorf("%s: %s %s, want gave_up", v.str("sessionId"), v.subject, v.str("reason"))
			}
		}
	})
}

// 300 calls that hang hold no more seats than their share.
func TestSlowAccountDelaysNobodyElse(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", unlimited, "calls.concurrency=40", "smartassist.timeout=10s"}, func(w *world) {
		w.emu.ScriptBot("st-1", emu.Hang())
		w.emu.ScriptBot("st-fast-1", emu.Ready("x"))
		for i := range 300 {
			w.session(fmt.Sprint("s", i))
		}
		pass(2 * time.Second)
		began := time.Now()
		for i := range 100 {
			w.call(fmt.Sprintf(`{"botId":"st-fast-1","sessionId":"f%d"}`, i))
		}
		w.await(100, 2*time.Second)
		if d := time.Since(began); d > time.Second {
			t.Errorf("100 calls of the other account took %s beside 300 that hang", d)
		}
	})
}

// What is learned stands in the bucket: a new process plans by it at once.
func TestWhatWasLearnedSurvivesARestart(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60", "log.level=info"}, func(w *world) {
		for i := range 40 {
			s := fmt.Sprint("s", i)
			w.emu.Script(s, emu.NotYet(), emu.Ready("x"))
			w.session(s)
			pass(5 * time.Second)
		}
		w.await(40, time.Hour)
		if p := w.daemon.lessons[testApp].Snapshot(); p.Price == 0 {
			t.Errorf("after 40 voicemails nothing is planned: %+v", p)
		}
		w.halt()
		w.start()
		pass(15 * time.Second)
		if p := w.daemon.lessons[testApp].Snapshot(); p.Price == 0 || p.Share < .4 {
			t.Errorf("after a restart nothing is planned: %+v", p)
		}
	})
}

// Two real processes and 120 requests a minute; one is killed.
func TestProcessesShareTheBudget(t *testing.T) {
	t.Parallel() // it mostly waits
	if !*stormLong {
		t.Skip("takes six minutes: -storm.long")
	}
	s := newStorm(t, newNodeUnlessShort(t), "--smartassist.rate_limit", "120")
	s.relays = []*process{s.relay(), s.relay()}
	for i := range 1500 {
		s.confirm(fmt.Appendf(nil, `{"botId":"st-1","sessionId":"s%d"}`, i))
	}
	used := func(d time.Duration) int {
		before := s.api.Requests()
		<-time.After(d)
		return s.api.Requests() - before
	}
	used(time.Minute)
	two := used(2 * time.Minute)
	s.relays[0].end(syscall.SIGKILL)
	one := used(2 * time.Minute)
	most := s.api.MaxIn60s()
	if most > 120 || two < 2*108 || one < 2*108 {
		t.Errorf("at most %d requests within 60 s, %d in two minutes by two processes, %d by the one that is left; want at most 120, and over nine tenths of 240", most, two, one)
	}
	t.Logf("at most %d requests within 60 s, %d in two minutes by two processes, %d by the one that is left", most, two, one)
}
