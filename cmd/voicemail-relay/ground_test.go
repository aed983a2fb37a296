package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/natsd"
	"voicemail-relay/internal/smartassist/smartassisttest"
)

// A ground is what a relay in a process of its own works between: a server and the emulator.
type ground struct {
	t    *testing.T
	url  string
	api  string
	emu  *smartassisttest.Server
	js   jetstream.JetStream
	args []string // of a run there, with a secret that the emulator takes
}

func newGround(t *testing.T) *ground {
	t.Helper()
	server, err := natsd.Start(natsd.Config{StoreDir: t.TempDir(), Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	emu := smartassisttest.New(smartassisttest.Config{AppID: testApp, Secret: testSecret})
	api := httptest.NewServer(emu)
	t.Cleanup(api.Close)
	return &ground{t: t, url: server.URL(), api: api.URL, emu: emu, js: client(t, server.URL()),
		args: []string{"run", "--nats.url", server.URL(), "--http.addr", "127.0.0.1:0", "--wait.first", "0s", "--log.format", "json", "--smartassist.rate_limit", "0",
			"--smartassist.base_url", api.URL, "--smartassist.app_id", testApp, "--smartassist.app_secret", testSecret}}
}

// call reports a session of st-1, which has left a voicemail; the relay has made the stream.
func (s *ground) call(session string) {
	s.t.Helper()
	s.emu.Script(session, smartassisttest.Ready("canary-transcript"))
	if _, err := s.js.Publish(context.Background(), "call.ended", fmt.Appendf(nil, `{"botId":"st-1","sessionId":%q,"caller":"+15550100"}`, session)); err != nil {
		s.t.Fatal(err)
	}
}
