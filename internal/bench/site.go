package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Programs are what is measured, and where.
type Programs struct {
	Self    string // this program's own executable: floor, server and emulator are run from it
	Relay   string // the relay
	Against string // another build of the relay, to compare with; may be empty
	NATS    string // a server that is there already; empty: one of its own for each pass
	Profile string // file for a CPU profile of the relay; empty: none
}

// A contender is what takes the calls of a pass.
type contender struct {
	name   string
	binary string // of the relay; empty: the floor
	ledger bool   // the floor's
	calm   bool   // it is spared the faults
}

// A site is a server, an emulator and one contender between them.
type site struct {
	p        Programs
	dir      string
	url, api string
	server   *process // nil where the server was given
	upstream *process
	subject  *process
	nc       *nats.Conn
	js       jetstream.JetStream
	begun    time.Duration // from the contender's start to its readiness
}

// open starts server and emulator, and makes the streams.
func open(ctx context.Context, p Programs, up upstreamRole) (s *site, err error) {
	s = &site{p: p, url: p.NATS}
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "voicemail-relay-bench-"); err != nil {
		return s, err
	}
	if s.url == "" {
		if s.server, s.url, err = s.child(ctx, role{Server: &serverRole{Dir: filepath.Join(s.dir, "store")}}); err != nil {
			return s, err
		}
	}
	if s.upstream, s.api, err = s.child(ctx, role{Upstream: &up}); err != nil {
		return s, err
	}
	if s.nc, err = nats.Connect(s.url); err != nil {
		return s, fmt.Errorf("bench: no connection to %s: %w", s.url, err)
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return s, err
	}
	if err = s.clear(ctx); err != nil {
		return s, err
	}
	setup := exec.CommandContext(ctx, p.Self, append([]string{"setup", "--nats.url", s.url, "--smartassist.app_id", appID}, named()...)...) // #nosec G204 -- this program itself
	setup.Env = clean(os.Environ())
	if out, err := setup.CombinedOutput(); err != nil {
		return s, fmt.Errorf("bench: setup: %w: %s", err, out)
	}
	return s, nil
}

// clear deletes what an earlier pass left on a given server.
func (s *site) clear(ctx context.Context) error {
	for _, name := range []string{callsStream, workStream, verdicts, "KV_" + ledgerBucket, "KV_" + budgetBucket} {
		if err := s.js.DeleteStream(ctx, name); err != nil && !isMissing(err) {
			return fmt.Errorf("bench: delete stream %s: %w", name, err)
		}
	}
	return nil
}

// child starts one of our own and returns its address.
func (s *site) child(ctx context.Context, r role) (*process, string, error) {
	config, err := json.Marshal(r)
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, s.dir, []string{s.p.Self, "bench", "child", string(config)})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	address, err := p.said(ctx, ready)
	return p, address, err
}

// enter starts a contender and waits until it takes calls. first is how long after its end a call is first asked for.
func (s *site) enter(ctx context.Context, c contender, concurrency int, first time.Duration) (err error) {
	began := time.Now()
	defer func() { s.begun = time.Since(began) }()
	if c.binary == "" {
		s.subject, _, err = s.child(ctx, role{Floor: &Floor{NATS: s.url, API: s.api, AppID: appID, Secret: secret, Concurrency: concurrency, Ledger: c.ledger}})
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	n := strconv.Itoa(concurrency)
	argv := []string{c.binary}
	if s.p.Profile != "" {
		argv = append(argv, "bench", "profile", s.p.Profile)
	}
	argv = append(argv, append([]string{"run", "--nats.url", s.url, "--http.addr", addr, "--smartassist.base_url", s.api, "--smartassist.app_id", appID, "--smartassist.rate_limit", "0",
		"--calls.concurrency", n, "--smartassist.concurrency", n, "--wait.first", first.String(), "--wait.recording_for", (first + 10*time.Minute).String(), "--log.format", "json"}, named()...)...)
	if s.subject, err = start(ctx, s.dir, argv, "RELAY_SMARTASSIST_APP_SECRET="+secret); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(2 * time.Millisecond): // it is not there yet: nothing else tells
		case err := <-s.subject.ended:
			s.subject.ended <- err
			return s.subject.trouble("it ended before it was ready", err)
		case <-within.Done():
			return s.subject.trouble("it did not become ready", within.Err())
		}
	}
}

// watched ends a context when the contender ends before it was told to.
func (s *site) watched(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with either
		select {
		case <-s.subject.gone:
			cancel(s.subject.trouble("it ended meanwhile", errors.New("too early")))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// tally asks the emulator what it counted.
func (s *site) tally() (t tally, err error) {
	resp, err := http.Get(s.api + tallyPath)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// close stops everything. The contender's own end counts: one that ends badly is no good.
func (s *site) close() error {
	err := s.subject.stop()
	if s.nc != nil {
		if s.p.NATS != "" {
			_ = s.clear(context.Background())
		}
		s.nc.Close()
	}
	for _, p := range []*process{s.upstream, s.server} {
		if e := p.stop(); err == nil {
			err = e
		}
	}
	if e := os.RemoveAll(s.dir); err == nil {
		err = e
	}
	return err
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
