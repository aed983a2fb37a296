package bench

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/natsd"
)

// What is measured counts only when it was right: each wrong output has to be noticed.
func TestProof(t *testing.T) {
	server, err := natsd.Start(natsd.Config{StoreDir: t.TempDir(), Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: verdicts, Subjects: []string{"bench.voicemail.*"}})
	if err != nil {
		t.Fatal(err)
	}
	u := NewUpstream(0, nil)
	api := httptest.NewServer(u)
	defer api.Close()
	b := batch{name: "call", calls: 3}
	good := func(i int) string {
		session := b.session(i)
		return fmt.Sprintf(`{"botId":%q,"sessionId":%q,"transcript":%q,"fileUrl":%q,"fileName":"a.wav"}`, bot, session, u.emulator.Planned(bot, session).Text, linkOf(t, api.URL, session))
	}
	for _, row := range []struct {
		name string
		told []string // bodies; a subject of its own before a space
		want string   // "": all is well
	}{
		{"all", []string{good(0), good(1), good(2)}, ""},
		{"one is missing", []string{good(0), good(2)}, "1 of 3 calls have no verdict, session call-1 among them"},
		{"one twice", []string{good(0), good(1), good(1), good(2)}, "session call-1 was told before"},
		{"one that never ended", []string{good(0), good(1), good(2), strings.ReplaceAll(good(2), "call-2", "call-7")}, "the transcript is not what was said"},
		{"another's words", []string{good(0), strings.ReplaceAll(good(2), "call-2", "call-1"), good(2)}, "the transcript is not what was said"},
		{"no link", []string{good(0), good(1), strings.Replace(good(2), "?", "", 1)}, "no link"},
		{"a link that is broken", []string{strings.Replace(good(0), "s=", "s=x", 1), good(1), good(2)}, "following the link: HTTP 403"},
		{"failed", []string{good(0), good(1), "bench.voicemail.failed {}"}, "it is a bench.voicemail.failed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := stream.Purge(ctx); err != nil {
				t.Fatal(err)
			}
			for _, body := range row.told {
				subject := readySubject
				if s, rest, ok := strings.Cut(body, " "); ok && strings.HasPrefix(s, "bench.") {
					subject, body = s, rest
				}
				if _, err := js.Publish(ctx, subject, []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			err := prove(ctx, js, api.URL, b)
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// linkOf asks the emulator for a session's link, as the floor does.
func linkOf(t *testing.T, api, session string) string {
	t.Helper()
	w, err := newWorker(Floor{API: api, AppID: appID, Secret: secret, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.ask(t.Context(), bot, session)
	if err != nil {
		t.Fatal(err)
	}
	return v.Recordings[0].URL
}

func TestUpstreamFails(t *testing.T) {
	faults, err := ParseFaults("503=0.05, 429=0.02")
	if err != nil {
		t.Fatal(err)
	}
	u := NewUpstream(0, faults)
	got := map[int]int{}
	for range 10_000 {
		w := httptest.NewRecorder()
		u.ServeHTTP(w, httptest.NewRequest("GET", "/api/public/bot/st-1/voicemail?sessionId=s", nil))
		got[w.Code]++
	}
	if got[503] < 400 || got[503] > 600 || got[429] < 130 || got[429] > 260 {
		t.Errorf("of 10000 requests: %v, want some 500 times 503 and 190 times 429", got)
	}
	for _, wrong := range []string{"503", "503=2", "200=0.1", "503=0", "503=0.6,429=0.6", "x=0.1", ",", "503=NaN"} {
		if _, err := ParseFaults(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestMediansAndRatios(t *testing.T) {
	figures := func(cpu ...float64) (all []Figures) {
		for _, c := range cpu {
			all = append(all, Figures{CPU: c, LatencyMS: &Latency{P50: c}})
		}
		return all
	}
	floor := Result{Name: "floor", Rounds: figures(100, 200, 100)}
	r := Result{Name: "relay", Rounds: figures(80, 100, 90)}
	r.sum(floor)
	if r.Median.CPU != 90 || r.Ratio.CPU != 0.8 || r.Ratio.LatencyP50 != 0.8 { // 0.8, 0.5, 0.9 in their rounds
		t.Errorf("median %v, ratio %v and %v; want 90, and 0.8 as the median of each round's", r.Median.CPU, r.Ratio.CPU, r.Ratio.LatencyP50)
	}
	if got := quantiles([]float64{3, 1, 2, 4}); got.P50 != 3 || got.Max != 4 {
		t.Errorf("quantiles %v", got)
	}
}
