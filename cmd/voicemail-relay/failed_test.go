package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/settings"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// A command's core, run in a world: what it printed, and its error.
func (w *world) tell(core func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error) (stdout, stderr string, err error) {
	w.t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	err = core(a, context.Background(), w.settings, w.js)
	return out.String(), errs.String(), err
}

func (w *world) list(l listing) (stdout, stderr string) {
	w.t.Helper()
	stdout, stderr, err := w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		if err := l.check(s); err != nil {
			return err
		}
		return a.failedList(ctx, s, js, l)
	})
	if err != nil {
		w.t.Fatalf("failed list: %v", err)
	}
	return stdout, stderr
}

func (w *world) show(seq uint64, reveal, asJSON bool) string {
	w.t.Helper()
	out, _, err := w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		return a.failedShow(ctx, s, js, seq, reveal, asJSON)
	})
	if err != nil {
		w.t.Fatalf("failed show %d: %v", seq, err)
	}
	return out
}

func TestLettersAreListedAndPicked(t *testing.T) {
	inWorld(t, []string{unlimited}, func(w *world) {
		if out, errs := w.list(listing{}); out != "" || errs != "no letters\n" {
			t.Errorf("an empty stream is listed as %q and %q", out, errs)
		}
		w.emu.ScriptEvery(emu.Failed())
		w.emu.Script("good", emu.Ready("x"))
		w.session("good")
		w.session("s1")
		w.await(2, time.Minute)
		pass(2 * time.Hour)
		w.call(`{"botId":"st-fast-1","sessionId":"s2"}`)
		w.call("no call")
		w.await(4, time.Minute)
		rows := []struct {
			name string
			l    listing
			want []string // in each line
		}{
			{"all", listing{}, []string{"SEQ  AGE  REASON     BOT        SESSION  ERROR", "rejected   st-1       s1 ", "malformed  -          -  ", "rejected   st-fast-1  s2"}},
			{"a reason", listing{picking: picking{reason: "malformed"}}, []string{"SEQ", "malformed"}},
			{"older", listing{picking: picking{olderThan: time.Hour}}, []string{"SEQ", " s1 "}},
			{"newer", listing{picking: picking{newerThan: time.Hour, reason: "rejected"}}, []string{"SEQ", " s2 "}},
			{"an account of the list", listing{account: "fast"}, []string{"SEQ", " s2 "}},
			{"the tree's own account", listing{account: testApp}, []string{"SEQ", " s1 "}},
			{"a limit", listing{limit: 1}, []string{"SEQ", " s1 "}},
		}
		for _, row := range rows {
			out, errs := w.list(row.l)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if len(lines) != len(row.want) {
				t.Errorf("%s: %d lines, want %d:\n%s", row.name, len(lines), len(row.want), out)
				continue
			}
			for i, want := range row.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%s: line %d is %q, want %q in it", row.name, i, lines[i], want)
				}
			}
			if want := plural(len(lines)-1, "letter"); !strings.HasPrefix(errs, want) || strings.Contains(errs, "more") != (row.l.limit > 0) {
				t.Errorf("%s: the summary is %q", row.name, errs)
			}
		}
		out, _ := w.list(listing{asJSON: true, picking: picking{reason: "rejected"}, limit: 1})
		var got listed
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.SessionID != "s1" || got.Seq == 0 || !got.Replayable || got.Requests != 1 || got.ID != key("st-1", "s1") || got.Ledger == nil || got.Ledger.State != "this" {
			t.Errorf("as JSON: %v %s", err, out)
		}
		if err := (&listing{account: "slow"}).check(w.settings); err == nil || !strings.Contains(err.Error(), "known are fast, "+testApp) {
			t.Errorf("an unknown account: %v, want the known ones named", err)
		}
		if err := (&listing{account: "slow"}).check(settings.Settings{}); err == nil || !strings.Contains(err.Error(), "no account is set") {
			t.Errorf("without accounts: %v, want that said", err)
		}
	})
}

func TestShowMasksWhatMayBePrivate(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Failed())
		w.call(`{"botId":"st-1","sessionId":"s1","caller":"+15550100","crm":{"name":"canary-token"}}`, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		w.await(1, time.Minute)
		w.call("+15550100 called")
		w.await(2, time.Minute)
		for _, asJSON := range []bool{false, true} {
			for seq, private := range []string{"", "+15550100", "KzE1NTUwMTAwIGNhbGxlZA=="} {
				if seq == 0 {
					continue
				}
				if !asJSON && seq == 2 {
					private = "+15550100 called"
				}
				if out := w.show(uint64(seq), false, asJSON); strings.Contains(out, private) || strings.Contains(out, "canary-token") || !strings.Contains(out, "***") {
					t.Errorf("masked letter %d (json %v) shows what is private:\n%s", seq, asJSON, out)
				}
				if out := w.show(uint64(seq), true, asJSON); !strings.Contains(out, private) || strings.Contains(out, "***") {
					t.Errorf("revealed letter %d (json %v) lacks %q:\n%s", seq, asJSON, private, out)
				}
			}
		}
		out := w.show(1, false, false)
		for _, want := range []string{"caller", "crm", "rejected", "rejected (1 request)", "ce-id", "traceparent", key("st-1", "s1") + "/r1"} {
			if !strings.Contains(out, want) {
				t.Errorf("letter 1 lacks %q:\n%s", want, out)
			}
		}
		_, _, err := w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
			return a.failedShow(ctx, s, js, 99, false, false)
		})
		if err == nil || !strings.Contains(err.Error(), "no message 99") {
			t.Errorf("a letter that is not there: %v", err)
		}
	})
}
