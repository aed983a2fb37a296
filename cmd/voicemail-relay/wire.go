package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/console"
	"voicemail-relay/internal/forecast"
	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/smartassist"
	"voicemail-relay/internal/trace"
)

// names are the subjects, streams and durables that settings describe.
func names(s settings.Settings) bus.Names {
	return bus.Names{Prefix: s.NATS.Prefix, CallsSubject: s.Calls.Subject, CallsStream: s.Calls.Stream, Durable: s.Calls.Durable, ReadySubject: s.Ready.Subject}
}

// dialing is how settings reach NATS.
func dialing(s settings.NATS, name string, log *zap.Logger) bus.Dialing {
	return bus.Dialing{URL: s.URL, CredentialsFile: s.CredentialsFile, CAFile: s.TLS.CAFile, CertFile: s.TLS.CertFile, KeyFile: s.TLS.KeyFile,
		Name: "voicemail-relay " + name, Log: log}
}

// connectWithin is how long a command other than run gives the servers, all told.
const connectWithin = 5 * time.Second

// connect reaches NATS for a command that gives up after 5 s; at once when a server refuses its credentials.
func connect(ctx context.Context, s settings.Settings, name string) (*nats.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectWithin, errors.New("no answer"))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var last atomic.Value // the latest try's error, in an array: errors differ in type
	d := dialing(s.NATS, name, zap.NewNop())
	d.Wait, d.Each = true, connectWithin/time.Duration(1+strings.Count(s.NATS.URL, ","))
	d.Failed = func(err error) {
		last.Store([1]error{err})
		if errors.Is(err, nats.ErrAuthorization) {
			stop(err)
		}
	}
	nc, err := bus.Dial(d)
	if err != nil {
		return nil, err
	}
	err = bus.Connected(ctx, nc)
	if err == nil {
		return nc, nil
	}
	defer nc.Close()
	if ctx.Err() == nil || errors.Is(err, bus.ErrServer) {
		return nil, err
	}
	why := context.Cause(ctx)
	if l, ok := last.Load().([1]error); ok {
		why = l[0]
	}
	if e := nc.LastError(); e != nil {
		why = e
	}
	return nil, fmt.Errorf("nats: no connection to nats.url within %s: %w", connectWithin, d.Refused(why))
}

// embed starts the server that nats.embedded asks for, at nats.url's address.
func embed(s settings.NATS) (*natsd.Server, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("nats.url: not a URL")
	}
	port, _ := strconv.Atoi(u.Port())
	if u.Port() == "" {
		port = nats.DefaultPort
	}
	if err := os.MkdirAll(s.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("nats.store_dir: %w", err)
	}
	server, err := natsd.Start(natsd.Config{StoreDir: s.StoreDir, Host: u.Hostname(), Port: port, SyncAlways: true})
	if err != nil {
		return nil, fmt.Errorf("nats.embedded: %w; check nats.store_dir, and that nothing else has the port of nats.url", err)
	}
	return server, nil
}

// A daemon is a relay, wired.
type daemon struct {
	bus     *bus.Bus
	relay   *relay.Relay
	metrics *console.Metrics
	purses  map[string]*budget.Purse
	lessons map[string]*forecast.Forecast // of the accounts with a limit: the others are not planned
	clients []*smartassist.Client         // in the accounts' order
}

// run runs the daemon until ctx ends. The purses and forecasts outlive the bus: what it finishes may need them.
func (d *daemon) run(ctx context.Context) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var kept sync.WaitGroup
	for _, p := range d.purses {
		kept.Go(func() { p.Run(keeping, d.bus.Records()) })
	}
	for _, f := range d.lessons {
		kept.Go(func() { f.Run(keeping, d.bus.Records()) })
	}
	err := d.bus.Run(ctx, d.relay)
	stop()
	kept.Wait()
	return err
}

// extras are what demo and tests add to a daemon.
type extras struct {
	observe   func(bus.Settlement) // told about every settlement, beside log and metrics
	transport http.RoundTripper    // to the API
	tracer    *trace.Tracer        // nil: no spans are made
}

// served are all accounts that settings name, in the order in which they are looked at.
func served(s settings.Settings) []settings.Account {
	if s.SmartAssist.BaseURL == "" {
		return s.Accounts
	}
	return append(s.Accounts[:len(s.Accounts):len(s.Accounts)], s.SmartAssist)
}

// wire makes a relay out of settings, on a connection.
func wire(s settings.Settings, nc *nats.Conn, log *zap.Logger, x extras) (*daemon, error) {
	d := &daemon{metrics: console.NewMetrics(version()), purses: map[string]*budget.Purse{}, lessons: map[string]*forecast.Forecast{}}
	d.relay = &relay.Relay{Now: time.Now, Policy: policy(s)}
	var lines []bus.Account
	accounts := served(s)
	own, all := ownSeats(s.Calls.Concurrency, len(accounts)), s.Calls.Concurrency
	for _, a := range accounts {
		all -= min(own, a.Concurrency)
	}
	seats := budget.NewSeats(all)
	for _, a := range accounts {
		var wrap func(http.RoundTripper) http.RoundTripper
		if x.tracer != nil {
			wrap = func(t http.RoundTripper) http.RoundTripper { return x.tracer.Transport(t, a.Path) }
		}
		client, err := smartassist.New(smartassist.Config{
			BaseURL: a.BaseURL, Path: a.Path, AppID: a.AppID, Secret: a.AppSecret, SecretFile: a.AppSecretFile, Algorithm: a.Algorithm,
			JTI: a.JTI, Transcription: a.Transcription, Timeout: a.Timeout, RetryFirst: min(s.Retry.First, time.Second), MaxConns: a.Concurrency,
			Transport: x.transport, Wrap: wrap,
			Observe:  func(result string, seconds float64) { d.metrics.Requested(a.Name, result, seconds) },
			OnSecret: tellSecret(log, a.Name),
		})
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		first := min(time.Second, s.Retry.Max)
		var tellRecord func(error)
		if a.RateLimit > 0 { // the others go on without it
			d.metrics.Limit(a.Name, a.RateLimit)
			d.metrics.Reachable(a.Name, true)
			tellRecord = func(err error) {
				d.metrics.Reachable(a.Name, err == nil)
				d.bus.Report("the budget of account "+a.Name, err)
			}
		}
		purse, err := budget.New(budget.Config{Limit: a.RateLimit, Seats: a.Concurrency, Shared: seats, Own: min(own, a.Concurrency),
			Queue: queued(s.Calls.Concurrency, len(accounts)), Key: "purse." + relay.Token(a.Name),
			ProbeFirst: first, ProbeMax: max(first, min(time.Minute, s.Retry.Max)), OnState: tellState(log, a.Name),
			OnRecord: tellRecord})
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		d.metrics.ExpectResults(a.Name, smartassist.Results()...)
		d.clients = append(d.clients, client)
		d.purses[a.Name] = purse
		account := relay.Account{Name: a.Name, Bots: a.Bots, Transcription: a.Transcription, Source: client, Purse: purse}
		if a.RateLimit > 0 {
			lessons, err := forecast.New(forecast.Config{Policy: d.relay.Policy, Budget: func() float64 { return purse.Snapshot().Rate }, Key: "lags." + relay.Token(a.Name)})
			if err != nil {
				return nil, fmt.Errorf("account %s: %w", a.Name, err)
			}
			account.Forecast, d.lessons[a.Name] = lessons, lessons
		}
		d.relay.Accounts = append(d.relay.Accounts, account)
		lines = append(lines, bus.Account{Name: a.Name, Seats: a.Concurrency, Purse: purse})
	}
	journal := console.Journal{Log: log, Metrics: d.metrics, Traced: x.tracer != nil}
	cfg := busConfig(s, log)
	if x.tracer != nil {
		cfg.Tracer = x.tracer
	}
	cfg.Accounts = lines
	for _, k := range bus.Incidents() {
		d.metrics.Expect(string(k))
	}
	cfg.Incident = func(kind bus.Incident, n int) { d.metrics.Incident(string(kind), n) }
	d.metrics.ExpectOperations(bus.Operations()...)
	cfg.Received, cfg.Stumbled = d.metrics.Received, d.metrics.Stumbled
	cfg.Observe = func(st bus.Settlement) {
		switch o := st.Outcome.(type) {
		case *relay.Verdict:
			journal.Verdict(o, *st.Verdict, st.Repeat)
		case *relay.Later:
			if f := d.lessons[o.Account]; f != nil && o.Fresh && !st.Repeat {
				f.Arrived()
			}
			journal.Later(o, st.Repeat)
		case *relay.Fold:
			journal.Fold(o)
		}
		if x.observe != nil {
			x.observe(st)
		}
	}
	b, err := bus.New(nc, cfg)
	if err != nil {
		return nil, err
	}
	d.bus, d.relay.Ledger = b, b
	d.metrics.Connect(console.Connection{Connected: b.Connected, Reconnects: b.Reconnects, InHand: b.InFlight})
	return d, nil
}

// ownSeats is how many of all seats each of several accounts has to itself: an eighth is divided, so that two slow ones, which may hold half of
// all each, leave the others something.
func ownSeats(all, accounts int) int {
	if accounts < 2 || all < 2*accounts {
		return 0
	}
	return max(1, all/8/accounts)
}

// queued is how many calls of each account may wait in hand for a seat: all that the bus takes in hand of an account that is alone, since its line may
// have every seat; of several a few, since all of them together have to leave room for what is to be parked.
func queued(all, accounts int) int {
	if accounts == 1 {
		return 2*all - all*7/8
	}
	return max(1, all/8/accounts)
}

// policy is how long to wait, by the settings.
func policy(s settings.Settings) relay.Policy {
	return relay.Policy{First: s.Wait.First, Max: s.Wait.Max, RecordingFor: s.Wait.RecordingFor, TranscriptFor: s.Wait.TranscriptFor,
		RetryFirst: s.Retry.First, RetryMax: s.Retry.Max, GiveUpAfter: s.Retry.GiveUpAfter}
}

func busConfig(s settings.Settings, log *zap.Logger) bus.Config {
	return bus.Config{Names: names(s), Replicas: s.NATS.Replicas, Provision: s.NATS.Provision, Concurrency: s.Calls.Concurrency, AckWait: s.Calls.AckWait,
		Structured: s.Ready.Format == "structured", LedgerKeep: s.Ledger.Keep, VerdictsKeep: s.Verdicts.Keep, Grace: s.ShutdownGrace, Dialing: dialing(s.NATS, "run", log), Log: log}
}

// tellState logs when an account is closed or opens again, with what to do.
func tellState(log *zap.Logger, account string) func(budget.State, time.Time) {
	log = log.With(zap.String("account", account)) // each account's storms are its own
	return func(st budget.State, until time.Time) {
		switch st {
		case budget.Refused:
			log.Error("the API refuses an account's credentials: its calls wait, one at a time tries again; check the account's app_id and app_secret, its scope 'SmartAssist Voicemail' and that the app is published",
				zap.Time("next_try", until))
		case budget.Paused:
			log.Warn("the API wants nothing for a while (over its rate limit, or Retry-After): the account's calls wait; if it happens often, look who else spends the account's budget, and lower its rate_limit",
				zap.Time("until", until))
		case budget.Down:
			log.Error("the API is in trouble with one call of an account after the other: its calls wait, one at a time tries again; check the account's base_url, the network and the API's status",
				zap.Time("next_try", until))
		case budget.Open:
			log.Info("the API serves an account again")
		}
	}
}

// tellSecret logs when an account's secret cannot be renewed out of its file, and when it can again.
func tellSecret(log *zap.Logger, account string) func(error) {
	log = log.With(zap.String("account", account))
	return func(err error) {
		if err != nil {
			log.Warn("an account's app_secret_file cannot be used: the secret that it held goes on; write the file anew", zap.Error(err))
			return
		}
		log.Info("an account's app_secret_file can be used again")
	}
}

// ops are the daemon's endpoints.
func (d *daemon) ops() console.Ops {
	return console.Ops{Ready: d.bus.Ready, Metrics: d.metrics, Refresh: func() {
		stuck := d.bus.Stuck()
		for _, operation := range bus.Operations() {
			d.metrics.Stuck(operation, stuck[operation])
		}
		for name, p := range d.purses {
			s := p.Snapshot()
			left := s.Left
			if s.Limit == 0 {
				left = -1
			}
			d.metrics.Purse(name, s.State.String(), left, s.InFlight)
			if f := d.lessons[name]; f != nil {
				d.metrics.Planned(name, console.Planned(f.Snapshot()), s.Pace)
			}
		}
	}}
}

// level keeps the gauges of what waits, until ctx ends.
func (d *daemon) level(ctx context.Context) {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		if d.bus.Ready() == nil {
			try, cancel := context.WithTimeout(ctx, 4*time.Second)
			if st, err := d.bus.Stats(try); err == nil {
				d.metrics.Level(console.Level{Lag: st.Lag, Waiting: st.Waiting, DeadLetters: st.DeadLetters, Lines: st.Lines, LineOldest: st.LineOldest, Oldest: st.Oldest, At: time.Now()})
			}
			cancel()
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen opens the ops endpoints' address.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr: %w; set another, or port 0 for any", err)
	}
	return l, nil
}
