package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/settings"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func (w *world) replay(r replaying) (stdout, stderr string, err error) {
	w.t.Helper()
	return w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		if err := r.check(s); err != nil {
			return err
		}
		return a.failedReplay(ctx, s, js, r)
	})
}

// replays wants a replay to succeed and to say something.
func (w *world) replays(r replaying, want string) {
	w.t.Helper()
	out, errs, err := w.replay(r)
	if err != nil || !strings.Contains(out, want) {
		w.t.Errorf("replay says %q and %q, error %v; want %q", out, errs, err, want)
	}
}

func (w *world) purge(p purging) (stdout, stderr string, err error) {
	w.t.Helper()
	return w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		if err := p.check(); err != nil {
			return err
		}
		return a.failedPurge(ctx, s, js, p)
	})
}

// ids counts verdicts by their id.
func (w *world) ids() map[string]int {
	w.t.Helper()
	ids := map[string]int{}
	for _, v := range w.verdicts() {
		ids[v.header.Get("Nats-Msg-Id")]++
	}
	return ids
}

// stored is the last sequence of a stream.
func (w *world) stored(stream string) uint64 {
	w.t.Helper()
	synctest.Wait() // see verdicts
	s, err := w.js.Stream(context.Background(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

func TestThousandLettersReplayedTwiceAreToldOnce(t *testing.T) {
	const calls = 1000
	inWorld(t, []string{"wait.first=0s", "log.level=info"}, func(w *world) {
		w.emu.ScriptEvery(emu.Failed(), emu.Ready("x"))
		for i := range calls {
			w.session(fmt.Sprintf("s%04d", i))
		}
		w.await(calls, time.Minute)
		before := w.stored("CALLS")
		w.replays(replaying{picking: picking{all: true}, dryRun: true}, fmt.Sprintf("would replay %d letters", calls))
		if now := w.stored("CALLS"); now != before {
			t.Errorf("a dry run published %d calls", now-before)
		}
		w.replays(replaying{picking: picking{all: true}}, fmt.Sprintf("replayed %d letters\n", calls))
		if _, _, err := w.replay(replaying{picking: picking{reason: "rejected"}}); err != nil { // some are settled by now, some are on their way
			t.Error(err)
		}
		w.await(2*calls, time.Minute)
		pass(time.Hour)
		w.replays(replaying{picking: picking{all: true}}, fmt.Sprintf("replayed 0 letters; skipped %d replayed and settled since", calls))
		if out, errs := w.list(listing{}); !strings.Contains(errs, fmt.Sprintf("%d letters, %d replayed and settled since", calls, calls)) || !strings.Contains(out, "(replayed since: ready)") {
			t.Errorf("the list does not tell that all are settled: %s", errs)
		}
		w.halt()
		pass(8 * 24 * time.Hour)
		w.start()
		if kv, err := w.js.KeyValue(context.Background(), "VOICEMAIL_LEDGER"); err != nil {
			t.Error(err)
		} else if _, err := kv.Get(context.Background(), key("st-1", "s0000")); !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Errorf("the ledger says %v after 8 days, want it to have forgotten", err)
		}
		// No ledger and no window folds a verdict's id any more: the stream itself knows.
		w.replays(replaying{picking: picking{all: true}}, fmt.Sprintf("replayed 0 letters; skipped %d replayed and settled since", calls))
		pass(time.Hour)
		ids := w.ids()
		for i := range calls {
			k := key("st-1", fmt.Sprintf("s%04d", i))
			if ids[k] != 1 || ids[k+"/r1"] != 1 {
				t.Fatalf("session %d was told %d times, and %d times by its replay; want once each", i, ids[k], ids[k+"/r1"])
			}
		}
		if len(ids) != 2*calls {
			t.Errorf("%d verdicts, want exactly %d", len(ids), 2*calls)
		}
		if got := w.emu.Requests(); got != 2*calls {
			t.Errorf("%d requests, want one for each call and one for each replay", got)
		}
	})
}

func TestReplayOfReplay(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.Script("s1", emu.Failed(), emu.Failed(), emu.NoTranscript(), emu.Ready("x"))
		w.call(`{"botId":"st-1","sessionId":"s1","z":1.0e2,"caller":"+15550100", "deep" : {"a":[1, 2 ,"\u00e9"]},"endedAt":"`+w.began.Add(-time.Hour).UTC().Format(time.RFC3339)+`"}`,
			"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		w.await(1, time.Minute)
		w.replays(replaying{picking: picking{sequences: []uint64{1}}}, "replayed 1 letter\n")
		w.await(2, time.Minute)
		w.replays(replaying{picking: picking{sequences: []uint64{1}}}, "replayed 0 letters; skipped 1 replayed and settled since")
		// Whoever reports it all the same is folded.
		w.call(`{"botId":"st-1","sessionId":"s1"}`, "Voicemail-Relay-Replay", "1")
		pass(time.Minute)
		if vs := w.verdicts(); len(vs) != 2 || vs[1].subject != "voicemail.failed" {
			t.Fatalf("%d verdicts, want the letter and that of its replay", len(vs))
		}
		w.replays(replaying{picking: picking{all: true}}, "replayed 1 letter; skipped 1 replayed and settled since")
		vs := w.await(3, time.Hour)
		if id := vs[2].header.Get("Nats-Msg-Id"); id != key("st-1", "s1")+"/r2" || vs[2].subject != "voicemail.ready" {
			t.Errorf("the replay of a replay is told on %s under %s", vs[2].subject, id)
		}
		if want := `"call":{"z":1.0e2,"caller":"+15550100","deep":{"a":[1, 2 ,"\u00e9"]}}`; !strings.Contains(string(vs[2].body), want) {
			t.Errorf("the publisher's fields are not what they were: %s", vs[2].body)
		}
		if got := vs[2].header["traceparent"]; len(got) != 1 || !strings.HasPrefix(got[0], "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
			t.Errorf("the trace is not continued: %q", got)
		}
	})
}

func TestReplayDecidesWithOneRequestWhatIsOldAndWaitsForWhatIsNot(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Failed(), emu.NotYet())
		w.session("old")
		w.await(1, time.Minute)
		pass(time.Hour)
		w.session("young")
		w.await(2, time.Minute)
		w.replays(replaying{picking: picking{all: true}}, "replayed 2 letters\n")
		vs := w.await(4, time.Hour)
		if vs[2].str("sessionId") != "old" || vs[2].num("requests") != 1 || vs[2].subject != "voicemail.absent" {
			t.Errorf("told %s %s, want the old call absent after one request", vs[2].subject, vs[2].body)
		}
		if vs[3].num("requests") < 5 || vs[3].at.Sub(vs[2].at) < 9*time.Minute {
			t.Errorf("told %s, want the young call waited for as usual", vs[3].body)
		}
	})
}

func TestReplayKeepsItsPace(t *testing.T) {
	inWorld(t, []string{"wait.first=0s"}, func(w *world) {
		w.emu.ScriptEvery(emu.Failed(), emu.Ready("x"))
		for i := range 21 {
			w.session(fmt.Sprint("s", i))
		}
		w.await(21, time.Minute)
		start := time.Now()
		_, errs, err := w.replay(replaying{picking: picking{all: true}, rate: 2})
		if took := time.Since(start); err != nil || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("21 letters at 2 a second took %s, error %v; want 10 s", took, err)
		}
		if !strings.Contains(errs, "replayed 10 of 21") && !strings.Contains(errs, "replayed 11 of 21") {
			t.Errorf("the progress is %q", errs)
		}
	})
}

func TestMalformedLettersAreReplayedAsTheyWere(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limitMessages("VOICEMAILS", 8000)
		w.call("no call")
		w.call(strings.Repeat("no call ", 5000))
		w.await(2, time.Minute)
		w.replays(replaying{picking: picking{all: true}}, "replayed 0 letters; skipped 2 malformed")
		out, errs, err := w.replay(replaying{picking: picking{reason: "malformed"}})
		if err == nil || !strings.Contains(out, "replayed 1 letter; skipped 1 cannot be replayed") || !strings.Contains(errs, "letter 2: only the beginning") {
			t.Errorf("replay says %q and %q, error %v", out, errs, err)
		}
		if vs := w.await(3, time.Minute); vs[2].str("raw") != vs[0].str("raw") || vs[2].header.Get("Nats-Msg-Id") == vs[0].header.Get("Nats-Msg-Id") {
			t.Errorf("what came of it is %s, want the same bytes under an id of its own", vs[2].body)
		}
		if _, _, err := w.replay(replaying{picking: picking{sequences: []uint64{1, 99}}}); err == nil || !strings.Contains(err.Error(), "nothing was done") {
			t.Errorf("a letter that is not there: %v", err)
		}
		if n := w.stored("CALLS"); n != 3 {
			t.Errorf("%d calls were published, want 3", n)
		}
	})
}

func TestReplayThatStopsSaysHowFarItCame(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Failed())
		for i := range 10 {
			w.session(fmt.Sprint("s", i))
		}
		w.await(10, time.Minute)
		w.halt()
		s, err := w.js.Stream(context.Background(), "CALLS")
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs, cfg.Discard = 4, jetstream.DiscardNew // in a bubble an update lets go of what is stored: the server takes the age of it from outside
		if _, err := w.js.UpdateStream(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		out, _, err := w.replay(replaying{picking: picking{all: true}, asJSON: true})
		if err == nil || !strings.Contains(err.Error(), " of 10 letters replayed, then it stopped") || !strings.Contains(err.Error(), "run it again") || !strings.Contains(out, `"letters":10`) {
			t.Errorf("%s, error %v", out, err)
		}
		cfg.MaxMsgs = -1
		if _, err := w.js.UpdateStream(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		w.replays(replaying{picking: picking{all: true}}, "replayed 10 letters\n")
		w.start()
		w.await(20, time.Minute)
		pass(time.Hour)
		if vs := w.verdicts(); len(vs) != 20 {
			t.Errorf("%d verdicts, want 20: what was replayed twice is folded", len(vs))
		}
	})
}

func TestPurgeKeepsWhatTheLedgerDoesNotHold(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Failed())
		for i := range 3 {
			w.session(fmt.Sprint("s", i))
		}
		w.call("no call")
		vs := w.await(4, time.Minute)
		kv, err := w.js.KeyValue(context.Background(), "VOICEMAIL_LEDGER")
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Purge(context.Background(), key("st-1", "s1")); err != nil {
			t.Fatal(err)
		}
		out, _, err := w.purge(purging{picking: picking{all: true}, dryRun: true})
		if err == nil || !strings.Contains(out, "would delete 3 letters") || len(w.verdicts()) != len(vs) {
			t.Errorf("a dry run says %q, error %v, and leaves %d letters", out, err, len(w.verdicts()))
		}
		out, errs, err := w.purge(purging{picking: picking{all: true}, yes: true})
		if err == nil || !strings.Contains(out, "deleted 3 letters") || !strings.Contains(errs, "(s1 of st-1) is kept") {
			t.Errorf("purge says %q and %q, error %v", out, errs, err)
		}
		if out, _ := w.list(listing{}); strings.Count(out, "\n") != 2 || !strings.Contains(out, " s1 ") {
			t.Errorf("left are\n%s\nwant s1 alone", out)
		}
		for i := range 3 { // reported again: the ledger folds those, the verdict's id this
			w.session(fmt.Sprint("s", i))
		}
		pass(time.Hour)
		if out, _ := w.list(listing{}); strings.Count(out, "\n") != 2 {
			t.Errorf("after reporting all again the letters are\n%s\nwant s1 alone", out)
		}
		if out, _, err := w.purge(purging{picking: picking{olderThan: 30 * time.Minute}, yes: true}); err != nil || !strings.Contains(out, "deleted 1 letter") {
			t.Errorf("now that the ledger holds it again, purge says %q, error %v", out, err)
		}
	})
}
