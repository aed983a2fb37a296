package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"

	"voicemail-relay/internal/relay"
)

func TestExplainTellsEachStage(t *testing.T) {
	inWorld(t, []string{"smartassist.rate_limit=60"}, func(w *world) {
		ctx := context.Background()
		explain := func(session string) (string, error) {
			var out, errs bytes.Buffer
			a := &app{stdout: &out, stderr: &errs}
			err := a.explain(ctx, w.settings, w.js, relay.Call{Bot: "st-1", Session: session}, false)
			return out.String(), err
		}
		if out, err := explain("s1"); err == nil || !strings.Contains(err.Error(), "nothing is known of this session") || out != "" {
			t.Errorf("an unknown session: %q, %v", out, err)
		}
		w.emu.Script("s1", emu.MediaInProgress(), emu.ServerErrorRetryAfter(503, "60"), emu.Ready("canary-transcript"))
		w.call(`{"botId":"st-1","sessionId":"s1","caller":"+15550100"}`)
		stages := []struct {
			after time.Duration
			want  []string
		}{
			{5 * time.Second, []string{"received", "next appointment, class first"}},
			{15 * time.Second, []string{"received", "asked: media in progress (1 request)", "next appointment, class again"}},
			{90 * time.Second, []string{"received", "asked: media in progress (1 request)", "asked: error (1 request)"}},
			{10 * time.Minute, []string{"received", "asked: media in progress (1 request)", "asked: error (1 request)", "asked: recording and transcript (1 request)", "verdict: ready, sequence 1, id " + key("st-1", "s1") + ", 3 requests"}},
		}
		for _, s := range stages {
			pass(s.after)
			out, err := explain("s1")
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for i, want := range s.want {
				if i >= len(lines) || !strings.HasSuffix(lines[i], want) {
					t.Errorf("line %d is not %q:\n%s", i, want, out)
				}
			}
			for _, c := range canaries {
				if strings.Contains(out, c) {
					t.Errorf("%s stands in the timeline:\n%s", c, out)
				}
			}
		}
		ledger, err := w.js.KeyValue(ctx, "VOICEMAIL_LEDGER")
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.Purge(ctx, key("st-1", "s1")); err != nil {
			t.Fatal(err)
		}
		if out, err := explain("s1"); err != nil || !strings.Contains(out, "verdict: ready, sequence 1") {
			t.Errorf("the ledger has forgotten it, the stream has not: %q, %v", out, err)
		}
	})
}
