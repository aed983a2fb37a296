package smartassist

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// All of this happens in virtual time, over pipes.

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// hangInBody sends a status and the beginning of a body.
func hangInBody(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"status":`))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func TestTimeouts(t *testing.T) {
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
		text   string
	}{
		{"no answer", hang, "transient: timeout", "time-out after 10s"},
		{"no end of the body", hangInBody(200), "transient: timeout", "time-out after 10s"},
		{"no end of a refusal's body", hangInBody(401), "refused: refused", "HTTP 401: "},
		{"no end of a limit's body", hangInBody(429), "limited: limited", "HTTP 429: "},
		{"no end of a blip's body", hangInBody(503), "transient: error", "HTTP 503: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config("http://api.example.com")
				cfg.Transport = pipes(t, row.handle)
				began := time.Now()
				v, requests, err := client(t, cfg).Voicemail(t.Context(), testCall, yes)
				if told(v, err) != row.want || requests != 1 || !strings.HasPrefix(err.Error(), row.text) {
					t.Errorf("got %s (%v) in %d requests, want %s (%s) in one", told(v, err), err, requests, row.want, row.text)
				}
				if took := time.Since(began); took != cfg.Timeout {
					t.Errorf("got it after %v, want %v", took, cfg.Timeout)
				}
			})
		})
	}
}

func TestTimeoutIsPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(then http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { <-time.After(8 * time.Second); then(w, r) }
		}
		cfg := config("http://api.example.com")
		cfg.Transport = pipes(t, answers(slow(answer(500, "")), slow(answer(200, readyBody))))
		if v, requests, err := client(t, cfg).Voicemail(t.Context(), testCall, yes); told(v, err) != "ready" || requests != 2 {
			t.Errorf("got %s in %d requests, want ready in 2", told(v, err), requests)
		}
	})
}

func TestQuickRetriesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://api.example.com")
		cfg.RetryFirst = 200 * time.Millisecond
		var at []time.Time
		cfg.Transport = pipes(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			at = append(at, time.Now())
			w.WriteHeader(500)
		}))
		c := client(t, cfg)
		for range 20 { // the waits are drawn
			at = nil
			if _, requests, _ := c.Voicemail(t.Context(), testCall, yes); requests != 3 || len(at) != 3 {
				t.Fatalf("got %d requests, want 3", requests)
			}
			for i, around := range []time.Duration{200 * time.Millisecond, 300 * time.Millisecond} {
				if wait := at[i+1].Sub(at[i]); wait < around/2 || wait > around*3/2 {
					t.Errorf("retry %d: got a wait of %v, want %v give or take half", i+1, wait, around)
				}
			}
		}
	})
}

func TestQuickRetriesAreGrantedWithTheirWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://api.example.com")
		cfg.RetryFirst = time.Second
		cfg.Transport = pipes(t, answer(500, ""))
		asked := 0
		_, _, _ = client(t, cfg).Voicemail(t.Context(), testCall, func(_ context.Context, wait time.Duration) bool {
			if asked++; wait < cfg.RetryFirst/2 {
				t.Errorf("got a wait of %v, want one of about %v", wait, cfg.RetryFirst)
			}
			return false
		})
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}

func TestCancelling(t *testing.T) {
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
	}{
		{"before an answer", hang, "transient: cancelled"},
		{"within the body", hangInBody(200), "transient: cancelled"},
		{"within the body of a refusal", hangInBody(401), "transient: cancelled"},
		{"while it waits for a quick retry", answer(500, ""), "transient: error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config("http://api.example.com")
				cfg.RetryFirst = time.Minute
				cfg.Transport = pipes(t, row.handle)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				began := time.Now()
				v, requests, err := client(t, cfg).Voicemail(ctx, testCall, func(ctx context.Context, wait time.Duration) bool {
					if waited(ctx, wait) {
						t.Error("the wait came to its end, want it cut")
					}
					return false
				})
				if told(v, err) != row.want || requests != 1 || time.Since(began) != time.Second {
					t.Errorf("got %s in %d requests after %v, want %s in one after 1s", told(v, err), requests, time.Since(began), row.want)
				}
			})
		})
	}
}

// A connection that breaks without a word, or in the middle of a header.
func TestBrokenConnections(t *testing.T) {
	for _, row := range []struct {
		name, sent string
		want       string
		requests   int
	}{
		{"nothing at all", "", "transient: unreachable", 3},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "transient: unreachable", 3},
		{"no HTTP", "SSH-2.0-OpenSSH_9.2 canary\r\n\r\n", "transient: unreachable", 1},
		{"a status that is none", "HTTP/1.1 canary\r\n\r\n", "transient: unreachable", 1},
		{"a header without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("canary", 1<<16), "transient: unreachable", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config("http://api.example.com")
				own := newTransport(cfg)
				own.Proxy = nil
				own.DialContext = func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go func() { // ends when the request is read and the words are said, or the other side is gone
						_, _ = http.ReadRequest(bufio.NewReader(theirs))
						_, _ = io.WriteString(theirs, row.sent)
						_ = theirs.Close()
					}()
					return ours, nil
				}
				cfg.Transport = own
				v, requests, err := client(t, cfg).Voicemail(t.Context(), testCall, yes)
				if told(v, err) != row.want || requests != row.requests || strings.Contains(err.Error(), "canary") {
					t.Errorf("got %s (%v) in %d requests, want %s in %d", told(v, err), err, requests, row.want, row.requests)
				}
			})
		})
	}
}

func TestTokenIsRenewedInTime(t *testing.T) {
	for _, row := range []struct {
		name  string
		jti   bool
		every time.Duration
		want  int // different tokens in 12 requests
	}{
		{"one for several requests", false, 20 * time.Second, 1},
		{"a new one a minute before the end", false, 50 * time.Second, 3},
		{"one each with jti", true, 0, 12},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := map[string]bool{}
				cfg := config("http://api.example.com")
				cfg.JTI = row.jti
				cfg.Transport = pipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					token := r.Header.Get("auth")
					seen[token] = true
					exp := claimsOf(t, token, []byte(testSecret))["exp"].(float64)
					if left := time.Until(time.Unix(int64(exp), 0)); left <= 59*time.Second || left > tokenLife {
						t.Errorf("got a token with %v left, want between 1 and 5 minutes", left)
					}
					w.WriteHeader(204)
				}))
				c := client(t, cfg)
				for range 12 {
					_, _, _ = c.Voicemail(t.Context(), testCall, yes)
					<-time.After(row.every)
				}
				if len(seen) != row.want {
					t.Errorf("got %d tokens, want %d", len(seen), row.want)
				}
			})
		})
	}
}

func TestRetriesWithJTIHaveTokensOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[any]bool{}
		cfg := config("http://api.example.com")
		cfg.JTI = true
		cfg.Transport = pipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen[claimsOf(t, r.Header.Get("auth"), []byte(testSecret))["jti"]] = true
			w.WriteHeader(500)
		}))
		_, requests, _ := client(t, cfg).Voicemail(t.Context(), testCall, yes)
		if requests != 3 || len(seen) != 3 || seen[nil] || seen[""] {
			t.Errorf("got %d requests with %d jtis, want 3 with 3", requests, len(seen))
		}
	})
}
