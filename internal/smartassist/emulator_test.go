package smartassist_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/smartassist"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// Against the emulator, which checks tokens and says what the vendor would.
func TestEmulator(t *testing.T) {
	const session = "67aa38026e199c8f470e0001"
	for _, row := range []struct {
		name     string
		steps    []emu.Step
		jti      bool
		want     string // the status, or the trouble's result
		requests int
	}{
		{"the published sample", []emu.Step{emu.Sample()}, false, "success", 1},
		{"a voicemail with text", []emu.Step{emu.Ready("Hi, this is voicemail testing.")}, false, "success", 1},
		{"nothing yet", []emu.Step{emu.NotYet()}, false, "success", 1},
		{"a call under way", []emu.Step{emu.InProgress()}, false, "call_in_progress", 1},
		{"a session that is not known yet", []emu.Step{emu.SessionNotFound()}, false, "not_found", 1},
		{"something not found", []emu.Step{emu.NotFound404()}, false, "not_found", 1},
		{"no content", []emu.Step{emu.NoContent()}, false, "no_content", 1},
		{"the final failure", []emu.Step{emu.Failed()}, false, "rejected", 1},
		{"an unknown stream", []emu.Step{emu.InvalidStream()}, false, "rejected", 1},
		{"refused", []emu.Step{emu.Unauthorized()}, false, "refused", 1},
		{"forbidden", []emu.Step{emu.Forbidden()}, false, "refused", 1},
		{"over the limit", []emu.Step{emu.RateLimited("7")}, false, "limited", 1},
		{"over the limit, told otherwise", []emu.Step{emu.RateLimitText(403)}, false, "limited", 1},
		{"a blip", []emu.Step{emu.ServerError(502), emu.Ready("x")}, false, "success", 2},
		{"a blip, each request with a token of its own", []emu.Step{emu.ServerError(502), emu.Reset(), emu.Ready("x")}, true, "success", 3},
		{"trouble with a date", []emu.Step{emu.ServerErrorRetryAfter(503, "7")}, false, "error", 1},
		{"a page", []emu.Step{emu.HTML(200)}, false, "unreadable", 1},
		{"a cut body", []emu.Step{emu.Cut()}, false, "unreadable", 1},
		{"a body too large", []emu.Step{emu.Huge()}, false, "unreadable", 1},
		{"a body too large once decompressed", []emu.Step{emu.HugeGzip()}, false, "unreadable", 1},
		{"to another host", []emu.Step{emu.Redirect("https://media.example.com/")}, false, "error", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			api := emu.New(emu.Config{AppID: "cs-1", Secret: "s", EnforceJTI: row.jti})
			api.Script(session, row.steps...)
			srv := httptest.NewServer(api)
			defer srv.Close()
			c, err := smartassist.New(smartassist.Config{BaseURL: srv.URL, Path: "/api/public/bot/{botId}/voicemail", AppID: "cs-1", Secret: "s", Algorithm: "HS256",
				JTI: row.jti, Transcription: true, Timeout: 10 * time.Second, RetryFirst: time.Millisecond, MaxConns: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			v, requests, err := c.Voicemail(t.Context(), relay.Call{Bot: "st-1", Session: session}, func(context.Context, time.Duration) bool { return true })
			got := v.Status
			if err != nil {
				got = err.(*relay.Trouble).Result
			}
			if got != row.want || requests != row.requests || api.RequestsFor(session) != row.requests {
				t.Errorf("got %s in %d requests, %d at the API, want %s in %d", got, requests, api.RequestsFor(session), row.want, row.requests)
			}
			if len(v.Recordings) > 0 && (!strings.HasSuffix(v.Recordings[0].FileURL, "$$") || v.Recordings[0].ExpiresAt.IsZero()) {
				t.Error("got a link that was changed or does not tell its end, want the API's own")
			}
		})
	}
}
