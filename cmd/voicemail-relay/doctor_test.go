package main

import (
	"context"
	"slices"
	"strings"
	"testing"
)

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
