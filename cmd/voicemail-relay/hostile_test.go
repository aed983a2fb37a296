package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// Whoever may publish call.ended can have a session asked for, and says what stands under call. Nothing else is for him to say.
func TestPublisherSaysNothingButTheCall(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("said by the API"))
		w.call(`{"botId":"st-1","sessionId":"s1","transcript":"forged","fileUrl":"https://forged.example/x","requests":99,"readyAt":"2020-01-01T00:00:00Z","call":{"a":1}}`,
			"Voicemail-Relay-History", `{"id":"forged","attempts":99,"requests":99,"firstSeen":"2020-01-01T00:00:00Z"}`, "ce-id", "forged", "ce-type", "voicemail.ready", "X-Forged", strings.Repeat("x", 40_000),
			"tracestate", strings.Repeat("x", 10_000))
		v := w.one(time.Minute)
		if v.header.Get("ce-id") != key("st-1", "s1") || v.header.Get("Nats-Msg-Id") != key("st-1", "s1") || v.header.Get("ce-type") != "voicemail.ready" {
			t.Errorf("the verdict's headers are %v, want the relay's own", v.header)
		}
		for name, values := range v.header {
			if text := name + fmt.Sprint(values); strings.Contains(text, "Forged") || strings.Contains(text, "xxx") || strings.Contains(text, "History") {
				t.Errorf("a header of the publisher's is passed on: %.80s", text)
			}
		}
		if v.str("transcript") != "said by the API" || strings.Contains(v.str("fileUrl"), "forged") || v.num("requests") != 1 || strings.HasPrefix(v.str("readyAt"), "2020") {
			t.Errorf("the publisher's fields stand beside the API's: %s", v.body)
		}
		for _, header := range [][2]string{{"Nats-Schedule", "@at 2030-01-01T00:00:00Z"}, {"Nats-Rollup", "all"}} { // would publish for him, or purge
			m := nats.NewMsg("call.ended")
			m.Data = []byte(`{"botId":"st-1","sessionId":"s2"}`)
			m.Header.Set(header[0], header[1])
			m.Header.Set("Nats-Schedule-Target", "voicemail.ready")
			if _, err := w.js.PublishMsg(context.Background(), m); err == nil {
				t.Errorf("the stream of calls takes %s", header[0])
			}
		}
	})
}

// The relay carries links and never follows one: what they lead to is for consumers to ask, or not.
func TestLinksAreNeverFollowed(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		links := []string{"http://127.0.0.1:1/api/public/bot/st-1/voicemail?sessionId=trap&transcription=true", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"}
		for i, link := range links {
			session := fmt.Sprintf("s%d", i)
			w.emu.Script(session, emu.Raw(http.StatusOK, nil, fmt.Appendf(nil, `{"status":"success","voicemail recording":[{"fileName":"../../x.wav","fileUrl":%q}],
				"transcriptions":[{"_id":"ms-1","components":[{"cT":"text","data":{"text":"see http://127.0.0.1:1/api/public/bot/st-1/voicemail?sessionId=trap"}}]}]}`, link)))
			w.session(session)
		}
		got := map[string]bool{}
		for _, v := range w.await(len(links), time.Minute) {
			got[v.str("fileUrl")] = true
		}
		for _, link := range links {
			if !got[link] {
				t.Errorf("the link %s is not told as it is", link)
			}
		}
		if n := w.emu.Requests(); n != len(links) {
			t.Errorf("%d requests for %d calls: a link was followed", n, len(links))
		}
	})
}

func TestTextsOfOthersCannotDriveATerminal(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	s := beginPlace(t)
	const evil = `\u001b]0;evil\u0007\u009b2J` + "\u009b31m"
	s.event(t, "a", `{"botId":"st`+evil+`","sessionId":"s","transcript":"`+evil+`","transcriptStatus":"completed","fileUrl":"https://x/`+evil+`"}`)
	s.event(t, "b", "\x1b[31mno JSON\xff")
	m := nats.NewMsg("voicemail.failed")
	m.Data = []byte(`{"botId":"st-1","sessionId":"s` + evil + `","reason":"rejected","error":"` + evil + `","attempts":1,"requests":1,"firstSeen":"2026-01-01T00:00:00Z","failedAt":"2026-01-01T00:00:00Z","call":{"a":"` + evil + `"}}`)
	m.Header["ce-id"], m.Header["X"] = []string{"\x1b[31m"}, []string{"\u009b31m"}
	if _, err := s.js.PublishMsg(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"watch --all --count 3 --reveal", "watch --all --count 3 --json", "failed list", "failed list --json", "failed show 3 --reveal", "failed show 3 --json --reveal", "failed show 3"} {
		out, code := command(t, append(strings.Fields(args), "--nats.url", s.url)...)
		if code != 0 || !strings.Contains(out, "rejected") {
			t.Errorf("%s: exit %d, %q", args, code, out)
		}
		for i, r := range out {
			if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError && !strings.HasPrefix(out[i:], "\uFFFD") {
				t.Errorf("%s prints the control character %U: %q", args, r, out)
				break
			}
		}
	}
	var b bytes.Buffer
	if n, err := (printable{&b}).Write([]byte("a\tb\n\x1b\u0085ü\xff")); n != 10 || err != nil || b.String() != "a\tb\n"+`\u001b\u0085`+"ü\uFFFD" {
		t.Errorf("got %d, %v and %q", n, err, b.String())
	}
}
