package smartassist

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"voicemail-relay/internal/relay"
)

// canaries must never leave in an error, whatever the API does with them. They are also what a URL or a body of ours would show.
var canaries = []string{"canary", "+15550100999", "15550100999", "5550100", "eyJ", "media.example.com", "s=IjY3", "$$", testSecret, testApp, testCall.Session, testCall.Bot,
	"sessionId=", "transcription=", "/api/public", "127.0.0.1", "http://", "https://"}

// An API that says back all that it heard, and more, wherever there is a place to say it.
func TestErrorsHoldNothingOfTheAPIs(t *testing.T) {
	parrot := func(status int, shape string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			heard := "canary " + r.Header.Get("auth") + " " + testSecret + " +15550100999 " + sampleLink + " " + r.URL.String()
			quoted, _ := json.Marshal(heard)
			h := w.Header()
			for _, name := range []string{"Retry-After", "Www-Authenticate", "X-Canary", "Server", "Set-Cookie"} {
				h.Set(name, heard)
			}
			switch shape {
			case "elsewhere":
				h.Set("Location", "https://canary.media.example.com/+15550100999?s=IjY3$$&token="+r.Header.Get("auth"))
			case "no place":
				h.Set("Location", "http://canary:%zz@media.example.com/"+heard)
			case "round and round":
				h.Set("Location", "/canary/+15550100999?auth="+r.Header.Get("auth"))
			case "cut":
				h.Set("Content-Length", "100000")
			case "gzip":
				h.Set("Content-Encoding", "gzip")
			}
			w.WriteHeader(status)
			body := map[string]string{
				"errors":  fmt.Sprintf(`{"errors":[{"msg":%s,"code":%s}]}`, quoted, quoted),
				"numbers": fmt.Sprintf(`{"errors":[{"msg":%s,"code":15550100999}],"code":"15550100999"}`, quoted),
				"status":  fmt.Sprintf(`{"status":%s,"message":%s,"error":%s}`, quoted, quoted, quoted),
				"failed":  fmt.Sprintf(`{"status":"failed","message":%s,"voicemail recording":[{"fileName":%s,"fileUrl":""}]}`, quoted, quoted),
				"session": fmt.Sprintf(`{"errors":[{"msg":"rate limit of session %s","code":4002}]}`, quoted[1:len(quoted)-1]),
				"string":  string(quoted),
			}[shape]
			if body == "" {
				body = "<html>" + heard
			}
			_, _ = w.Write([]byte(body))
		}
	}
	seen := map[string]bool{}
	for _, shape := range []string{"html", "errors", "numbers", "status", "failed", "session", "string", "elsewhere", "no place", "round and round", "cut", "gzip"} {
		for _, status := range []int{200, 201, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 412, 418, 422, 429, 500, 501, 502, 503, 504, 599} {
			srv := serve(t, parrot(status, shape))
			v, _, err := client(t, config(srv.URL)).Voicemail(t.Context(), testCall, yes)
			srv.Close()
			if err == nil {
				if len(v.Recordings) > 0 || strings.ContainsAny(v.Status, " +.") {
					t.Errorf("%s under a %d: got %+v, want nothing of it", shape, status, v)
				}
				continue
			}
			seen[err.(*relay.Trouble).Result] = true
			checkCanaries(t, fmt.Sprintf("%s under a %d", shape, status), err)
		}
	}
	for _, want := range []string{"limited", "refused", "rejected", "error", "unreadable"} {
		if !seen[want] {
			t.Errorf("got no %s among the results, want all of them tried", want)
		}
	}
}

func checkCanaries(t *testing.T, name string, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%+v", *err.(*relay.Trouble))} {
		for _, canary := range canaries {
			if strings.Contains(text, canary) {
				t.Errorf("%s: got %q, want no %q in it", name, text, canary)
			}
		}
		if strings.ContainsAny(text, "\n\r") {
			t.Errorf("%s: got %q, want one line", name, text)
		}
	}
}

// Without an answer, it is net/http that would talk.
func TestErrorsWithoutAnAnswerHoldNothing(t *testing.T) {
	srv := serve(t, drop)
	base := srv.URL
	_, _, err := client(t, config(base)).Voicemail(t.Context(), testCall, no)
	checkCanaries(t, "dropped", err)
	srv.Close()
	_, _, err = client(t, config(base)).Voicemail(t.Context(), testCall, no)
	checkCanaries(t, "refused", err)
	cfg := config(strings.Replace(base, "http:", "https:", 1))
	cfg.Timeout = 1
	_, _, err = client(t, cfg).Voicemail(t.Context(), testCall, no)
	checkCanaries(t, "no time", err)
	cfg = config("https://smartassist.kore.ai")
	cfg.Transport = transport(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("canary %s %s %v", r.URL, r.Header, cfg)
	})
	_, _, err = client(t, cfg).Voicemail(t.Context(), testCall, no)
	checkCanaries(t, "a transport that talks", err)
}
