package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
)

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
