package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	o.HTTPHost, o.HTTPPort = "127.0.0.1", -1
	if o.ServerName == "" {
		o.ServerName = "patient"
	}
	s := listening(t, o)
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
