package smartassist

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no base URL", func(c *Config) { c.BaseURL = "" }, "BaseURL must be an http or https URL with a host"},
		{"another scheme", func(c *Config) { c.BaseURL = "ftp://x" }, "BaseURL must be an http or https URL with a host"},
		{"a port alone", func(c *Config) { c.BaseURL = "https://:443" }, "BaseURL must be an http or https URL with a host"},
		{"a password", func(c *Config) { c.BaseURL = "https://a:canary@x" }, "BaseURL must not hold a user, a query or a fragment"},
		{"a query", func(c *Config) { c.BaseURL = "https://x?canary=1" }, "BaseURL must not hold a user, a query or a fragment"},
		{"a password that is no URL", func(c *Config) { c.BaseURL = "https://a:can%zzary@x" }, "BaseURL must be an http or https URL with a host"},
		{"a path without the bot", func(c *Config) { c.Path = "/voicemail" }, "Path must begin with / and hold {botId}"},
		{"a path without its beginning", func(c *Config) { c.Path = "bot/{botId}" }, "Path must begin with / and hold {botId}"},
		{"a path with a query", func(c *Config) { c.Path = "/{botId}?x=1" }, "Path must not hold a query, fragment or space"},
		{"a path with a broken escape", func(c *Config) { c.Path = "/%zz/{botId}" }, "Path must not hold a % that escapes nothing"},
		{"no app", func(c *Config) { c.AppID = "" }, "AppID must not be empty"},
		{"no secret", func(c *Config) { c.Secret = "" }, "Secret or SecretFile must be given"},
		{"two secrets", func(c *Config) { c.SecretFile = "x" }, "Secret and SecretFile must not both be given"},
		{"no algorithm", func(c *Config) { c.Algorithm = "" }, "Algorithm must be HS256, HS512, RS256 or RS512"},
		{"an unsigned token", func(c *Config) { c.Algorithm = "none" }, "Algorithm must be HS256, HS512, RS256 or RS512"},
		{"a key that is no PEM", func(c *Config) { c.Algorithm = "RS256" }, "Secret must be an RSA private key in PEM, without a password"},
		{"no time-out", func(c *Config) { c.Timeout = 0 }, "Timeout must be over 0"},
		{"no wait", func(c *Config) { c.RetryFirst = -1 }, "RetryFirst must be over 0"},
		{"no connections", func(c *Config) { c.MaxConns = 0 }, "MaxConns must be at least 1"},
		{"a file that is not there", func(c *Config) { c.Secret, c.SecretFile = "", "testdata/none" }, "SecretFile testdata/none cannot be read: no such file or directory"},
		{"a file that is a folder", func(c *Config) { c.Secret, c.SecretFile = "", "testdata" }, "SecretFile testdata cannot be read: is a directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config("https://smartassist.kore.ai")
			row.change(&cfg)
			_, err := New(cfg)
			if err == nil || err.Error() != "smartassist: "+row.want {
				t.Errorf("got %v, want smartassist: %s", err, row.want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	for _, row := range []struct {
		name          string
		base, path    string
		call          relay.Call
		transcription bool
		want          string
	}{
		{"the documented one", "", testPath, testCall, true, "/api/public/bot/st-b110/voicemail?sessionId=67aa38026e199c8f470e0001&transcription=true"},
		{"without text", "", testPath, testCall, false, "/api/public/bot/st-b110/voicemail?sessionId=67aa38026e199c8f470e0001&transcription=false"},
		{"another path, behind a prefix", "/gate%2Fway/", "/api/1.1/public/bot/{botId}/vm/{botId}", testCall, true,
			"/gate%2Fway/api/1.1/public/bot/st-b110/vm/st-b110?sessionId=67aa38026e199c8f470e0001&transcription=true"},
		{"ids that nobody has checked", "", testPath, relay.Call{Bot: "a/../b?c#d e", Session: "x&transcription=no#é"}, true,
			"/api/public/bot/a%2F..%2Fb%3Fc%23d%20e/voicemail?sessionId=x%26transcription%3Dno%23%C3%A9&transcription=true"},
		{"ids with all that they may hold", "", testPath, relay.Call{Bot: "a.B_c:d-1", Session: "a.B_c:d-1"}, true,
			"/api/public/bot/a.B_c:d-1/voicemail?sessionId=a.B_c%3Ad-1&transcription=true"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := serve(t, answer(200, readyBody))
			cfg := config(srv.URL + row.base)
			cfg.Path, cfg.Transcription = row.path, row.transcription
			v, requests, err := client(t, cfg).Voicemail(t.Context(), row.call, yes)
			if told(v, err) != "ready" || requests != 1 {
				t.Fatalf("got %s in %d requests, want ready in one", told(v, err), requests)
			}
			r := srv.requests()[0]
			if r.Method != "GET" || r.RequestURI != row.want {
				t.Errorf("got  %s %s\nwant GET %s", r.Method, r.RequestURI, row.want)
			}
			if got := r.Header.Get("Accept"); got != "application/json" {
				t.Errorf("got Accept %q, want application/json", got)
			}
			if strings.Count(r.Header.Get("auth"), ".") != 2 || len(r.Header["Authorization"]) != 0 || r.Header.Get("User-Agent") != "voicemail-relay" {
				t.Errorf("got auth of %d dots, Authorization %v, User-Agent %q; want 2, none, voicemail-relay",
					strings.Count(r.Header.Get("auth"), "."), len(r.Header["Authorization"]), r.Header.Get("User-Agent"))
			}
		})
	}
}

func TestQuickRetries(t *testing.T) {
	ready := answer(200, readyBody)
	for _, row := range []struct {
		name     string
		each     []http.HandlerFunc
		granted  int
		want     string
		requests int
		asked    int
	}{
		{"a good answer costs one", []http.HandlerFunc{ready}, 9, "ready", 1, 0},
		{"a blip is asked again", []http.HandlerFunc{answer(503, ""), ready}, 9, "ready", 2, 1},
		{"two blips too", []http.HandlerFunc{answer(500, ""), answer(502, ""), ready}, 9, "ready", 3, 2},
		{"a third is trouble", []http.HandlerFunc{answer(504, ""), answer(504, ""), answer(504, ""), ready}, 9, "transient: error", 3, 2},
		{"a dropped connection is a blip", []http.HandlerFunc{drop, ready}, 9, "ready", 2, 1},
		{"no budget, no second request", []http.HandlerFunc{answer(500, ""), ready}, 0, "transient: error", 1, 1},
		{"budget for one more", []http.HandlerFunc{drop, answer(500, ""), ready}, 1, "transient: error", 2, 2},
		{"who names a time is left alone", []http.HandlerFunc{answer(503, "", "Retry-After", "1"), ready}, 9, "transient: error", 1, 0},
		{"a limit is no blip", []http.HandlerFunc{answer(429, ""), ready}, 9, "limited: limited", 1, 0},
		{"nor is a refusal", []http.HandlerFunc{answer(401, ""), ready}, 9, "refused: refused", 1, 0},
		{"nor a page", []http.HandlerFunc{answer(200, "<html>"), ready}, 9, "transient: unreadable", 1, 0},
		{"nor a cut body", []http.HandlerFunc{answer(200, "{", "Content-Length", "9"), ready}, 9, "transient: unreadable", 1, 0},
		{"nor a cut body under a 500", []http.HandlerFunc{answer(500, "{", "Content-Length", "9"), ready}, 9, "transient: error", 1, 0},
		{"a cut refusal is one", []http.HandlerFunc{answer(401, "{", "Content-Length", "9"), ready}, 9, "refused: refused", 1, 0},
		{"a cut limit is one", []http.HandlerFunc{answer(429, "{", "Content-Length", "9"), ready}, 9, "limited: limited", 1, 0},
		{"nothing yet is no blip", []http.HandlerFunc{answer(204, ""), ready}, 9, "nothing: no_content", 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := serve(t, answers(row.each...))
			again, asked := counted(row.granted)
			v, requests, err := client(t, config(srv.URL)).Voicemail(t.Context(), testCall, again)
			if told(v, err) != row.want || requests != row.requests || *asked != row.asked {
				t.Errorf("got %s in %d requests, %d asked for, want %s in %d, %d", told(v, err), requests, *asked, row.want, row.requests, row.asked)
			}
			if got := len(srv.requests()); got != row.requests {
				t.Errorf("got %d requests at the API, want the %d that were told", got, row.requests)
			}
		})
	}
}

// net/http repeats a GET when a kept connection breaks under it. Each would be a request that no budget granted.
func TestNoRequestIsMadeBehindOnesBack(t *testing.T) {
	ready := answer(200, readyBody)
	srv := serve(t, answers(ready, drop, ready))
	c := client(t, config(srv.URL))
	for i, want := range []string{"ready", "transient: unreachable", "ready"} {
		v, requests, err := c.Voicemail(t.Context(), testCall, no)
		if told(v, err) != want || requests != 1 || len(srv.requests()) != i+1 {
			t.Fatalf("request %d: got %s in %d requests, %d at the API, want %s in 1, %d", i+1, told(v, err), requests, len(srv.requests()), want, i+1)
		}
		if r := srv.requests()[i]; r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
			t.Errorf("request %d: got a body of %d bytes, encoded %v, want none", i+1, r.ContentLength, r.TransferEncoding)
		}
	}
}

func TestHTTP2(t *testing.T) {
	var lengths []int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lengths = append(lengths, int64(r.ProtoMajor), r.ContentLength)
		answer(200, readyBody)(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	cfg := config(srv.URL)
	own := newTransport(cfg)
	own.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	cfg.Transport = own
	c := client(t, cfg)
	for range 2 {
		if v, _, err := c.Voicemail(t.Context(), testCall, no); told(v, err) != "ready" {
			t.Fatalf("got %s, want ready", told(v, err))
		}
	}
	if want := []int64{2, 0, 2, 0}; !slices.Equal(lengths, want) {
		t.Errorf("got protocols and body lengths %v, want %v", lengths, want)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var dialled sync.Map
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		dialled.Store(r.RemoteAddr, true)
		answers(answer(401, msg("x")))(w, r)
	})
	c := client(t, config(srv.URL))
	for range 5 {
		_, _, _ = c.Voicemail(t.Context(), testCall, no)
	}
	n := 0
	dialled.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("got %d connections for 5 requests, want 1", n)
	}
}

func TestBodies(t *testing.T) {
	pad := strings.Repeat(" ", MaxBody-len(readyBody))
	zipped := func(body string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		return b.String()
	}
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
	}{
		{"4 MiB to the byte", answer(200, readyBody+pad), "ready"},
		{"a byte over 4 MiB", answer(200, readyBody+pad+" "), "transient: unreadable"},
		{"a byte over 4 MiB, whatever the status", answer(404, msg("session")+pad+pad), "transient: unreadable"},
		{"compressed", answer(200, zipped(readyBody), "Content-Encoding", "gzip"), "ready"},
		{"over 4 MiB once decompressed", answer(200, zipped(readyBody+pad+" "), "Content-Encoding", "gzip"), "transient: unreadable"},
		{"compressed and cut", answer(200, zipped(readyBody)[:40], "Content-Encoding", "gzip"), "transient: unreadable"},
		{"said to be compressed", answer(200, readyBody, "Content-Encoding", "gzip"), "transient: unreadable"},
		{"said to be a page", answer(200, readyBody, "Content-Type", "text/html"), "ready"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := serve(t, row.handle)
			v, requests, err := client(t, config(srv.URL)).Voicemail(t.Context(), testCall, yes)
			if told(v, err) != row.want || requests != 1 {
				t.Errorf("got %s in %d requests, want %s in one", told(v, err), requests, row.want)
			}
		})
	}
}

// The body of an answer that hands the connection over ends with the connection, and no time-out reaches a read of it.
func TestConnectionThatIsHandedOverEndsTheRequest(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() { <-held; _ = conn.Close() }()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
	})
	cfg := config(srv.URL)
	cfg.Timeout = 2 * time.Second
	ended := make(chan string, 1)
	go func() {
		v, _, err := client(t, cfg).Voicemail(t.Context(), testCall, no)
		ended <- told(v, err)
	}()
	select {
	case got := <-ended:
		if got != "transient: error" {
			t.Errorf("got %s, want transient: error", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("a request hangs for longer than its time-out")
	}
}

func TestRedirects(t *testing.T) {
	ready := answer(200, readyBody)
	to := func(status int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.ReplaceAll(location, "HOST", r.Host))
			w.WriteHeader(status)
		}
	}
	const elsewhere = "the API redirects to another host; the token is not sent there: check smartassist.base_url"
	for _, row := range []struct {
		name     string
		each     []http.HandlerFunc
		again    asking
		want     string
		requests int
		text     string
	}{
		{"a place on the same host", []http.HandlerFunc{to(302, "/v2/there?sessionId=1"), ready}, yes, "ready", 2, ""},
		{"the same host by name", []http.HandlerFunc{to(308, "http://HOST/v2/there"), ready}, yes, "ready", 2, ""},
		{"the same host without a scheme", []http.HandlerFunc{to(307, "//HOST/v2/there"), ready}, yes, "ready", 2, ""},
		{"the same host with a user", []http.HandlerFunc{to(301, "http://a:b@HOST/v2/there"), ready}, yes, "ready", 2, ""},
		{"two hops", []http.HandlerFunc{to(303, "/a"), to(301, "b"), ready}, yes, "ready", 3, ""},
		{"three hops", []http.HandlerFunc{to(302, "/a"), to(302, "/a"), to(302, "/a"), ready}, yes, "transient: error", 3, "over and over"},
		{"no budget", []http.HandlerFunc{to(302, "/a"), ready}, no, "transient: error", 1, "no budget"},
		{"a hop and a blip", []http.HandlerFunc{to(302, "/a"), answer(502, ""), ready}, yes, "ready", 3, ""},
		{"another host", []http.HandlerFunc{to(302, "http://media.example.com/canary"), ready}, yes, "transient: error", 1, elsewhere},
		{"another port", []http.HandlerFunc{to(302, "http://127.0.0.1:1/canary"), ready}, yes, "transient: error", 1, elsewhere},
		{"another scheme", []http.HandlerFunc{to(302, "https://HOST/canary"), ready}, yes, "transient: error", 1, elsewhere},
		{"a file", []http.HandlerFunc{to(302, "file:///etc/canary"), ready}, yes, "transient: error", 1, elsewhere},
		{"nowhere", []http.HandlerFunc{answer(302, ""), ready}, yes, "transient: error", 1, "does not say where to"},
		{"a place that is none", []http.HandlerFunc{to(302, "http://can ary/%zz"), ready}, yes, "transient: error", 1, "does not say where to"},
		{"not modified", []http.HandlerFunc{to(304, "/a"), ready}, yes, "transient: error", 1, "HTTP 304: neither"},
		{"a choice", []http.HandlerFunc{to(300, "/a"), ready}, yes, "transient: error", 1, "HTTP 300: neither"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := serve(t, answers(row.each...))
			v, requests, err := client(t, config(srv.URL)).Voicemail(t.Context(), testCall, row.again)
			if told(v, err) != row.want || requests != row.requests || len(srv.requests()) != row.requests {
				t.Fatalf("got %s in %d requests, %d at the API, want %s in %d", told(v, err), requests, len(srv.requests()), row.want, row.requests)
			}
			if err != nil && !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %q, want %q in it", err, row.text)
			}
			for _, r := range srv.requests() {
				if r.Header.Get("auth") == "" || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
					t.Errorf("got a hop with auth %v, Authorization %q, Referer %q", r.Header.Get("auth") != "", r.Header.Get("Authorization"), r.Header.Get("Referer"))
				}
			}
		})
	}
}

func TestSameHost(t *testing.T) {
	for _, row := range []struct{ from, to, want string }{
		{"https://a.example.com/x", "https://A.example.com:443/y", "https://a.example.com/y"},
		{"https://a.example.com:443/x", "https://a.example.com/y", "https://a.example.com:443/y"},
		{"http://a.example.com/x", "http://a.example.com:80/y", "http://a.example.com/y"},
		{"https://a.example.com/x", "https://a.example.com:8443/y", ""},
		{"https://a.example.com/x", "https://a.example.com.evil.example/y", ""},
		{"https://a.example.com/x", "https://a.example.com@evil.example/y", ""},
		{"https://a.example.com/x", `https://evil.example\@a.example.com/y`, ""},
		{"https://a.example.com/x", "http://a.example.com/y", ""},
		{"https://[::1]:8443/x", "https://[::1]:8443/y", "https://[::1]:8443/y"},
	} {
		from, err := http.NewRequest("GET", row.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := redirected(from.URL, &http.Response{StatusCode: 302, Header: http.Header{"Location": {row.to}}})
		got := ""
		if r.redirect != nil {
			got = r.redirect.String()
		}
		if got != row.want {
			t.Errorf("%s to %s: got %q, want %q", row.from, row.to, got, row.want)
		}
	}
}

func TestObserve(t *testing.T) {
	srv := serve(t, answers(answer(500, ""), answer(302, "", "Location", "/a"), answer(200, readyBody), answer(204, ""), answer(401, ""), answer(405, ""), answer(429, ""), answer(200, "x")))
	cfg := config(srv.URL)
	var got []string
	cfg.Observe = func(result string, seconds float64) {
		if seconds < 0 || !slices.Contains(Results(), result) {
			t.Errorf("got %s after %v s, want one of %v", result, seconds, Results())
		}
		got = append(got, result)
	}
	c := client(t, cfg)
	for range 6 {
		_, _, _ = c.Voicemail(t.Context(), testCall, yes)
	}
	srv.Close()
	_, _, _ = c.Voicemail(t.Context(), testCall, no)
	want := []string{"error", "redirected", "ready", "nothing_yet", "refused", "rejected", "limited", "unreadable", "unreachable"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	var n atomic.Int64
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer([]int{200, 401, 503, 200}[n.Add(1)%4], readyBody)(w, r)
	})
	cfg := config(srv.URL)
	cfg.MaxConns = 16
	c := client(t, cfg)
	var wg sync.WaitGroup
	var made atomic.Int64
	for i := range 16 {
		wg.Go(func() { // ends by itself
			for k := range 20 {
				_, requests, _ := c.Voicemail(t.Context(), relay.Call{Bot: "st-1", Session: fmt.Sprintf("s%d-%d", i, k)}, yes)
				made.Add(int64(requests))
			}
		})
	}
	wg.Wait()
	if got, want := made.Load(), n.Load(); got != want {
		t.Errorf("got %d requests told, want the %d at the API", got, want)
	}
}
