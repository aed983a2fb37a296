package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// A clinic is a set-up that doctor looks at: a real server, and the emulator behind HTTP.
type clinic struct {
	t      *testing.T
	server *server.Server
	emu    *emu.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	args   map[string]string // flags without their dashes
}

// newClinic starts a server by a configuration, and the emulator. Where conf is empty the server writes all through to its disk.
func newClinic(t *testing.T, conf string) *clinic {
	t.Helper()
	dir := t.TempDir()
	if conf == "" {
		conf = "jetstream { store_dir: 'DIR', sync_interval: always }"
	}
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(conf, "DIR", filepath.Join(dir, "store"))), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.HTTPHost, o.HTTPPort, o.NoLog, o.NoSigs = "127.0.0.1", -1, "127.0.0.1", -1, true, true
	if o.ServerName == "" {
		o.ServerName = "patient"
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	c := &clinic{t: t, server: s, emu: emu.New(emu.Config{AppID: testApp, Secret: testSecret})}
	api := httptest.NewServer(c.emu)
	t.Cleanup(api.Close)
	c.args = map[string]string{"nats.url": s.ClientURL(), "http.addr": "127.0.0.1:0", "smartassist.base_url": api.URL, "smartassist.app_id": testApp, "smartassist.app_secret": testSecret,
		"monitor": "http://" + s.MonitorAddr().String()}
	return c
}

// connect connects the test, as a user of the configuration.
func (c *clinic) connect(user string) *clinic {
	c.t.Helper()
	var opts []nats.Option
	if user != "" {
		opts = append(opts, nats.UserInfo(user, user))
	}
	nc, err := nats.Connect(c.server.ClientURL(), opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	c.nc = nc
	if c.js, err = jetstream.New(nc); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// run runs a command with the clinic's flags.
func (c *clinic) run(command ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	for name, v := range c.args {
		if (name == "monitor" || name == "bot" || name == "since") && command[0] != "doctor" {
			continue
		}
		if v != "" {
			command = append(command, "--"+name+"="+v)
		}
	}
	return called(c.t, "", nil, command...)
}

// setup makes all streams and durables.
func (c *clinic) setup() {
	c.t.Helper()
	if _, stderr, code := c.run("setup"); code != exitDone {
		c.t.Fatal(stderr)
	}
}

// A diagnosis is what doctor printed as JSON.
type diagnosis struct {
	Checks               []checkup.Finding
	OK, Skip, Warn, Fail int
	Healthy              bool
	code                 int
	stdout, stderr       string
}

func (c *clinic) doctor(flags ...string) diagnosis {
	c.t.Helper()
	var d diagnosis
	d.stdout, d.stderr, d.code = c.run(append([]string{"doctor", "--json"}, flags...)...)
	if err := json.Unmarshal([]byte(d.stdout), &d); err != nil {
		c.t.Fatalf("%v: exit %d, %s%s", err, d.code, d.stdout, d.stderr)
	}
	for _, canary := range canaries {
		if strings.Contains(d.stdout+d.stderr, canary) {
			c.t.Errorf("%q is told: %s%s", canary, d.stdout, d.stderr)
		}
	}
	if want := map[bool]int{true: exitDone, false: exitFailed}[d.Fail == 0]; d.code != want || d.Healthy != (d.Fail == 0) || d.OK+d.Skip+d.Warn+d.Fail != len(d.Checks) {
		c.t.Errorf("exit %d, healthy %v: %s", d.code, d.Healthy, d.stdout)
	}
	return d
}

// bad are the findings that are neither ok nor skipped.
func (d diagnosis) bad() (bad []checkup.Finding) {
	for _, f := range d.Checks {
		if f.Grade == checkup.Warn || f.Grade == checkup.Fail {
			bad = append(bad, f)
		}
	}
	return bad
}

// one wants one finding to be bad, alone, and to say this.
func (d diagnosis) one(t *testing.T, want checkup.Finding) {
	t.Helper()
	bad := d.bad()
	if len(bad) != 1 {
		t.Errorf("%d findings are bad, want %v alone:\n%+v", len(bad), want, bad)
		return
	}
	got := bad[0]
	if got.Check != want.Check || got.Grade != want.Grade || !strings.Contains(got.Of, want.Of) || !strings.Contains(got.Found, want.Found) || !strings.Contains(got.Hint, want.Hint) || got.Hint == "" {
		t.Errorf("it finds\n%+v\nwant\n%+v", got, want)
	}
}

// find returns the findings of a check.
func (d diagnosis) find(check string) (all []checkup.Finding) {
	for _, f := range d.Checks {
		if f.Check == check {
			all = append(all, f)
		}
	}
	return all
}

func warn(check, of, found, hint string) checkup.Finding {
	return checkup.Warning(check, of, found, hint)
}
func fail(check, of, found, hint string) checkup.Finding {
	return checkup.Failure(check, of, found, hint)
}

// Nothing is found where all is well: before the relay ever ran, and while it runs. Each check looks.
func TestDoctorFindsNothingOnACleanSetUp(t *testing.T) {
	c := newClinic(t, "").connect("")
	d := c.doctor()
	if bad := d.bad(); len(bad) > 0 || d.code != exitDone {
		t.Errorf("before the first run it finds %+v", bad)
	}
	for _, f := range d.find("streams") {
		if f.Found != "not there yet: run creates it" {
			t.Errorf("before the first run a stream is %+v", f)
		}
	}
	if names := c.js.StreamNames(context.Background()); !slices.Equal(slices.Collect(chanOf(names.Name())), nil) {
		t.Errorf("doctor has made streams")
	}
	c.args["http.addr"] = "127.0.0.1:" + freePort(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { // ends with stop
		args := []string{"run"}
		for name, v := range c.args {
			if name != "monitor" {
				args = append(args, "--"+name+"="+v)
			}
		}
		ended <- run(ctx, args, strings.NewReader(""), &lockedBuffer{}, &lockedBuffer{}, nil)
	}()
	awaitReady(t, "http://"+c.args["http.addr"])
	d = c.doctor()
	if bad := d.bad(); len(bad) > 0 || d.Skip > 0 {
		t.Errorf("while the relay runs it finds %+v, and skips %d", bad, d.Skip)
	}
	for _, check := range []string{"settings", "nats", "version", "payload", "store", "permissions", "monitor", "clock", "streams", "schedules", "durables", "spans", "replicas", "fsync", "waiting", "dead_letters", "api", "budget", "api_clock", "token", "scope", "relay"} {
		if len(d.find(check)) == 0 {
			t.Errorf("nobody looked at %s", check)
		}
	}
	if got := c.emu.Requests(); got != 2 {
		t.Errorf("doctor was called twice and made %d requests, want one each", got)
	}
	text, _, code := c.run("doctor", "--no-request")
	if code != exitDone || !strings.Contains(text, "\nok    durables      the lines of account "+testApp+": all 4 as the settings say\n") || !strings.Contains(text, "\nskip  token         account "+testApp+": not asked: --no-request\n") ||
		!strings.HasSuffix(text, " 1 skip, 0 warn, 0 fail\n") || c.emu.Requests() != 2 {
		t.Errorf("exit %d, %d requests, and for people it prints\n%s", code, c.emu.Requests(), text)
	}
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("run: exit %d", code)
	}
}

// chanOf reads a channel to its end.
func chanOf[T any](c <-chan T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for v := range c {
			if !yield(v) {
				return
			}
		}
	}
}

func TestDoctorPrintsHintsBelow(t *testing.T) {
	c := newClinic(t, "")
	c.args["monitor"] = ""
	text, stderr, code := c.run("doctor", "--no-request")
	i := strings.Index(text, "\nwarn  fsync ")
	if code != exitDone || stderr != "" || i < 0 || !strings.HasPrefix(strings.SplitN(text[i+1:], "\n", 3)[1], strings.Repeat(" ", 19)+"hint: set sync_interval: always") {
		t.Errorf("exit %d, %s\n%s", code, stderr, text)
	}
	c.args["nats.url"] = "nats://127.0.0.1:1"
	if _, stderr, code := c.run("doctor", "--no-request"); code != exitFailed || stderr != "voicemail-relay: doctor: something is wrong: nats\n" {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// Each fault of a stream, a bucket or a durable, planted in what setup has made.
func TestDoctorFindsFaultsOfStreams(t *testing.T) {
	ctx := context.Background()
	edit := func(stream string, change func(*jetstream.StreamConfig)) func(*clinic) {
		return func(c *clinic) {
			s, err := c.js.Stream(ctx, stream)
			if err != nil {
				c.t.Fatal(err)
			}
			cfg := s.CachedInfo().Config
			change(&cfg)
			if _, err := c.js.UpdateStream(ctx, cfg); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	durable := func(stream string, change func(*jetstream.ConsumerConfig)) func(*clinic) {
		return func(c *clinic) {
			con, err := c.js.Consumer(ctx, stream, "voicemail-relay")
			if err != nil {
				c.t.Fatal(err)
			}
			cfg := con.CachedInfo().Config
			change(&cfg)
			if _, err := c.js.UpdateConsumer(ctx, stream, cfg); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	lose := func(stream string) func(*clinic) {
		return func(c *clinic) {
			if err := c.js.DeleteStream(ctx, stream); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	// theirs is a stream of others instead of CALLS.
	theirs := func(cfg jetstream.StreamConfig) func(*clinic) {
		return func(c *clinic) {
			lose("CALLS")(c)
			cfg.Name = "THEIRS"
			if cfg.Subjects == nil {
				cfg.Subjects = []string{"call.>"}
			}
			if _, err := c.js.CreateStream(ctx, cfg); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	const setup = "run voicemail-relay setup"
	for _, row := range []struct {
		name  string
		plant func(*clinic)
		flags string
		want  checkup.Finding
	}{
		{"a stream is missing, and run may not make it", lose("VOICEMAILS"), "--nats.provision=false", fail("streams", "stream VOICEMAILS", "it is not there, and nats.provision is false", setup)},
		{"a bucket is missing, and run may not make it", lose("KV_VOICEMAIL_LEDGER"), "--nats.provision=false", fail("streams", "bucket VOICEMAIL_LEDGER", "it is not there", setup)},
		{"another stream holds a verdict", func(c *clinic) {
			lose("VOICEMAILS")(c)
			_, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"voicemail.ready"}})
			if err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("streams", "stream VOICEMAILS", "stream OTHER holds voicemail.ready", "set nats.prefix")},
		{"another setting", nil, "--verdicts.keep=800h", warn("streams", "stream VOICEMAILS", "max_age 720h0m0s → 800h0m0s", setup)},
		{"a subject is gone", edit("VOICEMAILS", func(s *jetstream.StreamConfig) { s.Subjects = []string{"voicemail.ready", "voicemail.absent"} }), "", fail("streams", "stream VOICEMAILS", "does not hold voicemail.failed", setup)},
		{"a limit ends waiting calls", edit("VOICEMAIL_WORK", func(s *jetstream.StreamConfig) { s.MaxMsgs = 100 }), "", fail("streams", "stream VOICEMAIL_WORK", "max_msgs 100, which ends waiting calls", setup)},
		{"another kind of stream", func(c *clinic) {
			lose("VOICEMAIL_WORK")(c)
			if _, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "VOICEMAIL_WORK", Subjects: []string{"voicemail.work.>"}, AllowMsgSchedules: true}); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("streams", "stream VOICEMAIL_WORK", "is there with another retention", "rename or delete it")},
		{"calls come from the relay's own", nil, "--calls.stream=VOICEMAILS", fail("streams", "calls.subject call.ended", "belongs to the relay's own stream", "set another")},
		{"others' stream cannot work", theirs(jetstream.StreamConfig{NoAck: true}), "", fail("streams", "stream THEIRS", "no_ack is true", "set no_ack to false")},
		{"others' stream refuses large calls", theirs(jetstream.StreamConfig{MaxMsgSize: 2000}), "", warn("streams", "stream THEIRS", "max_msg_size is 2000", "raise it to 65536")},
		{"others' stream forgets soon", theirs(jetstream.StreamConfig{MaxAge: 10 * time.Minute}), "", warn("streams", "stream THEIRS", "max_age is 10m: calls are lost", "better to 168h (ledger.keep)")},
		{"others' stream is in memory", theirs(jetstream.StreamConfig{Storage: jetstream.MemoryStorage}), "", warn("replicas", "stream THEIRS", "kept in memory", "storage on file")},
		{"no message schedules", func(c *clinic) {
			lose("VOICEMAIL_WORK")(c)
			if _, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "VOICEMAIL_WORK", Subjects: []string{"voicemail.work.>"}, Retention: jetstream.WorkQueuePolicy, AllowMsgTTL: true, AllowDirect: true}); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("schedules", "stream VOICEMAIL_WORK", "appointments would never fire", "2.12 or later on every node, then voicemail-relay setup")},
		{"the ledger is in memory", func(c *clinic) {
			lose("KV_VOICEMAIL_LEDGER")(c)
			if _, err := c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "VOICEMAIL_LEDGER", TTL: 168 * time.Hour, Storage: jetstream.MemoryStorage}); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("replicas", "stream KV_VOICEMAIL_LEDGER", "kept in memory", "storage on file")},
		{"a durable is missing, and run may not make it", func(c *clinic) {
			if err := c.js.DeleteConsumer(ctx, "CALLS", "voicemail-relay"); err != nil {
				c.t.Fatal(err)
			}
		}, "--nats.provision=false", fail("durables", "durable voicemail-relay of stream CALLS", "it is not there", setup)},
		{"a durable gives up", durable("CALLS", func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 3 }), "", fail("durables", "durable voicemail-relay of stream CALLS", "max_deliver 3", setup)},
		{"a durable is for others", durable("CALLS", func(c *jetstream.ConsumerConfig) { c.FilterSubject = "" }), "", fail("durables", "durable voicemail-relay", `is for "", not for "call.ended"`, setup)},
		{"a durable pushes", func(c *clinic) {
			if err := c.js.DeleteConsumer(ctx, "CALLS", "voicemail-relay"); err != nil {
				c.t.Fatal(err)
			}
			js, _ := c.nc.JetStream()
			if _, err := js.AddConsumer("CALLS", &nats.ConsumerConfig{Durable: "voicemail-relay", DeliverSubject: "x", AckPolicy: nats.AckExplicitPolicy, FilterSubject: "call.ended"}); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("durables", "durable voicemail-relay", "is not a pull consumer", "delete it, or set calls.durable")},
		{"a durable is paused", func(c *clinic) {
			if _, err := c.js.PauseConsumer(ctx, "CALLS", "voicemail-relay", time.Now().Add(time.Hour)); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("durables", "durable voicemail-relay", "somebody paused it, for ", "nats consumer resume CALLS voicemail-relay")},
		{"another ack_wait", durable("CALLS", func(c *jetstream.ConsumerConfig) { c.AckWait = time.Minute }), "", warn("durables", "durable voicemail-relay", "ack_wait 1m, set is 30s", setup)},
		{"a line's durable gives up", func(c *clinic) {
			s, err := c.js.Stream(ctx, "VOICEMAIL_WORK")
			if err != nil {
				c.t.Fatal(err)
			}
			for info := range s.ListConsumers(ctx).Info() {
				if strings.HasSuffix(info.Name, "-last") {
					info.Config.MaxDeliver = 2
					if _, err := c.js.UpdateConsumer(ctx, "VOICEMAIL_WORK", info.Config); err != nil {
						c.t.Fatal(err)
					}
				}
			}
		}, "", fail("durables", "-last of stream VOICEMAIL_WORK", "max_deliver 2", setup)},
		{"repeats are folded too short", edit("VOICEMAILS", func(s *jetstream.StreamConfig) { s.Duplicates = 2 * time.Minute }), "", fail("spans", "stream VOICEMAILS", "folds repeats for 2m alone", setup)},
		{"the ledger forgets too soon", edit("KV_VOICEMAIL_LEDGER", func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }), "", fail("spans", "bucket VOICEMAIL_LEDGER", "after 1h, sooner than ledger.keep (168h)", setup)},
		{"verdicts are pushed out too soon", func(c *clinic) {
			edit("VOICEMAILS", func(s *jetstream.StreamConfig) { s.MaxBytes = 10_000 })(c)
			for range 3 {
				if _, err := c.js.Publish(ctx, "voicemail.ready", make([]byte, 4000)); err != nil {
					c.t.Fatal(err)
				}
			}
		}, "", warn("spans", "stream VOICEMAILS", "max_bytes pushes verdicts out after ", "raise its max_bytes")},
		{"dead letters", func(c *clinic) {
			for _, reason := range []string{"rejected", "gave_up", "rejected"} {
				if _, err := c.js.Publish(ctx, "voicemail.failed", []byte(`{"botId":"st-1","sessionId":"s1","reason":"`+reason+`","error":"canary-transcript"}`)); err != nil {
					c.t.Fatal(err)
				}
			}
		}, "", warn("dead_letters", "voicemail.failed in stream VOICEMAILS, the last 24h", "3 letters: 1 gave_up, 2 rejected", "voicemail-relay failed list")},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClinic(t, "").connect("")
			c.setup()
			if row.plant != nil {
				row.plant(c)
			}
			flags := []string{"--no-request"}
			if row.flags != "" {
				flags = append(flags, row.flags)
			}
			c.doctor(flags...).one(t, row.want)
		})
	}
}

// One copy of a stream is enough on a server that is alone, and not on a cluster.
func TestDoctorWantsReplicasOnACluster(t *testing.T) {
	t.Parallel() // it waits for an election
	if testing.Short() {
		t.Skip("real time")
	}
	ports := []string{freePort(t), freePort(t), freePort(t)}
	var c *clinic
	for i, port := range ports {
		c = newClinic(t, fmt.Sprintf("server_name: n%d\njetstream { store_dir: 'DIR', sync_interval: always }\ncluster { name: c, listen: '127.0.0.1:%s', routes: [ 'nats-route://127.0.0.1:%s', 'nats-route://127.0.0.1:%s', 'nats-route://127.0.0.1:%s' ] }",
			i, port, ports[0], ports[1], ports[2]))
	}
	c.connect("")
	eventually(t, 30*time.Second, "a leader of the cluster", func(ctx context.Context) error {
		_, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: 3})
		return err
	})
	c.setup()
	c.doctor("--no-request").one(t, warn("replicas", "streams CALLS, VOICEMAIL_WORK, VOICEMAILS, KV_VOICEMAIL_LEDGER, KV_VOICEMAIL_BUDGET", "one copy each, on a cluster", "set nats.replicas to 3"))
	c.args["nats.replicas"] = "3"
	c.setup()
	eventually(t, 20*time.Second, "current copies", func(context.Context) error {
		if bad := c.doctor("--no-request").bad(); len(bad) > 0 {
			return fmt.Errorf("%+v", bad)
		}
		return nil
	})
}

// Each fault of the server, by its configuration.
func TestDoctorFindsFaultsOfTheServer(t *testing.T) {
	ctx := context.Background()
	const always = "jetstream { store_dir: 'DIR', sync_interval: always }\n"
	limited := func(limits string) string {
		return always + "accounts { A { jetstream { " + limits + " }, users: [ { user: u, password: u } ] } }\n"
	}
	asUser := func(c *clinic) {
		c.args["nats.url"] = strings.Replace(c.args["nats.url"], "//", "//u:u@", 1)
		c.connect("u")
	}
	fill := func(c *clinic) {
		asUser(c)
		if _, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "FILL", Subjects: []string{"fill"}}); err != nil {
			c.t.Fatal(err)
		}
		for range 9 {
			if _, err := c.js.Publish(ctx, "fill", make([]byte, 100_000)); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	for _, row := range []struct {
		name  string
		conf  string
		plant func(*clinic)
		want  checkup.Finding
	}{
		{"small messages alone", always + "max_payload: 8192", nil, fail("payload", "server patient", "max_payload is 8192 bytes, into which not every verdict fits", "raise max_payload")},
		{"no large messages", always + "max_payload: 70000", nil, warn("payload", "server patient", "the largest calls do not fit", "raise max_payload")},
		{"no JetStream", "max_payload: 1MB", nil, fail("store", "the NATS account's JetStream", "it is not enabled", "nats-server -js")},
		{"no JetStream for the account", always + "accounts { A { users: [ { user: u, password: u } ] } }", asUser, fail("store", "JetStream", "not for this account", "jetstream {}")},
		{"the account's store is nearly full", limited("max_file: 1MB"), fill, warn("store", "JetStream", "it will be full", "max_storage")},
		{"the account's store is full", limited("max_file: 920KB"), fill, fail("store", "JetStream", "it is full", "max_storage")},
		{"every stream has to have a limit", limited("max_file: 10MB, max_bytes_required: true"), asUser, fail("store", "JetStream", "every stream has to have max_bytes", "max_bytes_required")},
		{"the disk is written to now and then", "jetstream { store_dir: 'DIR' }", nil, warn("fsync", "a power failure", "of up to 2m", "sync_interval: always")},
		{"it is not known how often the disk is written to", always, func(c *clinic) { c.args["monitor"] = "" }, warn("fsync", "a power failure", "not known", "--monitor URL")},
		{"another server's monitoring port", always, func(c *clinic) { c.args["monitor"] = newClinic(c.t, "").args["monitor"] }, warn("monitor", "monitoring port", "another server's", "that of patient at 127.0.0.1:")},
		{"no monitoring port", always, func(c *clinic) { c.args["monitor"] = "http://127.0.0.1:1" }, fail("monitor", "monitoring port", "nobody answers", "set http_port")},
		{"something else at the monitoring port", always, func(c *clinic) { c.args["monitor"] = c.args["smartassist.base_url"] }, fail("monitor", "monitoring port", "HTTP 404", "set http_port")},
		{"a permission is missing", always + `authorization { users: [ { user: u, password: u, permissions: { publish: { deny: "voicemail.failed" } } } ] }`, asUser, fail("permissions", "the NATS user", "it may not publish voicemail.failed", "allow that")},
		{"the inbox is not allowed", always + `authorization { users: [ { user: u, password: u, permissions: { subscribe: "nothing" } } ] }`, asUser, fail("permissions", "the NATS user", `nats denies Subscription to "_INBOX_voicemail_relay.`, "subscribe to _INBOX_voicemail_relay.>")},
		{"it is not told what is allowed", always + `authorization { users: [ { user: u, password: u, permissions: { publish: { deny: "$SYS.REQ.USER.INFO" } } } ] }`, asUser, warn("permissions", "the NATS user", "does not tell", "$SYS.REQ.USER.INFO")},
		{"streams may not be made", always + `authorization { users: [ { user: u, password: u, permissions: { publish: { deny: "$JS.API.STREAM.CREATE.CALLS" } } } ] }`, asUser, fail("streams", "stream CALLS", "the NATS user may not make it", "$JS.API.STREAM.CREATE.CALLS")},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClinic(t, row.conf)
			if row.plant != nil {
				row.plant(c)
			}
			d := c.doctor("--no-request")
			bad := d.bad()
			if row.want.Check == "monitor" { // and so it is not known how the disk is written to
				bad = slices.DeleteFunc(bad, func(f checkup.Finding) bool { return f.Check == "fsync" })
			}
			diagnosis{Checks: bad}.one(t, row.want)
		})
	}
}

// Each fault on the way to the server.
func TestDoctorFindsFaultsOnTheWayToNATS(t *testing.T) {
	const always = "jetstream { store_dir: 'DIR', sync_interval: always }\n"
	for _, row := range []struct {
		name  string
		conf  string
		plant func(*clinic)
		want  checkup.Finding
	}{
		{"no such host", "", func(c *clinic) { c.args["nats.url"] = "nats://u:hunter2@no-such-host.invalid:4222" }, fail("nats", "no-such-host.invalid:4222", "name cannot be resolved", "check nats.url and DNS")},
		{"nobody listens", "", func(c *clinic) { c.args["nats.url"] = "nats://127.0.0.1:1" }, fail("nats", "127.0.0.1:1", "connection refused", "start the server")},
		{"one of two is down", "", func(c *clinic) { c.args["nats.url"] = "nats://127.0.0.1:1," + c.args["nats.url"] }, warn("nats", "127.0.0.1:1", "connection refused", "start the server")},
		{"the embedded server does not run", "", func(c *clinic) {
			c.args["nats.url"], c.args["nats.embedded"], c.args["nats.store_dir"] = "nats://127.0.0.1:1", "true", c.t.TempDir()
		}, warn("nats", "127.0.0.1:1", "nats.embedded has it run inside of voicemail-relay run", "start voicemail-relay run")},
		{"it is silent", "", func(c *clinic) { c.args["nats.url"] = silent(c.t) + strings.Repeat(",nats://127.0.0.1:1", 9) }, fail("nats", "127.0.0.1:", "does not answer as NATS", "check the port")},
		{"a wrong password", always + "authorization { user: u, password: p }", func(c *clinic) { c.args["nats.url"] = strings.Replace(c.args["nats.url"], "//", "//u:hunter2@", 1) }, fail("nats", "127.0.0.1:", "refuses the credentials", "nats.credentials_file")},
		{"TLS that is not there", "", func(c *clinic) { c.args["nats.url"] = strings.Replace(c.args["nats.url"], "nats:", "tls:", 1) }, fail("nats", "127.0.0.1:", "TLS: the server does not speak it", "nats:// in nats.url")},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClinic(t, row.conf)
			row.plant(c)
			d := c.doctor("--no-request")
			if strings.Contains(d.stdout+d.stderr, "hunter2") {
				t.Errorf("a password is told: %s", d.stdout)
			}
			bad := slices.DeleteFunc(d.bad(), func(f checkup.Finding) bool {
				return row.name == "it is silent" && strings.Contains(f.Found, "refused")
			})
			diagnosis{Checks: bad}.one(t, row.want)
		})
	}
}
