package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func (w *world) explain(session string, asJSON bool) (string, error) {
	w.t.Helper()
	out, _, err := w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		return a.explain(ctx, s, js, relay.Call{Bot: "st-1", Session: session}, asJSON)
	})
	return out, err
}

// explains wants a story to have these moments, in this order, and nothing that is private.
func (w *world) explains(session string, want ...string) {
	w.t.Helper()
	out, err := w.explain(session, false)
	lines := strings.Split(strings.TrimSpace(out), "\n")[1:]
	if err != nil || len(lines) != len(want) {
		w.t.Errorf("%s is explained, error %v, as\n%s\nwant %q", session, err, out, want)
		return
	}
	for i, m := range want {
		if !strings.Contains(lines[i], m) {
			w.t.Errorf("line %d is %q, want %q in it", i, lines[i], m)
		}
	}
	for _, private := range canaries {
		if strings.Contains(out, private) {
			w.t.Errorf("%q is told:\n%s", private, out)
		}
	}
}

func TestExplainTellsEachStage(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		if _, err := w.explain("s1", false); err == nil || !strings.Contains(err.Error(), "no call waits in stream CALLS") || !strings.Contains(err.Error(), "looked through 0 verdicts") {
			t.Errorf("a session that was never reported: %v", err)
		}
		w.emu.Script("s1", emu.NotYet(), emu.ServerError(503), emu.NoTranscript(), emu.Failed(), emu.Ready("canary-transcript"))
		w.call(`{"botId":"st-1","sessionId":"s1","caller":"+15550100"}`)
		pass(time.Second)
		w.explains("s1", "received", "waits     until then, for a request of class first, account "+testApp)
		pass(17 * time.Second)
		w.explains("s1", "received", "asked     nothing yet (1 request)", "waits     until then, for a request of class again")
		w.one(time.Hour)
		out, _ := w.explain("s1", true)
		var st story
		if err := json.Unmarshal([]byte(out), &st); err != nil || !st.Known || st.Ledger == nil || st.Timeline[0].What != "received" || st.Timeline[len(st.Timeline)-1].What != "ready" || st.Lag.Stream != "CALLS" {
			t.Errorf("%v: %s", err, out)
		}
		if text, _ := w.explain("s1", false); !strings.Contains(text, "sequence 1") || strings.Contains(text, "gone from its stream") {
			t.Errorf("its verdict is told as\n%s", text)
		}
	})
}

func TestExplainWithoutTheLedgerEndsWithTheCure(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.halt()
		if err := w.js.DeleteKeyValue(context.Background(), "VOICEMAIL_LEDGER"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.explain("s1", false); err == nil || !strings.HasSuffix(err.Error(), ": run voicemail-relay setup") || !strings.HasPrefix(err.Error(), "there is no bucket VOICEMAIL_LEDGER") {
			t.Errorf("it says %v", err)
		}
	})
}

func TestExplainTellsReplaysAndWhatTheLedgerForgot(t *testing.T) {
	inWorld(t, []string{"wait.first=0s"}, func(w *world) {
		w.emu.Script("s1", emu.Failed(), emu.NotYet())
		w.session("s1")
		w.await(1, time.Minute)
		w.replays(replaying{picking: picking{all: true}}, "replayed 1 letter")
		pass(time.Second)
		w.explains("s1", "received", "asked     rejected", "failed    rejected, 1 request, sequence 1", "received  replay 1", "asked     nothing yet", "waits ")
		if _, _, err := w.purge(purging{picking: picking{all: true}, yes: true}); err != nil {
			t.Error(err)
		}
		w.explains("s1", "received", "asked ", "sequence 1, gone from its stream since", "received  replay 1", "asked ", "waits ")
		pass(time.Hour)
		kv, err := w.js.KeyValue(context.Background(), "VOICEMAIL_LEDGER")
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Purge(context.Background(), key("st-1", "s1")); err != nil {
			t.Fatal(err)
		}
		w.explains("s1", "requests, sequence 2, verdict "+key("st-1", "s1")+"/r1; the ledger has forgotten the rest")
		w.halt()
		w.session("s2")
		pass(time.Second)
		if out, err := w.explain("s2", true); err == nil || !strings.Contains(err.Error(), "has not taken yet (1)") || !strings.Contains(out, `"known":false`) || !strings.Contains(out, `"pending":1`) {
			t.Errorf("a call that nobody has taken: %v\n%s", err, out)
		}
	})
}

// The ledger keeps a session's last verdict alone: those of the rounds before are found in their stream.
func TestExplainTellsEveryRoundOfReplays(t *testing.T) {
	for _, format := range []string{"binary", "structured"} {
		t.Run(format, func(t *testing.T) {
			inWorld(t, []string{"wait.first=0s", "ready.format=" + format}, func(w *world) {
				w.emu.Script("s1", emu.Failed(), emu.Failed(), emu.Ready("canary-transcript"))
				w.session("other")
				w.session("s1")
				w.await(1, time.Minute)
				for round := 2; round <= 3; round++ {
					w.replays(replaying{picking: picking{all: true}}, "replayed 1 letter")
					w.await(round, time.Minute)
				}
				pass(time.Second)
				w.explains("s1", "failed    rejected, 1 request, sequence 1", "failed    rejected, 1 request, sequence 2", "received  replay 2", "asked     recording and transcript", "ready     1 request, sequence 3")
			})
		})
	}
}

func TestExplainTellsThePlaceInLine(t *testing.T) {
	inWorld(t, []string{"wait.first=0s", "smartassist.rate_limit=10"}, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for i := range 40 {
			w.session(fmt.Sprint("s", i))
		}
		w.session("last")
		pass(time.Second)
		out, err := w.explain("last", false)
		if err != nil || !strings.Contains(out, "in line   since then, class first, account "+testApp+"; 0 next; ") || strings.Contains(out, "; 0 first") {
			t.Errorf("%v\n%s", err, out)
		}
		w.halt()
	})
}
