package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// unlimited is a second account beside the tree's own; its bots are st-fast*.
var unlimited = fmt.Sprintf("accounts:\n- name: fast\n  bots: [\"st-fast*\"]\n  base_url: http://127.0.0.1:1\n  app_id: %s\n  app_secret: %s\n  rate_limit: 0\n", testApp, testSecret)

func TestCallsBeyondTheBudgetStandInLineInOrder(t *testing.T) {
	calls := 5000
	if testing.Short() {
		calls = 500
	}
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s", unlimited, "log.level=info", "smartassist.concurrency=1"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range calls {
			w.session(fmt.Sprintf("s%05d", i))
		}
		pass(time.Second)
		early := w.waiting("voicemail.work.due.*.first.*")
		if early < calls-10 {
			t.Errorf("%d calls stand in line a second later, want nearly all of %d", early, calls)
		}
		c, err := w.js.Consumer(context.Background(), "CALLS", "voicemail-relay")
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := c.Info(context.Background()); info.NumAckPending != 0 || info.NumPending != 0 {
			t.Errorf("call.ended has %d pending and %d unacknowledged, want none: parking is no work", info.NumPending, info.NumAckPending)
		}
		before := len(w.verdicts())
		w.call(`{"botId":"st-fast-1","sessionId":"fast"}`)
		pass(time.Second)
		passed := false
		for _, v := range w.verdicts()[before:] {
			passed = passed || v.str("sessionId") == "fast"
		}
		if !passed {
			t.Errorf("the unlimited account's call did not pass within a second")
		}
		pass(10 * time.Minute)
		var order []string
		for _, v := range w.verdicts() {
			if s := v.str("sessionId"); s != "fast" {
				order = append(order, s)
			}
		}
		if len(order) < 500 || len(order) > 620 {
			if calls > 620 || len(order) < calls {
				t.Errorf("%d calls were asked for in ten minutes, want nearly 60 a minute", len(order))
			}
		}
		for i, s := range order {
			if want := fmt.Sprintf("s%05d", i); s != want {
				t.Errorf("call %d told is %s, want %s: first come, first served", i, s, want)
				break
			}
		}
		if got := w.emu.MaxIn60s(); got > 61 { // the fast account's one request is among them
			t.Errorf("%d requests within 60 s, want at most 60 of the limited account", got)
		}
	})
}

func TestBudgetIsKeptWhateverHappens(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60"}, func(w *world) {
		for i := range 120 {
			s := fmt.Sprintf("s%d", i)
			switch i % 4 {
			case 0:
				w.emu.Script(s, emu.ServerError(503), emu.Reset(), emu.NotYet(), emu.Ready("x")) // quick retries cost budget too
			case 1:
				w.emu.Script(s, emu.NotYet())
			case 2:
				w.emu.Script(s, emu.NoTranscript(), emu.Ready("x"))
			default:
				w.emu.Script(s, emu.Ready("x"))
			}
			w.session(s)
		}
		pass(2 * time.Minute)
		w.halt()
		w.start() // a new process must not spend its burst once more
		w.await(120, 2*time.Hour)
		if got := w.emu.MaxIn60s(); got > 60 || got < 54 {
			t.Errorf("at most %d requests within any 60 s, want 54 to 60", got)
		}
		total := 0
		for _, v := range w.verdicts() {
			total += v.num("requests")
		}
		if got := w.emu.Requests(); got != total {
			t.Errorf("%d requests at the API, the events say %d", got, total)
		}
	})
}

func TestFreshCallsPassTenThousandThatWait(t *testing.T) {
	waiting, fresh := 10_000, 1000
	if testing.Short() {
		waiting, fresh = 1000, 100
	}
	inWorld(t, []string{"wait.max=30m", "wait.recording_for=1h", "log.level=info"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		w.emu.ScriptBot("st-old", emu.NotYet())
		old := time.Now().Add(-40 * time.Minute).UTC().Format(time.RFC3339)
		for i := range waiting {
			w.call(fmt.Sprintf(`{"botId":"st-old","sessionId":"w%d","endedAt":%q}`, i, old))
		}
		pass(time.Minute)
		if got := w.waiting("voicemail.work.wait.>"); got != waiting {
			t.Fatalf("%d calls wait, want %d", got, waiting)
		}
		long := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339) // need not wait
		start := time.Now()
		for i := range fresh {
			w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"f%d","endedAt":%q}`, i, long))
		}
		w.await(fresh, 5*time.Second)
		t.Logf("%d fresh calls took %s of virtual time", fresh, time.Since(start))
		if got := w.emu.Requests(); got != waiting+fresh {
			t.Errorf("%d requests, want %d", got, waiting+fresh)
		}
	})
}

func TestAccountThatIsRefusedWaitsGentlyAndRecovers(t *testing.T) {
	inWorld(t, []string{unlimited}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		w.emu.SetCredentials(testApp, "another-secret")
		for i := range 200 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(20 * time.Second)
		before := w.emu.Requests()
		pass(time.Hour)
		if got := w.emu.Requests() - before; got > 70 {
			t.Errorf("%d requests in an hour of refusal, want gentle probes, not one per call", got)
		}
		if err := w.daemon.bus.Ready(); err != nil {
			t.Errorf("not ready: %v; a refused account is no reason", err)
		}
		if n := strings.Count(w.log.String(), "refuses an account's credentials"); n < 1 || n > 2 {
			t.Errorf("%d log lines about the refused account, want one for each", n)
		}
		if !strings.Contains(metricsText(t, w.daemon), `voicemail_relay_account_state{account="`+testApp+`",state="refused"} 1`) {
			t.Errorf("no metric says that the account is refused")
		}
		w.emu.SetCredentials(testApp, testSecret)
		w.await(200, 10*time.Minute)
		for _, v := range w.verdicts() {
			if v.subject != "voicemail.ready" {
				t.Fatalf("told %s, want ready", v.body)
			}
		}
	})
}

func TestLineOfARenamedAccountIsMoved(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.NotYet(), emu.NoTranscript(), emu.Ready("x"))
		for i := range 250 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(20 * time.Second) // asked once, the next appointment is made
		w.halt()
		pass(time.Hour)
		w.settings.SmartAssist.Name = "renamed"
		w.start()
		w.await(250, 10*time.Minute)
		for _, v := range w.verdicts() {
			if v.subject != "voicemail.ready" || v.num("requests") != 3 {
				t.Fatalf("told %s, want ready with the history kept: 3 requests", v.body)
			}
		}
		if n := w.waiting("voicemail.work.>"); n != 0 {
			t.Errorf("%d messages left in the line, want 0", n)
		}
	})
}

// A head that was in hand when the relay stopped does not keep the others of a renamed account's line from being moved.
func TestLineOfARenamedAccountIsMovedWithItsHead(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 50 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(5 * time.Second)
		w.halt()
		pass(5 * time.Minute)
		w.settings.SmartAssist.Name = "renamed"
		w.start()
		w.await(50, time.Hour)
		if got := w.waiting("voicemail.work.>"); got != 0 {
			t.Errorf("%d calls are left in the work stream", got)
		}
	})
}

// Calls that wait in the line of an account which serves their bot no longer are not asked for out of its budget.
func TestBotsThatMoveAreAskedForByTheirNewAccountsBudget(t *testing.T) {
	fast := fmt.Sprintf("accounts:\n- name: fast\n  bots: [\"st-1\"]\n  base_url: http://127.0.0.1:1\n  app_id: %s\n  app_secret: %s\n  rate_limit: 0\n", testApp, testSecret)
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=20s", fast}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 300 {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(5 * time.Second)
		w.halt()
		w.settings.Accounts[0].Bots = []string{"st-other"}
		w.start()
		w.await(300, 2*time.Hour)
		if got := w.emu.MaxIn60s(); got > 60 {
			t.Errorf("%d requests in 60 s of the account that is limited to 60", got)
		}
	})
}

// What was granted while the ledger did not answer is not asked for in one moment when it does.
func TestBudgetIsKeptAfterTheLedgerStoodStill(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 300 {
			w.session(fmt.Sprintf("s%d", i))
		}
		for range 5 {
			pass(90 * time.Second)
			w.relay.cables.lose("KV_VOICEMAIL_LEDGER")
			pass(60 * time.Second)
			w.relay.cables.lose("")
		}
		w.await(300, 2*time.Hour)
		if w.most > 60 {
			t.Errorf("%d requests in 60 s, want at most 60", w.most)
		}
	})
}

// TestFreshCallsKeepTheirPaceWhileAllThatWaitComeDue has the line take every seat, and then fresh calls come: they get most of the seats, and none of
// them is stored only to be read again.
func TestFreshCallsKeepTheirPaceWhileAllThatWaitComeDue(t *testing.T) {
	const seats, waiting, fresh = 8, 240, 160
	took := 200 * time.Millisecond
	inWorld(t, []string{"wait.first=20s", "calls.concurrency=8", "smartassist.concurrency=8", "log.level=info"}, func(w *world) {
		w.emu.ScriptEvery(emu.Slow(took, emu.Ready("x")))
		for i := range waiting {
			w.session(fmt.Sprintf("w%d", i))
		}
		pass(20*time.Second + took/2)
		long := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339) // need not wait
		for i := range fresh {
			w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"f%d","endedAt":%q}`, i, long))
		}
		alone := took * fresh / seats
		pass(alone * 5 / 4)
		told := map[string]int{}
		for _, v := range w.verdicts() {
			told[v.str("sessionId")[:1]]++
		}
		if told["f"] != fresh {
			t.Errorf("%d of %d fresh calls were told in %s, want all: alone they take %s", told["f"], fresh, alone*5/4, alone)
		}
		if told["w"] < fresh/10 {
			t.Errorf("%d that waited were told meanwhile, want an eighth at least of what fresh calls get", told["w"])
		}
		if m := metricsText(t, w.daemon); strings.Contains(m, `appointments_total{why="in line"}`) {
			t.Errorf("a fresh call was stored to stand in line, though seats become free all the time")
		}
		pass(took * waiting / seats * 5 / 4)
		if got := len(w.verdicts()); got != waiting+fresh {
			t.Errorf("%d verdicts in the end, want %d", got, waiting+fresh)
		}
	})
}

// TestFreshCallsInStockStayThere has far more of them come than seats: they are left at the server until seats become free, and not stored in the
// line instead.
func TestFreshCallsInStockStayThere(t *testing.T) {
	const most, calls = 64, 20 * 64
	inEmptyWorld(t, []string{"wait.first=0s", fmt.Sprintf("calls.concurrency=%d", most), "log.level=info"}, func(w *world) {
		w.emu.ScriptEvery(emu.Slow(200*time.Millisecond, emu.Ready("x")))
		var lined atomic.Int64
		w.observe = func(s bus.Settlement) {
			if l, ok := s.Outcome.(*relay.Later); ok && l.Why == "in line" {
				lined.Add(1)
			}
		}
		w.start()
		for i := range calls {
			w.session(fmt.Sprintf("s%d", i))
		}
		pass(time.Minute)
		if got := len(w.verdicts()); got != calls {
			t.Errorf("%d verdicts, want %d", got, calls)
		}
		if n := lined.Load(); n > most { // those that the first pull had too many of
			t.Errorf("%d of %d calls were stored to stand in line, want at most %d", n, calls, most)
		}
		w.halt()
	})
}
