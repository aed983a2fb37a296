package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/settings"
)

// plainServer is a server in this process, as an operator may have set it up.
func plainServer(t *testing.T, port string, o server.Options) (url string) {
	t.Helper()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", n, true, true
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return "nats://127.0.0.1:" + port
}

// silent is the URL of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "nats://" + l.Addr().String()
}

// natsAt are the settings of a server's URL.
func natsAt(t *testing.T, url string) settings.Settings {
	t.Helper()
	e, err := settings.Load(settings.Source{Flags: []settings.Flag{{Path: "nats.url", Value: url}}})
	if err != nil {
		t.Fatal(err)
	}
	return e.Settings
}

func TestCommandsGiveServersFiveSeconds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real time")
	}
	password := plainServer(t, freePort(t), server.Options{Username: "u", Password: "p"})
	rows := []struct {
		name, url string
		least     time.Duration
		most      time.Duration
		says      string
	}{
		{"three are silent", silent(t) + "," + silent(t) + "," + silent(t), 4 * time.Second, 7 * time.Second, "is the server at nats.url running"},
		{"a wrong password", strings.Replace(password, "//", "//u:hunter2@", 1), 0, 3 * time.Second, "Authorization Violation"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel() // it waits
			start := time.Now()
			nc, err := connect(context.Background(), natsAt(t, r.url), "test")
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			if took := time.Since(start); took < r.least || took > r.most {
				t.Errorf("gave up after %s, want %s to %s", took, r.least, r.most)
			}
			if !strings.Contains(err.Error(), r.says) || !strings.Contains(err.Error(), "nats.url") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it says %v, want %q and the setting", err, r.says)
			}
		})
	}
	t.Run("one that comes late", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		done := make(chan error)
		go func() { // ends with connect
			nc, err := connect(context.Background(), natsAt(t, "nats://127.0.0.1:"+port), "test")
			if err == nil {
				nc.Close()
			}
			done <- err
		}()
		<-time.After(1500 * time.Millisecond)
		plainServer(t, port, server.Options{})
		if err := <-done; err != nil {
			t.Errorf("the server was there after 1.5 s, but %v", err)
		}
	})
}

func TestRunSaysWhyItIsNotConnected(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real processes")
	}
	url := plainServer(t, freePort(t), server.Options{Username: "u", Password: "p"})
	relay := begin(t, "run", "--nats.url", strings.Replace(url, "//", "//u:hunter2@", 1), "--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b")
	base := httpAddr(t, relay)
	relay.find("nats cannot be reached")
	eventually(t, 10*time.Second, "the reason at /readyz", func(context.Context) error {
		if status, body := get(t, base+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "Authorization Violation") {
			return fmt.Errorf("it answers %d %s", status, body)
		}
		return nil
	})
	if code := relay.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
	if log := relay.out.String(); !strings.Contains(log, "Authorization Violation") || strings.Contains(log, "hunter2") || strings.Count(log, "cannot be reached") != 1 {
		t.Errorf("the log does not tell once, without the password, why: %s", log)
	}
}

func TestJetStreamThatIsOffIsNamed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("real servers")
	}
	const cure = "JetStream is not enabled on the server at nats.url"
	url := plainServer(t, freePort(t), server.Options{})
	for _, args := range []string{"setup", "publish st-1 s1", "watch --count 1", "failed list"} {
		_, stderr, code := called(t, "", nil, append(strings.Fields(args), "--nats.url", url)...)
		if code != exitFailed || !strings.Contains(stderr, cure) {
			t.Errorf("%s: exit %d, %s, want 1 and the cure", args, code, stderr)
		}
	}
	relay := begin(t, "run", "--nats.url", url, "--http.addr", "127.0.0.1:0", "--smartassist.base_url", "http://127.0.0.1:1", "--smartassist.app_id", "a", "--smartassist.app_secret", "b")
	relay.find(cure)
	if status, body := get(t, httpAddr(t, relay)+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, cure) {
		t.Errorf("/readyz answers %d %s, want 503 and the cure: it may be starting", status, body)
	}
	if code := relay.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestPublishSaysThatNothingIsConfirmed(t *testing.T) {
	t.Parallel() // it waits for the confirmation
	if testing.Short() {
		t.Skip("real time")
	}
	url := plainServer(t, freePort(t), server.Options{JetStream: true, StoreDir: t.TempDir()})
	js := client(t, url)
	if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"call.>"}, NoAck: true}); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := called(t, "", nil, "publish", "st-1", "s1", "--nats.url", url); code != exitFailed || !strings.Contains(stderr, "stream THEIRS has no_ack") {
		t.Errorf("exit %d, %s, want 1 and the reason", code, stderr)
	}
}
