package smartassist

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
)

const (
	testApp    = "cs-0c1e7b9a-0000-4000-8000-5c2f6f1d0001"
	testSecret = "canary-secret-5f2c"
	testPath   = "/api/public/bot/{botId}/voicemail"
)

var testCall = relay.Call{Bot: "st-b110", Session: "67aa38026e199c8f470e0001"}

func config(base string) Config {
	return Config{BaseURL: base, Path: testPath, AppID: testApp, Secret: testSecret, Algorithm: "HS256", Transcription: true,
		Timeout: 10 * time.Second, RetryFirst: time.Millisecond, MaxConns: 4}
}

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// an api is a server that is asked, and what it was asked.
type api struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func serve(t testing.TB, handle http.HandlerFunc) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r)
		a.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) requests() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.seen)
}

// answers is a handler that gives one answer after another, and the last one for good.
func answers(each ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := each[min(n, len(each)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const readyBody = `{"status":"success","voicemail recording":[{"fileName":"a.wav","fileUrl":"https://media.example.com/a.wav"}]}`

// An asking answers Voicemail's again.
type asking = func(context.Context, time.Duration) bool

func yes(ctx context.Context, wait time.Duration) bool { return waited(ctx, wait) }
func no(context.Context, time.Duration) bool           { return false }

func waited(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// counted grants n further requests and counts how often it was asked.
func counted(n int) (again asking, asked *int) {
	asked = new(int)
	return func(ctx context.Context, wait time.Duration) bool {
		*asked++
		return *asked <= n && waited(ctx, wait)
	}, asked
}

// told says in one line what a request came to.
func told(v relay.Voicemail, err error) string {
	if err == nil {
		if len(v.Recordings) > 0 {
			return "ready"
		}
		return "nothing: " + v.Status
	}
	t, ok := err.(*relay.Trouble)
	if !ok {
		return "not a trouble: " + err.Error()
	}
	return map[relay.TroubleKind]string{relay.Transient: "transient", relay.Refused: "refused", relay.Rejected: "rejected", relay.Limited: "limited"}[t.Kind] + ": " + t.Result
}

// pipes serves a handler without sockets, as virtual time needs it. The transport dials it under any address.
func pipes(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }() // ends with Close below
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = server.Close()
	})
	return tr
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { close(l.done); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// record passes on the token that it was asked with.
func record(tokens chan<- string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get("auth")
		w.WriteHeader(status)
	}
}
