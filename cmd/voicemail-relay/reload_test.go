package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// A config is a settings file that a test changes.
type config struct {
	t    *testing.T
	name string
}

func newConfig(t *testing.T) config {
	t.Helper()
	return config{t, filepath.Join(t.TempDir(), "relay.yaml")}
}

func (c config) write(lines ...string) {
	c.t.Helper()
	if err := os.WriteFile(c.name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// hup has the process read its settings again, and waits for a line about it that was not there before.
func (p *process) hup(line string) {
	p.t.Helper()
	before := strings.Count(p.out.String(), line)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, 10*time.Second, "SIGHUP", func(context.Context) error {
		if strings.Count(p.out.String(), line) > before {
			return nil
		}
		return fmt.Errorf("no line says %q: %s", line, p.out.String())
	})
}

// awaitReload waits until the metrics say so of the last reload, which they do just behind the log.
func awaitReload(t *testing.T, base, what string, good func(successful, at string) bool) {
	t.Helper()
	eventually(t, 10*time.Second, what, func(context.Context) error {
		if ok, at := reloaded(t, base); !good(ok, at) {
			return fmt.Errorf("the last reload is successful %s, at %s", ok, at)
		}
		return nil
	})
}

// reloaded reads the metrics of the last reload.
func reloaded(t *testing.T, base string) (successful, at string) {
	t.Helper()
	_, metrics := get(t, base+"/metrics")
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "voicemail_relay_config_last_reload_successful "); ok {
			successful = v
		}
		if v, ok := strings.CutPrefix(line, "voicemail_relay_config_last_reload_success_timestamp_seconds "); ok {
			at = v
		}
	}
	return successful, at
}

func TestReloadMendsASecret(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real processes")
	}
	s, c := newGround(t), newConfig(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	account := "smartassist: {base_url: '" + s.api + "', app_id: " + testApp + ", rate_limit: 0, "
	const rest = "\nnats: {url: '%s'}\nhttp: {addr: '127.0.0.1:0'}\nwait: {first: 0s}\nlog: {format: json}"
	c.write(account + "app_secret: canary-token}" + fmt.Sprintf(rest, s.url))
	relay := begin(t, "run", "--config", c.name)
	base := httpAddr(t, relay)
	awaitReady(t, base)
	for i := range 3 {
		s.call(fmt.Sprintf("s%d", i))
	}
	relay.find("refuses an account's credentials")

	c.write(account + "app_secret_file: " + file + "}" + fmt.Sprintf(rest, s.url))
	relay.hup("settings reloaded")
	for i := range 3 {
		relay.find(fmt.Sprintf(`"settled","bot":"st-1","session":"s%d"`, i))
	}
	for _, want := range []string{`"changed":["smartassist.app_secret","smartassist.app_secret_file","the secret of account ` + testApp + `"]`, "the API serves an account again"} {
		if !strings.Contains(relay.out.String(), want) {
			t.Errorf("the log lacks %q: %s", want, relay.out.String())
		}
	}
	relay.hup(`"changed":[]`) // nothing has changed
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for i, end := 3, time.Now().Add(20*time.Second); !strings.Contains(relay.out.String(), "app_secret_file cannot be used"); i++ { // it is looked at once a second, when a token is wanted
		if time.Now().After(end) {
			t.Fatal("nobody is told that the secret's file is gone")
		}
		s.call(fmt.Sprintf("s%d", i))
		relay.find(fmt.Sprintf(`"settled","bot":"st-1","session":"s%d"`, i)) // with the secret that it held
	}
	private(t, "the log", relay.out.String())
	if code := relay.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestReloadChangesTheLevel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real processes")
	}
	s, c := newGround(t), newConfig(t)
	c.write("log: {level: info}")
	relay := begin(t, append(s.args, "--config", c.name)...)
	base := httpAddr(t, relay)
	awaitReady(t, base)
	told := func(session string) {
		t.Helper()
		s.call(session)
		eventually(t, 10*time.Second, "told", func(context.Context) error {
			if _, metrics := get(t, base+"/metrics"); !strings.Contains(metrics, "voicemail_relay_repeats_total "+session) {
				return fmt.Errorf("%s repeats are not counted", session)
			}
			return nil
		})
	}
	s.call("1")
	relay.find(`"settled","bot":"st-1","session":"1"`)
	told("1") // the first repeat, unheard
	c.write("log: {level: debug}")
	relay.hup("settings reloaded")
	s.call("2")
	relay.find(`"settled","bot":"st-1","session":"2"`)
	told("2")
	relay.find(`"repeat","bot":"st-1","session":"2"`)
	c.write("log: {level: error}")
	relay.hup("settings reloaded") // while it can still be said
	s.call("3")
	told("3") // nobody says that it is settled: it is a repeat of itself once it is
	if log := relay.out.String(); strings.Contains(log, `"repeat","bot":"st-1","session":"1"`) || strings.Contains(log, `"session":"3"`) {
		t.Errorf("lines below the level were written: %s", log)
	}
}

func TestReloadIsRefusedLoudly(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real processes")
	}
	s, c := newGround(t), newConfig(t)
	good := "smartassist: {app_secret: " + testSecret + "}\nnats: {url: '" + s.url + "'}"
	c.write(good)
	var args []string
	for i := 0; i < len(s.args); i++ { // the file says these
		if s.args[i] == "--nats.url" || s.args[i] == "--smartassist.app_secret" {
			i++
			continue
		}
		args = append(args, s.args[i])
	}
	relay := begin(t, append(args, "--config", c.name)...)
	base := httpAddr(t, relay)
	awaitReady(t, base)
	start := ""
	awaitReload(t, base, "at the start", func(ok, at string) bool { start = at; return ok == "1" && at != "" && at != "0" })
	rows := []struct {
		name  string
		lines []string
		want  []string // in one line of the log
	}{
		{"another server, and a secret", []string{"smartassist: {app_secret: canary-token}", "nats: {url: 'nats://127.0.0.1:1'}"}, []string{`"need_restart":["nats.url"]`}},
		{"several", []string{good, "calls: {concurrency: 7}", "log: {level: debug}", "retry: {max: 1m}"}, []string{`"need_restart":["calls.concurrency","smartassist.concurrency","retry.max"]`}},
		{"mistakes", []string{good, "wait: {max: soon}", "lok: {level: debug}", "log: {level: loud}"}, []string{`"problems":[`, "soon", "did you mean log", "is none of debug"}},
		{"a secret file that is not there", []string{"smartassist: {app_secret_file: /nowhere/secret}", "nats: {url: '" + s.url + "'}"}, []string{`"problems":[`, "/nowhere/secret", "cannot be read"}},
		{"a file that is no YAML", []string{"{"}, []string{`"problems":[`}},
	}
	for i, row := range rows {
		c.write(row.lines...)
		relay.hup("settings are not reloaded")
		lines := strings.Split(strings.TrimSpace(relay.out.String()), "\n")
		last := lines[len(lines)-1]
		for _, want := range row.want {
			if !strings.Contains(last, want) {
				t.Errorf("%s: the log says %s, want %q in it", row.name, last, want)
			}
		}
		awaitReload(t, base, row.name, func(ok, at string) bool { return ok == "0" && at == start })
		session := fmt.Sprintf("s%d", i)
		s.call(session) // with the old secret, at the old server
		relay.find(`"settled","bot":"st-1","session":"` + session + `"`)
	}
	if err := os.Remove(c.name); err != nil {
		t.Fatal(err)
	}
	relay.hup("settings are not reloaded")
	c.write(good)
	relay.hup("settings reloaded")
	awaitReload(t, base, "mended", func(ok, at string) bool { return ok == "1" && at != start })
	private(t, "the log", relay.out.String())
	if strings.Contains(relay.out.String(), `"level":"debug"`) {
		t.Error("the level of settings that were refused is in effect")
	}
}

func TestReloadReadsTheFilesForNATS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real processes")
	}
	ours := newAuthority(t)
	cert, err := tls.LoadX509KeyPair(ours.issue("server", time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(a *authority) []byte {
		b, err := os.ReadFile(a.file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ca, stranger := read(ours), read(newAuthority(t))
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(nats.Shutdown)
	if !nats.ReadyForConnections(10 * time.Second) {
		t.Fatal("no server")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ca)
	api := emu.New(emu.Config{AppID: testApp, Secret: testSecret})
	serving := httptest.NewServer(api)
	t.Cleanup(serving.Close)
	reach := []string{"--nats.url", strings.Replace(nats.ClientURL(), "nats://", "tls://", 1), "--nats.tls.ca_file", file}
	relay := begin(t, append(reach, "run", "--http.addr", "127.0.0.1:0", "--log.format", "json", "--wait.first", "0s", "--smartassist.rate_limit", "0",
		"--smartassist.base_url", serving.URL, "--smartassist.app_id", testApp, "--smartassist.app_secret", testSecret)...)
	base := httpAddr(t, relay)
	awaitReady(t, base)
	first := connections(nats)

	write(stranger)
	relay.hup("nats cannot be reached with the files as they are now")
	if status, body := get(t, base+"/readyz"); status != 200 || connections(nats) != first {
		t.Errorf("files that do not serve were taken over: /readyz says %d %s", status, body)
	}
	api.Script("s1", emu.Slow(time.Second, emu.Ready("x"))) // it is being asked for when the connection goes
	write(bytes.Join([][]byte{stranger, ca}, nil))
	if out, code := command(t, append(reach, "publish", "st-1", "s1")...); code != 0 {
		t.Fatalf("publish: exit %d, %s", code, out)
	}
	eventually(t, 10*time.Second, "asked", func(context.Context) error {
		if api.RequestsFor("s1") == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	relay.hup(`"changed":["nats (its files)"]`)
	relay.find("nats connection is back")
	relay.find(`"settled","bot":"st-1","session":"s1"`)
	awaitReady(t, base)
	if now := connections(nats); now == first {
		t.Errorf("the connection is still %s: what the files hold now is not in use", now)
	}
}

// connections names those that are open.
func connections(s *server.Server) string {
	z, err := s.Connz(nil)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, c := range z.Conns {
		all = append(all, fmt.Sprint(c.Cid))
	}
	return strings.Join(all, " ")
}
