package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

func TestPublishedBody(t *testing.T) {
	rows := []struct {
		name string
		p    publishing
		want string // or what the error says
	}{
		{"ids alone", publishing{}, `{"botId":"b","sessionId":"s"}`},
		{"values keep their bytes", publishing{data: ` {"z":{"b":1.0e2,"a":"<&>\u00e9"},"n": [ 1,2 ] , "a":12345678901234567890} `}, `{"z":{"b":1.0e2,"a":"<&>\u00e9"},"n":[ 1,2 ],"a":12345678901234567890,"botId":"b","sessionId":"s"}`},
		{"a field with an ampersand", publishing{fields: []string{"k<=a&b"}}, `{"k<":"a&b","botId":"b","sessionId":"s"}`},
		{"a field over data", publishing{data: `{"x":1,"botId":"b"}`, fields: []string{"x=2"}, ended: "2026-11-24t10:00:00z", voicemail: "false"}, `{"x":"2","botId":"b","sessionId":"s","endedAt":"2026-11-24t10:00:00z","voicemail":false}`},
		{"the ids once more", publishing{data: `{"sessionId":"s","streamId":"b"}`, fields: []string{"botId=b"}}, `{"sessionId":"s","streamId":"b","botId":"b"}`},
		{"another bot in data", publishing{data: `{"botId":"other"}`}, "--data: its botId is not BOT (b): leave it out, or give the same"},
		{"another by its alias", publishing{data: `{"streamId":"other"}`}, "--data: its streamId is not BOT (b)"},
		{"another session in a field", publishing{fields: []string{"sessionId=other"}}, "--field: its sessionId is not SESSION (s)"},
		{"a number for a bot", publishing{data: `{"botId":7}`}, "--data: its botId is not BOT (b)"},
		{"a brace too many", publishing{data: `{"a":1}}`}, "--data: not a JSON object alone"},
		{"two objects", publishing{data: `{"a":1}{}`}, "--data: not a JSON object alone"},
		{"a cut one", publishing{data: `{"a":1`}, "--data: not a JSON object"},
		{"a list", publishing{data: `[]`}, "--data: not a JSON object"},
		{"null", publishing{data: `null`}, "--data: not a JSON object"},
		{"no UTF-8", publishing{data: "{\"a\":\"\xff\"}"}, "--data: not valid UTF-8"},
		{"an end with a comma", publishing{ended: "2026-11-24T10:00:00,5Z"}, "--ended-at"},
		{"standard input with nothing in it", publishing{data: "-"}, "--data: not a JSON object"},
		{"both ids", publishing{bot: "a b", session: "c..d"}, "BOT holds a character that is not out of A-Z a-z 0-9 . _ : -, and SESSION holds '..'"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.p.bot == "" {
				r.p.bot, r.p.session = "b", "s"
			}
			got, err := r.p.body(strings.NewReader(""))
			if err != nil {
				if !strings.HasPrefix(err.Error(), r.want) {
					t.Errorf("got %v, want %s", err, r.want)
				}
				return
			}
			if string(got) != r.want {
				t.Errorf("got  %s\nwant %s", got, r.want)
			}
			if c, err := relay.Parse(relay.Event{Body: got}); err != nil || c.Bot != "b" || c.Session != "s" {
				t.Errorf("it is read as %+v, %v", c, err)
			}
		})
	}
}

func TestPublishSaysThatStandardInputIsTooLong(t *testing.T) {
	long := `{"a":"` + strings.Repeat("a", relay.MaxBody) + `"}`
	if _, err := (publishing{bot: "b", session: "s", data: "-"}).body(strings.NewReader(long)); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("got %v", err)
	}
}

// announce publishes a session's call as the command does.
func (w *world) announce(p publishing) (stdout, stderr string) {
	w.t.Helper()
	p.bot, p.session = "st-1", "s1"
	body, err := p.body(strings.NewReader(""))
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, stderr, err = w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
		return a.announce(ctx, s, js, p, body)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return stdout, stderr
}

func TestPublishSaysWhatTheRelayWillFold(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		hint := publishing{voicemail: "false"} // settled before publish could look it up afterwards
		if out, errs := w.announce(hint); !strings.Contains(out, "sequence 1") || errs != "" {
			t.Errorf("a fresh session: %s%s", out, errs)
		}
		v := w.one(time.Minute)
		pass(time.Second)
		if v.subject != "voicemail.absent" {
			t.Errorf("told on %s", v.subject)
		}
		for _, p := range []publishing{hint, {voicemail: "false", asJSON: true}} {
			out, errs := w.announce(p)
			if !strings.Contains(errs, "settled already (absent at ") || !strings.Contains(errs, "publish it with --again") || strings.Contains(out, "settled") {
				t.Errorf("a settled session: %s%s", out, errs)
			}
		}
		if _, errs := w.announce(publishing{again: true}); errs != "" {
			t.Errorf("asked for once more: %s", errs)
		}
		w.await(2, time.Hour)
	})
}

// A user that may publish and nothing else is neither kept waiting nor told of a ledger.
func TestPublishNeedsNoLedger(t *testing.T) {
	inGuardedWorld(t, nil, func(w *world, _ *transcript) {
		w.start()
		w.by("publisher", func() {
			began := time.Now()
			out, errs := w.announce(publishing{})
			if took := time.Since(began); !strings.Contains(out, "sequence 1") || errs != "" || took > 100*time.Millisecond {
				t.Errorf("after %s: %s%s", took, out, errs)
			}
		})
	})
}
