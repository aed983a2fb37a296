package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func TestSampleComesOutAsTheContractsExample(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const session = "67aa38026e199c8f470e0001"
		w.emu.Script(session, emu.Sample())
		w.call(`{"botId":"st-1","sessionId":"` + session + `","caller":"+15550100", "queue" : "sales","n":1.0e2,"deep":{"a":[1, 2 ,"\u00e9"]},"endedAt":"` + time.Now().UTC().Format(time.RFC3339) + `"}`)
		v := w.one(time.Minute)
		if v.subject != "voicemail.ready" {
			t.Fatalf("told on %s, want voicemail.ready", v.subject)
		}
		for name, want := range map[string]string{"botId": "st-1", "sessionId": session, "transcript": "Hi, this is voicemail testing.", "transcriptStatus": "completed",
			"language": "en", "fileUrl": emu.SampleLink, "fileName": "voicemail_67aa38026e199c8f470e0001.wav", "fileUrlExpiresAt": "2026-11-22T11:24:42Z"} {
			if got := v.str(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(string(v.body), `"fileUrl":"`+emu.SampleLink+`"`) {
			t.Errorf("the link is not byte for byte in the body")
		}
		if want := `"call":{"caller":"+15550100","queue":"sales","n":1.0e2,"deep":{"a":[1, 2 ,"\u00e9"]}}`; !strings.Contains(string(v.body), want) {
			t.Errorf("the publisher's fields are not byte for byte in the body:\n%s\nwant %s", v.body, want)
		}
		if want := `"transcriptions":[{"id":"ms-…","text":"Hi, this is voicemail testing.","language":"en","createdOn":"2025-02-11T13:57:42.032Z","authorId":"u-…","authorType":"VOICEMAIL"}]`; !strings.Contains(string(v.body), want) {
			t.Errorf("transcriptions in %s, want %s", v.body, want)
		}
		if got := w.emu.Requests(); got != 1 || v.num("requests") != 1 {
			t.Errorf("%d requests, the event says %d, want 1", got, v.num("requests"))
		}
		headers := map[string]string{"ce-specversion": "1.0", "ce-type": "voicemail.ready", "ce-subject": session, "ce-datacontenttype": "application/json", "ce-id": key("st-1", session), "Nats-Msg-Id": key("st-1", session)}
		for name, want := range headers {
			if got := v.header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("header %s = %q, want %q", name, got, want)
			}
		}
		if after := v.at.Sub(w.began); after < 14*time.Second || after > 18*time.Second {
			t.Errorf("told %s after the call ended, want 15 s and little more", after)
		}
	})
}

func TestEveryAnswerHasItsVerdictAndItsCost(t *testing.T) {
	rows := []struct {
		name         string
		steps        []emu.Step
		flags        []string
		kind, detail string // detail: transcriptStatus or reason
		requests     int
		least, most  time.Duration // from the call's end
	}{
		{"text at once", []emu.Step{emu.Ready("canary-transcript")}, nil, "ready", "completed", 1, 15 * time.Second, 18 * time.Second},
		{"the other spelling of the recordings' key", []emu.Step{emu.Underscored(emu.Ready("canary-transcript"))}, nil, "ready", "completed", 1, 15 * time.Second, 18 * time.Second},
		{"several recordings and messages", []emu.Step{emu.Several()}, nil, "ready", "completed", 1, 15 * time.Second, 18 * time.Second},
		{"astray types", []emu.Step{emu.Astray()}, nil, "ready", "completed", 1, 15 * time.Second, 18 * time.Second},
		{"late media", append(emu.Repeat(2, emu.MediaInProgress()), emu.Ready("x")), nil, "ready", "completed", 3, 55 * time.Second, 75 * time.Second},
		{"a link that is empty at first", []emu.Step{emu.EmptyLink(), emu.Ready("x")}, nil, "ready", "completed", 2, 28 * time.Second, 36 * time.Second},
		{"a session that is not found at first", []emu.Step{emu.SessionNotFound(), emu.NotFound404(), emu.NoContent(), emu.Ready("x")}, nil, "ready", "completed", 4, 110 * time.Second, 140 * time.Second},
		{"late transcript", []emu.Step{emu.NoTranscript(), emu.NoTranscriptList(), emu.Ready("x")}, nil, "ready", "completed", 3, 40 * time.Second, 60 * time.Second},
		{"no transcript at all", []emu.Step{emu.NoTranscript()}, nil, "ready", "timed_out", 9, 10 * time.Minute, 10*time.Minute + 30*time.Second},
		{"a message without text", []emu.Step{emu.EmptyTranscript()}, nil, "ready", "empty", 1, 15 * time.Second, 18 * time.Second},
		{"transcription off", []emu.Step{emu.Ready("x")}, []string{"smartassist.transcription=false"}, "ready", "off", 1, 15 * time.Second, 18 * time.Second},
		{"no voicemail", []emu.Step{emu.NotYet()}, nil, "absent", "none_recorded", 8, 10 * time.Minute, 10*time.Minute + 15*time.Second},
		{"unavailable all the time", []emu.Step{emu.Unavailable()}, nil, "absent", "none_recorded", 8, 10 * time.Minute, 10*time.Minute + 15*time.Second},
		{"an unknown status all the time", []emu.Step{emu.Status("brewing")}, nil, "absent", "none_recorded", 8, 10 * time.Minute, 10*time.Minute + 15*time.Second},
		{"failed media", []emu.Step{emu.Failed()}, nil, "failed", "rejected", 1, 15 * time.Second, 18 * time.Second},
		{"an unknown bot", []emu.Step{emu.InvalidStream()}, nil, "failed", "rejected", 1, 15 * time.Second, 18 * time.Second},
		{"validation errors", []emu.Step{emu.Error(422, "Validation errors")}, nil, "failed", "rejected", 1, 15 * time.Second, 18 * time.Second},
		{"a 5xx blip", []emu.Step{emu.ServerError(500), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"a dropped connection", []emu.Step{emu.Reset(), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"a cut body", []emu.Step{emu.Cut(), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"HTML", []emu.Step{emu.HTML(200), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"garbage, then cut JSON", []emu.Step{emu.Garbage(), emu.Truncated(), emu.Ready("x")}, nil, "ready", "completed", 3, 15 * time.Second, 18 * time.Second},
		{"over 4 MiB", []emu.Step{emu.Huge(), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"over 4 MiB when unpacked", []emu.Step{emu.HugeGzip(), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"a redirect to another host", []emu.Step{emu.Redirect("http://127.0.0.2:1/elsewhere"), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"slow", []emu.Step{emu.Slow(8*time.Second, emu.Ready("x"))}, nil, "ready", "completed", 1, 23 * time.Second, 26 * time.Second},
		{"a request that hangs", []emu.Step{emu.Hang(), emu.Ready("x")}, nil, "ready", "completed", 2, 25 * time.Second, 28 * time.Second},
		{"the rate limit, with seconds", []emu.Step{emu.RateLimited("30"), emu.Ready("x")}, nil, "ready", "completed", 2, 45 * time.Second, 49 * time.Second},
		{"the rate limit as a text", []emu.Step{emu.RateLimitText(403), emu.Ready("x")}, nil, "ready", "completed", 2, 15 * time.Second, 18 * time.Second},
		{"503 with Retry-After", []emu.Step{emu.ServerErrorRetryAfter(503, "20"), emu.Ready("x")}, nil, "ready", "completed", 2, 35 * time.Second, 39 * time.Second},
		{"refused credentials, mended", []emu.Step{emu.Unauthorized(), emu.Forbidden(), emu.Ready("x")}, nil, "ready", "completed", 3, 17 * time.Second, 25 * time.Second},
		{"trouble without end", []emu.Step{emu.ServerError(503)}, []string{"retry.give_up_after=1h"}, "failed", "gave_up", -1, time.Hour, time.Hour + 2*time.Minute},
		{"no waits at all", []emu.Step{emu.NotYet(), emu.NotYet(), emu.Error(418, "teapot"), emu.ServerError(500), emu.ServerError(500), emu.ServerError(500), emu.Ready("x")},
			[]string{"wait.first=0s", "wait.max=0s", "retry.first=0s", "retry.max=0s"}, "ready", "completed", 7, 0, 10 * time.Second},
		{"a recording that was seen and is gone", []emu.Step{emu.NoTranscript(), emu.NotYet()}, nil, "ready", "timed_out", 9, 10 * time.Minute, 10*time.Minute + 30*time.Second},
		{"a recording that was seen, then a final no", []emu.Step{emu.NoTranscript(), emu.Failed()}, nil, "ready", "timed_out", 9, 10 * time.Minute, 10*time.Minute + 30*time.Second},
		{"a recording that was seen, then trouble without end", []emu.Step{emu.NoTranscript(), emu.HTML(502)}, nil, "ready", "timed_out", -1, 10 * time.Minute, 10*time.Minute + 30*time.Second},
		{"a recording that was seen, then refused credentials", []emu.Step{emu.NoTranscript(), emu.Unauthorized()}, nil, "ready", "timed_out", -1, 10 * time.Minute, 10*time.Minute + 30*time.Second},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, row.flags, func(w *world) {
				w.emu.Script("s1", row.steps...)
				start := time.Now()
				w.session("s1")
				v := w.one(row.most + time.Minute)
				if got, want := v.subject, "voicemail."+row.kind; got != want {
					t.Fatalf("told on %s, want %s: %s", got, want, v.body)
				}
				detail := v.str("transcriptStatus") + v.str("reason")
				if detail != row.detail {
					t.Errorf("status or reason %q, want %q", detail, row.detail)
				}
				if got := w.emu.RequestsFor("s1"); got != v.num("requests") || row.requests >= 0 && got != row.requests {
					t.Errorf("%d requests, the event says %d, want %d", got, v.num("requests"), row.requests)
				}
				if after := v.at.Sub(start); after < row.least || after > row.most {
					t.Errorf("told after %s, want between %s and %s", after, row.least, row.most)
				}
				if n := w.waiting("voicemail.work.>"); n != 0 {
					t.Errorf("%d messages left in the line, want 0", n)
				}
			})
		})
	}
}

func TestFormsOfTheSameCall(t *testing.T) {
	const plain = `{"botId":"st-1","sessionId":"s1","queue":"sales"}`
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	rows := []struct {
		name   string
		body   string
		header []string
	}{
		{"plain JSON", plain, []string{"traceparent", parent, "tracestate", "a=b"}},
		{"the alias streamId", `{"streamId":"st-1","sessionId":"s1","queue":"sales"}`, []string{"Traceparent", parent}},
		{"CloudEvents binary mode", plain, []string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/x", "ce-type", "call.ended", "TraceParent", parent}},
		{"CloudEvents structured mode", `{"specversion":"1.0","id":"1","source":"/x","type":"any","data":` + plain + `}`, []string{"Content-Type", "application/cloudevents+json", "traceparent", parent}},
		{"structured mode without its content type", `{"specversion":"1.0","id":"1","source":"/x","type":"any","traceparent":"` + parent + `","data":` + plain + `}`, nil},
		{"structured mode in base64", `{"specversion":"1.0","id":"1","source":"/x","type":"any","data_base64":"eyJib3RJZCI6InN0LTEiLCJzZXNzaW9uSWQiOiJzMSIsInF1ZXVlIjoic2FsZXMifQ=="}`, []string{"traceparent", parent}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.emu.Script("s1", emu.NotYet(), emu.Ready("x"))
				w.call(row.body, row.header...)
				v := w.one(time.Hour)
				if v.subject != "voicemail.ready" || v.str("botId") != "st-1" || v.str("sessionId") != "s1" {
					t.Errorf("told %s %s", v.subject, v.body)
				}
				if !strings.Contains(string(v.body), `"call":{"queue":"sales"}`) {
					t.Errorf("the publisher's field is missing: %s", v.body)
				}
				if got := v.header["traceparent"]; len(got) != 1 || got[0] != parent {
					t.Errorf("traceparent %q, want it continued over the appointment", got)
				}
			})
		})
	}
	t.Run("a publisher without JetStream", func(t *testing.T) {
		inWorld(t, []string{"ready.format=structured"}, func(w *world) {
			w.emu.Script("s1", emu.Ready("x"))
			if err := w.nc.Publish("call.ended", []byte(plain)); err != nil {
				t.Fatal(err)
			}
			v := w.one(time.Hour)
			if v.subject != "voicemail.ready" || v.header.Get("Content-Type") != "application/cloudevents+json" || !strings.Contains(string(v.body), `"specversion":"1.0"`) {
				t.Errorf("told %s %v %s, want a structured CloudEvent", v.subject, v.header, v.body)
			}
		})
	})
}

func TestGarbageIsToldAtOnceWithItsBytes(t *testing.T) {
	garbage := []string{"", " ", "hello", "{", "[]", "null", "7", `"x"`, "{}", `{"botId":"st-1"}`, `{"sessionId":"s1"}`, `{"botId":"st-1","sessionId":""}`,
		`{"botId":7,"sessionId":"s1"}`, `{"botId":"st-1","sessionId":"a/b"}`, `{"botId":"st-1","sessionId":"a..b"}`, `{"botId":"st-1","sessionId":"a b"}`,
		`{"botId":"st-1","sessionId":"` + strings.Repeat("x", 257) + `"}`, "\xff\xfe{}", `{"botId":"st-1","sessionId":"s1"} trailing`, `{"botId":"st-1","sessionId":"s1",}`,
		`[{"specversion":"1.0","id":"1","source":"/x","type":"t","data":{"botId":"st-1","sessionId":"s1"}}]`, `{"specversion":"1.0","id":"1","source":"/x","type":"t","data":"text"}`,
		`{"specversion":"1.0","id":"1","source":"/x","type":"t","data_base64":"%%%"}`, strings.Repeat("[", 60_000), `{"botId":"st-1","sessionId":"s1","x":"` + strings.Repeat("y", 65_536) + `"}`, "\x00\x01\x02"}
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		for _, g := range append(garbage, garbage[2]) { // the same garbage twice: two verdicts
			w.call(g, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		}
		w.session("good")
		vs := w.await(len(garbage)+2, time.Minute)
		raws := map[string]int{}
		for _, v := range vs {
			if v.subject == "voicemail.failed" {
				if v.str("reason") != "malformed" {
					t.Errorf("reason %q, want malformed", v.str("reason"))
				}
				if got := v.header["traceparent"]; len(got) != 1 || !strings.HasPrefix(got[0], "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
					t.Errorf("%s: traceparent %q, want it continued", v.str("error"), got)
				}
				raws[v.str("raw")]++
				if v.at.Sub(w.began) > 5*time.Second {
					t.Errorf("told after %s, want at once", v.at.Sub(w.began))
				}
			}
		}
		if raws["aGVsbG8="] != 2 || len(raws) != len(garbage) {
			t.Errorf("%d different raw events, 'hello' %d times; want %d and 2", len(raws), raws["aGVsbG8="], len(garbage))
		}
		if got := w.emu.Requests(); got != 1 {
			t.Errorf("%d requests, want 1, for the one good call", got)
		}
	})
}

func TestRepeatsAreFolded(t *testing.T) {
	for _, first := range []string{"15s", "0s"} {
		t.Run("wait.first "+first, func(t *testing.T) {
			inWorld(t, []string{"wait.first=" + first}, func(w *world) {
				w.emu.Script("s1", emu.Slow(3*time.Second, emu.Ready("x")))
				w.session("s1")
				w.session("s1") // before it is asked for
				pass(16 * time.Second)
				w.session("s1") // while it is, or was
				w.one(time.Minute)
				w.session("s1") // after
				pass(5 * time.Hour)
				w.session("s1") // long after
				pass(time.Hour)
				if vs := w.verdicts(); len(vs) != 1 {
					t.Errorf("%d verdicts, want 1", len(vs))
				}
				if got := w.emu.Requests(); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
			})
		})
	}
}

// A call that is reported again between two of its requests neither begins a second chain nor takes the first one's history.
func TestRepeatsBetweenRequestsCostNothing(t *testing.T) {
	for _, limit := range []string{"0", "60"} {
		t.Run("limit "+limit, func(t *testing.T) {
			inWorld(t, []string{"smartassist.rate_limit=" + limit}, func(w *world) {
				w.emu.ScriptEvery(append(emu.Repeat(4, emu.MediaInProgress()), emu.Ready("x"))...)
				for range 12 { // through all of its requests
					w.session("s1")
					w.session("s1")
					if got := w.waiting("voicemail.work.>"); got > 1 {
						t.Errorf("%d messages wait for one session", got)
					}
					pass(17 * time.Second)
				}
				if v := w.one(5 * time.Minute); v.num("requests") != 5 || w.emu.Requests() != 5 {
					t.Errorf("%d requests were made, and %d told; want 5", w.emu.Requests(), v.num("requests"))
				}
			})
		})
	}
}

func TestHintsSteer(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.ScriptEvery(emu.Ready("x"))
		w.call(`{"botId":"st-1","sessionId":"none","voicemail":false,"queue":"a"}`)
		v := w.one(5 * time.Second)
		if v.subject != "voicemail.absent" || v.str("reason") != "hint" || w.emu.Requests() != 0 {
			t.Errorf("told %s, %d requests; want absent by hint without a request", v.body, w.emu.Requests())
		}
		w.call(`{"botId":"st-1","sessionId":"odd","voicemail":"maybe","endedAt":"yesterday"}`)
		w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":"old","endedAt":%q}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
		vs := w.await(3, time.Minute)
		if vs[1].str("sessionId") != "old" {
			t.Errorf("first told %s, want the call that ended long ago: it need not wait", vs[1].str("sessionId"))
		}
	})
}

// Links that fit neither a header nor an event of NATS hold up nobody: such a call is told, and the next one is, too.
func TestHugeLinksBlockNobody(t *testing.T) {
	link := func(n, size int, text string) emu.Step {
		var files []emu.File
		for i := range n {
			files = append(files, emu.File{Name: "a.wav", URL: fmt.Sprintf("https://media.example.com/%d/%s", i, strings.Repeat("a", size))})
		}
		messages := []emu.Message{}
		if text != "" {
			messages = append(messages, emu.Text(text, time.Now()))
		}
		return emu.Voicemail(files, messages)
	}
	for _, row := range []struct {
		name string
		step emu.Step
		want string
	}{
		{"many, no text yet", link(16, 5000, ""), "ready"},
		{"one over 1 MiB", link(1, 1_200_000, "hi"), "absent"}, // it is no link: no server takes one of that length
		{"long names", emu.Voicemail([]emu.File{{Name: strings.Repeat("n", 100_000), URL: "https://media.example.com/a.wav"}}, []emu.Message{}), "ready"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.emu.Script("s1", row.step)
				w.emu.Script("s2", emu.Ready("x"))
				w.session("s1")
				pass(time.Minute)
				w.session("s2")
				for _, v := range w.await(2, time.Hour) {
					if want := "voicemail." + row.want; v.str("sessionId") == "s1" && v.subject != want {
						t.Errorf("told %s %s, want %s", v.subject, v.str("reason"), want)
					}
				}
			})
		})
	}
}

// A link's & is one byte where a call waits, too: six would be more than a header may have, and the call be told without its text.
func TestLongQueryWaitsForItsText(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		files := []emu.File{{Name: "a.wav", URL: "https://media.example.com/a.wav?" + strings.Repeat("&", 16_000)}}
		w.emu.Script("s1", emu.Voicemail(files, []emu.Message{}), emu.Voicemail(files, []emu.Message{emu.Text("hi", time.Now())}))
		w.session("s1")
		if v := w.one(time.Hour); v.str("transcriptStatus") != "completed" || v.str("fileUrl") != files[0].URL {
			t.Errorf("told %s %s, want ready with its text and its link", v.subject, v.str("transcriptStatus"))
		}
	})
}

// What is nested as deep as JSON's readers go at most is deeper in the verdict: it is no call. A level less is one, in either mode.
func TestVerdictIsNoDeeperThanReadersGo(t *testing.T) {
	deep := func(session string, lists int) string {
		return `{"botId":"st-1","sessionId":"` + session + `","x":["[\"]",` + strings.Repeat("[", lists-1) + strings.Repeat("]", lists) + `}`
	}
	for _, format := range []string{"binary", "structured"} {
		t.Run(format, func(t *testing.T) {
			inWorld(t, []string{"ready.format=" + format}, func(w *world) {
				w.emu.ScriptEvery(emu.Ready("x"))
				w.call(deep("deep", 9997))
				w.call(deep("deeper", 9998))
				got := map[string]string{}
				for _, v := range w.await(2, time.Minute) { // each is held to its schema: that reads it
					got[v.str("sessionId")] = v.subject + " " + v.str("reason")
				}
				if got["deep"] != "voicemail.ready " || got["deeper"] != "voicemail.failed malformed" {
					t.Errorf("told %v, want a voicemail and a malformed event", got)
				}
			})
		})
	}
}
