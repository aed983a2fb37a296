package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/smartassist/smartassisttest"
	"voicemail-relay/internal/trace"
	"voicemail-relay/schemas"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6")                                                             // real processes mostly wait; bubbles are never parallel
	ats.Register()                                                                                 // the server's clock goroutine has to begin outside of any bubble
	testscript.Main(m, map[string]func(){"voicemail-relay": main, "test-nats-server": natsServer}) // puts the command on PATH, for scripts and real processes
}

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata"}) }

// A world is the whole relay, the code that ships, between a real server and the emulator, in virtual time: an hour of waiting takes no
// time at all.
type world struct {
	t        *testing.T
	dir      string
	launch   func() (backend, error)         // starts a server; natsd's unless a test says otherwise
	identity func(user string) []nats.Option // how a user connects; nil: nobody is asked
	server   atomic.Pointer[backend]         // nil while it is down
	api      *pipeListener
	emu      *smartassisttest.Server
	http     *http.Server
	nc       *nats.Conn
	js       jetstream.JetStream
	settings settings.Settings
	log      *lockedBuffer
	relay    *replica   // nil while it is down
	replicas []*replica // all that ever ran
	daemon   *daemon
	began    time.Time
	observe  func(bus.Settlement) // told of every settlement, if set
	tracer   *trace.Tracer        // of every relay, if set

	asking sync.Mutex
	asks   []time.Time // requests within the last 60 s, when they left
	most   int         // ever in asks
}

// A backend is a server that a world runs against.
type backend interface {
	InProcessConn() (net.Conn, error)
	Shutdown()
}

// asked counts a request where it leaves: a network that holds up many lets them arrive at once.
func (w *world) asked(at time.Time) {
	w.asking.Lock()
	defer w.asking.Unlock()
	for len(w.asks) > 0 && at.Sub(w.asks[0]) >= time.Minute {
		w.asks = w.asks[1:]
	}
	w.asks = append(w.asks, at)
	w.most = max(w.most, len(w.asks))
}

const (
	testApp    = "cs-canary-app"
	testSecret = "canary-secret-9f8e7d"
)

// newWorld is a world before anything runs in it; its server keeps what it stores in dir.
func newWorld(t *testing.T, dir string) *world {
	w := &world{t: t, dir: dir, began: time.Now(), log: &lockedBuffer{}}
	w.launch = func() (backend, error) { return natsd.Start(natsd.Config{StoreDir: w.dir, MaxStore: 64 << 20}) } // killed, it goes on with another dir
	return w
}

// inWorld runs a test in a world of its own. flags are settings as path=value, one that begins with accounts: is YAML; the account is
// unlimited unless they say otherwise.
func inWorld(t *testing.T, flags []string, test func(*world)) {
	t.Helper()
	inEmptyWorld(t, flags, func(w *world) {
		w.start()
		test(w)
		w.halt()
	})
}

// inEmptyWorld is inWorld without a relay; furnish sees the world before its server starts.
func inEmptyWorld(t *testing.T, flags []string, test func(*world), furnish ...func(*world)) {
	t.Helper()
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		w := newWorld(t, dir)
		for _, f := range furnish {
			f(w)
		}
		w.startServer()
		w.emu = smartassisttest.New(smartassisttest.Config{AppID: testApp, Secret: testSecret})
		w.api = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		w.http = &http.Server{Handler: w.emu}
		go func() { _ = w.http.Serve(w.api) }() // ends with the listener
		src := settings.Source{Need: settings.NeedAccount, Flags: []settings.Flag{
			{Path: "smartassist.base_url", Value: "http://127.0.0.1:1"}, {Path: "smartassist.app_id", Value: testApp}, {Path: "smartassist.app_secret", Value: testSecret},
			{Path: "smartassist.rate_limit", Value: "0"}, {Path: "log.level", Value: "debug"}}}
		for _, f := range flags {
			if strings.HasPrefix(f, "accounts:") {
				src.File, src.YAML = "test.yaml", []byte(f)
				continue
			}
			path, value, _ := strings.Cut(f, "=")
			src.Flags = append(src.Flags, settings.Flag{Path: path, Value: value})
		}
		e, err := settings.Load(src)
		if err != nil {
			t.Fatal(err)
		}
		w.settings = e.Settings
		t.Cleanup(w.abandon)
		test(w)
		w.nc.Close()
		_ = w.http.Close()
		w.stopServer()
		w.checkEvents()
		w.checkCanary()
	})
}

// abandon ends what a test that failed midway left running: a bubble with goroutines in it ends the whole program, and buries what went wrong.
func (w *world) abandon() {
	if !w.t.Failed() {
		return
	}
	for _, r := range w.replicas {
		r.kill()
		_ = r.terminate()
	}
	w.nc.Close()
	_ = w.http.Close()
	if s := w.server.Swap(nil); s != nil {
		(*s).Shutdown()
	}
}

func (w *world) startServer() {
	s, err := w.launch()
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.Store(&s)
	if w.nc == nil {
		w.nc = w.dial()
		w.js, _ = jetstream.New(w.nc)
	}
}

func (w *world) stopServer() { (*w.server.Swap(nil)).Shutdown() }

// InProcessConn connects to the server of the moment.
func (w *world) InProcessConn() (net.Conn, error) {
	s := w.server.Load()
	if s == nil {
		return nil, errors.New("connection refused")
	}
	return (*s).InProcessConn()
}

func (w *world) dial() *nats.Conn { return w.as("test", w) }

// as connects somebody to the server of the moment; to the test's own the server grants everything.
func (w *world) as(user string, way nats.InProcessConnProvider) *nats.Conn {
	d := bus.Dialing{Name: user, Wait: true, Log: logger(w.log, settings.Log{Level: "debug", Format: "json"}), Options: []nats.Option{nats.InProcessServer(way)}}
	if user == "relay" {
		d.Inbox = bus.Inbox
	}
	if w.identity != nil {
		d.Options = append(d.Options, w.identity(user)...)
	}
	nc, err := bus.Dial(d)
	if err != nil {
		w.t.Fatal(err)
	}
	return nc
}

// start starts a relay, and waits until it is ready.
func (w *world) start() {
	w.relay = w.replica()
	w.daemon = w.relay.daemon
	w.relay.awaitReady(w.t)
}

// halt stops the relay as SIGTERM does.
func (w *world) halt() {
	if w.relay == nil {
		return
	}
	if err := w.relay.terminate(); err != nil {
		w.t.Errorf("run ended with %v", err)
	}
	w.relay = nil
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// call publishes a call.ended body.
func (w *world) call(body string, header ...string) {
	w.t.Helper()
	m := nats.NewMsg("call.ended")
	m.Data = []byte(body)
	for i := 0; i+1 < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	if _, err := w.js.PublishMsg(context.Background(), m); err != nil {
		w.t.Fatal(err)
	}
}

// session publishes a plain call of a session.
func (w *world) session(id string) { w.call(fmt.Sprintf(`{"botId":"st-1","sessionId":%q}`, id)) }

// A told verdict, as a reader of the stream sees it.
type told struct {
	subject  string
	header   nats.Header
	body     []byte
	at       time.Time
	sequence uint64
	event    map[string]any
}

func (v told) str(name string) string { s, _ := v.event[name].(string); return s }
func (v told) num(name string) int    { n, _ := v.event[name].(float64); return int(n) }

// verdicts reads all that were told so far. Like each reading of the server it waits until the world stands still: a step that is seen half done is told by the race of two processors.
func (w *world) verdicts() []told {
	w.t.Helper()
	synctest.Wait()
	s, err := w.js.Stream(context.Background(), "VOICEMAILS")
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := s.Info(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var all []told
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && info.State.Msgs > 0; seq++ {
		m, err := s.GetMsg(context.Background(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // deleted
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		v := told{subject: m.Subject, header: m.Header, body: m.Data, at: m.Time, sequence: seq}
		if err := json.Unmarshal(m.Data, &v.event); err != nil {
			w.t.Fatalf("verdict %d is no JSON: %v", seq, err)
		}
		if data, ok := v.event["data"].(map[string]any); ok && v.event["specversion"] != nil {
			v.event = data
		}
		all = append(all, v)
	}
	return all
}

// await waits until n verdicts are told, at most d.
func (w *world) await(n int, d time.Duration) []told {
	w.t.Helper()
	sub, err := w.nc.SubscribeSync("voicemail.*")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_ = w.nc.FlushWithContext(ctx)
	for {
		vs := w.verdicts() // in a world that stands still: the server hands a verdict to subscribers before it is stored, and this one may have come too late for the one, and look too early for the other
		if len(vs) >= n {
			return vs
		}
		if _, err := sub.NextMsgWithContext(ctx); err != nil {
			w.t.Fatalf("%d verdicts after %s, want %d; the log:\n%s", len(vs), d, n, w.log.String())
		}
	}
}

// one waits for the one verdict of a world with one call.
func (w *world) one(d time.Duration) told { w.t.Helper(); return w.await(1, d)[0] }

// waiting counts the messages of the work stream under a filter.
func (w *world) waiting(filter string) int {
	w.t.Helper()
	synctest.Wait() // what is stored may not be acknowledged yet, see verdicts
	s, err := w.js.Stream(context.Background(), "VOICEMAIL_WORK")
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := s.Info(context.Background(), jetstream.WithSubjectFilter(filter))
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, k := range info.State.Subjects {
		n += int(k)
	}
	return n
}

// checkEvents holds every event that left to its schema.
func (w *world) checkEvents() {
	s, err := w.launch()
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Shutdown()
	w.server.Store(&s)
	w.nc = w.dial()
	defer w.nc.Close()
	w.js, _ = jetstream.New(w.nc)
	seen := map[string]bool{}
	for _, v := range w.verdicts() {
		body := v.body
		if v.header.Get("Content-Type") != "" {
			var envelope struct{ Data json.RawMessage }
			_ = json.Unmarshal(body, &envelope)
			body = envelope.Data
		}
		kind := v.subject[strings.LastIndexByte(v.subject, '.')+1:]
		if err := schemas.Validate("voicemail."+kind, body); err != nil {
			w.t.Errorf("%s is not valid: %v", v.subject, err)
		}
		id := v.header.Get("Nats-Msg-Id")
		if id == "" || seen[id] {
			w.t.Errorf("verdict id %q is empty or told twice", id)
		}
		seen[id] = true
	}
}

func metricsText(t *testing.T, d *daemon) string {
	t.Helper()
	rec := &responseRecorder{header: http.Header{}}
	req, _ := http.NewRequest(http.MethodGet, "/metrics", nil)
	d.ops().Handler().ServeHTTP(rec, req)
	if rec.status != 0 && rec.status != http.StatusOK {
		t.Errorf("/metrics answers %d", rec.status)
	}
	return rec.body.String()
}

type responseRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *responseRecorder) Header() http.Header         { return r.header }
func (r *responseRecorder) WriteHeader(status int)      { r.status = status }
func (r *responseRecorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// key is a session's key.
func key(bot, session string) string { return relay.Call{Bot: bot, Session: session}.Key() }
