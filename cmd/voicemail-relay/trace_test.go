package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
	"voicemail-relay/internal/trace"
)

const (
	publisherTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	publisherSpan   = "00f067aa0ba902b7"
	publisherParent = "00-" + publisherTrace + "-" + publisherSpan + "-01"
)

// inTracedWorld runs a test in a world whose relays send their spans to a collector. stop ends the relay, and sends what is left.
func inTracedWorld(t *testing.T, flags []string, test func(w *world, c *collector, stop func())) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test:4318")
	inEmptyWorld(t, flags, func(w *world) {
		c := &collector{t: w.t}
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: c}
		go func() { _ = server.Serve(l) }() // ends with the listener
		to := &http.Transport{DialContext: l.dial}
		var err error
		w.tracer, err = trace.Start(context.Background(), trace.Config{Version: "test", Log: zap.NewNop(), Client: &http.Client{Transport: to}})
		if err != nil {
			w.t.Fatal(err)
		}
		w.start()
		stopped := false
		stop := func() {
			if !stopped {
				stopped = true
				w.halt()
				if unsent, err := w.tracer.Stop(context.Background()); unsent != 0 || err != nil {
					w.t.Errorf("%d spans were not sent: %v", unsent, err)
				}
			}
		}
		test(w, c, stop)
		stop()
		to.CloseIdleConnections()
		_ = server.Close()
		w.private("spans", c.raw())
		for _, s := range c.all() {
			if s.to.Before(s.from) {
				w.t.Errorf("span %q ends before it begins", s.name)
			}
		}
	})
}

func TestOneTraceShowsTheWholeWait(t *testing.T) {
	inTracedWorld(t, nil, func(w *world, c *collector, stop func()) {
		w.emu.Script("s1", emu.MediaInProgress(), emu.NoTranscript(), emu.Ready("canary-transcript"))
		w.call(`{"botId":"st-1","sessionId":"s1","caller":"+15550100"}`, "traceparent", publisherParent, "tracestate", "vendor=opaque")
		pass(20 * time.Second) // asked once; what the trace is must outlive the process
		w.halt()
		w.start()
		v := w.one(2 * time.Minute)
		stop()

		spans := c.of(publisherTrace)
		if len(spans) != len(c.all()) {
			t.Errorf("%d of %d spans are not of the publisher's trace", len(c.all())-len(spans), len(c.all()))
		}
		byID := map[string]span{}
		for _, s := range spans {
			byID[s.id] = s
			if s.state != "vendor=opaque" {
				t.Errorf("%s has tracestate %q, want the publisher's", s.name, s.state)
			}
			if s.failed {
				t.Errorf("%s failed: %q", s.name, s.message)
			}
		}

		// From the verdict's event back to the publisher.
		got := v.header["traceparent"]
		if len(got) != 1 || len(got[0]) != len(publisherParent) || got[0][3:35] != publisherTrace || v.header["tracestate"][0] != "vendor=opaque" {
			t.Fatalf("the verdict carries traceparent %q, tracestate %q", got, v.header["tracestate"])
		}
		var way []string
		at := got[0][36:52]
		for at != publisherSpan {
			s, ok := byID[at]
			if !ok {
				t.Fatalf("the way breaks off behind %q: there is no span %s", way, at)
			}
			way = append(way, s.kind+" "+s.name)
			at = s.parent
		}
		slices.Reverse(way)
		want := []string{"CONSUMER process call.ended", "PRODUCER publish voicemail.work", "CONSUMER process voicemail.work", "PRODUCER publish voicemail.work",
			"CONSUMER process voicemail.work", "PRODUCER publish voicemail.work", "CONSUMER process voicemail.work", "PRODUCER publish voicemail.ready"}
		if !slices.Equal(way, want) {
			t.Errorf("the way is\n%q, want\n%q", way, want)
		}

		// Beside it, each request hangs on the handling that made it.
		requests := 0
		for _, s := range spans {
			if s.name != "GET /api/public/bot/{botId}/voicemail" {
				continue
			}
			requests++
			if p := byID[s.parent]; s.kind != "CLIENT" || p.name != "process voicemail.work" || s.from.Before(p.from) || s.to.After(p.to) {
				t.Errorf("a request is a %s under %q, want a CLIENT within process voicemail.work", s.kind, p.name)
			}
			hold(t, s, map[string]string{"http.request.method": "GET", "http.response.status_code": "200", "url.scheme": "http", "server.address": "127.0.0.1", "server.port": "1",
				"url.template": "/api/public/bot/{botId}/voicemail"})
		}
		if requests != 3 || len(spans) != len(want)+requests {
			t.Errorf("%d spans with %d requests, want %d with 3", len(spans), requests, len(want)+3)
		}

		first, last := spans[0], byID[got[0][36:52]]
		hold(t, first, map[string]string{"messaging.system": "nats", "messaging.destination.name": "call.ended", "messaging.operation.name": "process", "messaging.operation.type": "process",
			"messaging.message.id": "CALLS/1", "voicemail_relay.bot": "st-1", "voicemail_relay.session": "s1", "voicemail_relay.account": testApp, "voicemail_relay.outcome": "later",
			"voicemail_relay.reason": "not yet due", "voicemail_relay.class": "first", "voicemail_relay.requests": "0", "voicemail_relay.attempts": "0", "voicemail_relay.deliveries": "1"})
		hold(t, last, map[string]string{"messaging.system": "nats", "messaging.destination.name": "voicemail.ready", "messaging.operation.name": "publish", "messaging.operation.type": "send",
			"messaging.message.id": key("st-1", "s1")})
		hold(t, byID[last.parent], map[string]string{"messaging.system": "nats", "messaging.destination.name": "voicemail.work", "messaging.operation.name": "process", "messaging.operation.type": "process",
			"messaging.message.id": byID[last.parent].attributes["messaging.message.id"], "voicemail_relay.bot": "st-1", "voicemail_relay.session": "s1", "voicemail_relay.account": testApp,
			"voicemail_relay.outcome": "ready", "voicemail_relay.requests": "3", "voicemail_relay.attempts": "3", "voicemail_relay.deliveries": "1"})
		if c.resource["service.name"] != "voicemail-relay" || c.resource["service.version"] != "test" {
			t.Errorf("the spans are of %v, want service.name voicemail-relay, service.version test", c.resource)
		}
		for _, line := range logged(w.log.String(), "settled") {
			if line["trace_id"] != publisherTrace || line["span_id"] != last.id {
				t.Errorf("the log says trace_id %v, span_id %v, want %s, %s", line["trace_id"], line["span_id"], publisherTrace, last.id)
			}
		}
	})
}

// hold holds a span to exactly these attributes: what is not foreseen does not leave the house.
func hold(t *testing.T, s span, want map[string]string) {
	t.Helper()
	for name, v := range s.attributes {
		if want[name] != v {
			t.Errorf("%s has %s = %q, want %q", s.name, name, v, want[name])
		}
	}
	for name := range want {
		if _, ok := s.attributes[name]; !ok {
			t.Errorf("%s lacks %s", s.name, name)
		}
	}
}

// logged reads the lines of a log that have a message.
func logged(log, msg string) (lines []map[string]any) {
	for text := range strings.Lines(log) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == msg {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestLogNamesTheTraceOfACallThatHasOne(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.emu.Script("s1", emu.NotYet(), emu.Ready("x"))
		w.call(`{"botId":"st-1","sessionId":"s1"}`, "traceparent", publisherParent)
		w.await(1, 2*time.Minute)
		w.emu.Script("s2", emu.Ready("x"))
		w.session("s2")
		w.await(2, 2*time.Minute)
		for msg, n := range map[string]int{"settled": 2, "later": 3} { // s1 waits twice, s2 once
			lines := logged(w.log.String(), msg)
			if len(lines) != n {
				t.Errorf("%d lines say %q, want %d", len(lines), msg, n)
			}
			for _, line := range lines {
				want := any(publisherTrace)
				if line["session"] == "s2" {
					want = nil
				}
				if line["trace_id"] != want || line["span_id"] != nil {
					t.Errorf("%q of %s has trace_id %v, span_id %v, want %v and no span: none is made", msg, line["session"], line["trace_id"], line["span_id"], want)
				}
			}
		}
	})
}

func TestTracesOfOtherWays(t *testing.T) {
	inTracedWorld(t, []string{"wait.first=0s"}, func(w *world, c *collector, stop func()) {
		other := func(id string) string { return "00-" + id + "-" + publisherSpan + "-01" }
		const troubled, unsampled, garbage, hint, again = "11111111111111111111111111111111", "22222222222222222222222222222222", "33333333333333333333333333333333", "44444444444444444444444444444444", "55555555555555555555555555555555"
		w.emu.Script("troubled", emu.ServerError(500), emu.Redirect("/elsewhere?signature=canary-signature"), emu.Reset(), emu.Ready("canary-transcript"))
		w.call(`{"botId":"st-1","sessionId":"troubled"}`, "traceparent", other(troubled))
		w.await(1, time.Minute)
		w.emu.Script("unsampled", emu.Ready("x"))
		w.call(`{"botId":"st-1","sessionId":"unsampled"}`, "traceparent", "00-"+unsampled+"-"+publisherSpan+"-00")
		w.await(2, time.Minute)
		w.call(`{"caller":"+15550100"`, "traceparent", other(garbage))
		w.await(3, time.Minute)
		w.call(`{"botId":"st-1","sessionId":"hint","voicemail":false}`, "traceparent", other(hint))
		w.await(4, time.Minute)
		w.call(`{"botId":"st-1","sessionId":"hint","voicemail":false}`, "traceparent", other(again))
		w.emu.Script("alone", emu.NotYet(), emu.Ready("x"))
		w.session("alone")
		vs := w.await(5, time.Minute)
		stop()

		names := func(trace string) (names []string) {
			for _, s := range c.of(trace) {
				names = append(names, s.name)
			}
			return names
		}
		parent := func(v told) string { return v.header["traceparent"][0] }
		const get = "GET /api/public/bot/{botId}/voicemail"
		if got := names(troubled); len(got) < 5 || got[0] != "process call.ended" || got[1] != get || got[len(got)-1] != "publish voicemail.ready" {
			t.Errorf("trouble leaves the spans %q", got)
		}
		kinds := map[string]bool{}
		for _, s := range c.of(troubled) {
			if s.name == get {
				kinds[s.attributes["error.type"]] = s.failed
			}
		}
		for _, want := range []string{"500", "unreachable"} {
			if !kinds[want] {
				t.Errorf("no request failed with error.type %s, but %v", want, kinds)
			}
		}
		if got := names(unsampled); got != nil || !strings.HasPrefix(parent(vs[1]), "00-"+unsampled+"-") || !strings.HasSuffix(parent(vs[1]), "-00") {
			t.Errorf("a trace that its publisher does not sample has the spans %q and goes on as %s", got, parent(vs[1]))
		}
		if got := c.of(garbage); len(got) != 2 || got[0].attributes["voicemail_relay.outcome"] != "failed" || got[0].attributes["voicemail_relay.reason"] != "malformed" || !got[0].failed || got[0].message != "malformed" || parent(vs[2])[36:52] != got[1].id {
			t.Errorf("garbage leaves the spans %v", got)
		}
		if got := c.of(hint); len(got) != 2 || got[0].attributes["voicemail_relay.outcome"] != "absent" || got[0].attributes["voicemail_relay.reason"] != "hint" {
			t.Errorf("a call with a hint leaves the spans %v", got)
		}
		if got := c.of(again); len(got) != 1 || got[0].attributes["voicemail_relay.outcome"] != "repeat" || got[0].attributes["voicemail_relay.reason"] != "settled before" {
			t.Errorf("a repeat leaves the spans %v", got)
		}
		alone := c.of(parent(vs[4])[3:35])
		if len(alone) != 6 || alone[0].parent != "" || alone[0].name != "process call.ended" {
			t.Errorf("a call without a trace leaves the spans %v, want six of one trace", alone)
		}
	})
}

func TestSpansAreSentByTheStandardVariables(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	c := &collector{t: t}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c}
	go func() { _ = server.Serve(l) }() // ends with the test
	t.Cleanup(func() { _ = server.Close() })
	endpoint := "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + l.Addr().String()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })

	rows := []struct {
		name    string
		environ []string
		sent    bool
		log     string // holds it
	}{
		{"with everything set", []string{endpoint, "OTEL_SERVICE_NAME=own-name", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test", "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20canary-token",
			"OTEL_BSP_SCHEDULE_DELAY=3600000"}, true, ""},
		{"for traces alone", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://" + l.Addr().String() + "/v1/traces"}, true, ""},
		{"without any", nil, false, ""},
		{"disabled", []string{endpoint, "OTEL_SDK_DISABLED=true"}, false, ""},
		{"no exporter", []string{endpoint, "OTEL_TRACES_EXPORTER=none"}, false, ""},
		{"an exporter that is not there", []string{endpoint, "OTEL_TRACES_EXPORTER=zipkin"}, false, "set otlp or none"},
		{"sampled out", []string{endpoint, "OTEL_TRACES_SAMPLER=always_off"}, false, ""},
		{"headers that cannot be read", []string{endpoint, "OTEL_EXPORTER_OTLP_HEADERS=canary-token"}, true, "opentelemetry cannot use one of the OTEL_ variables"},
		{"a collector that is gone", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:canary-token@127.0.0.1:1/canary-signature"}, false, `"variable":"OTEL_EXPORTER_OTLP_ENDPOINT"`},
		{"a collector that is silent", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + mute.Addr().String()}, false, `the last spans could not be sent: they are given up","unsent_since_start":3`},
	}
	site := newGround(t)
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c.mu.Lock()
			c.spans, c.header, c.resource = nil, nil, nil
			c.mu.Unlock()
			relay := launch(t, row.environ, "voicemail-relay", append(site.args, "--shutdown_grace", "1s")...)
			awaitReady(t, httpAddr(t, relay))
			site.call(fmt.Sprintf("s%d", i))
			relay.find(`"settled"`)
			start := time.Now()
			if code := relay.end(os.Interrupt); code != 0 || time.Since(start) > 4*time.Second {
				t.Errorf("exit %d after %s, want 0 within the grace and little more", code, time.Since(start))
			}
			log := relay.out.String()
			if !strings.Contains(log, row.log) {
				t.Errorf("the log lacks %q: %s", row.log, log)
			}
			private(t, "the log", log)
			spans := c.all()
			if (len(spans) > 0) != row.sent {
				t.Fatalf("%d spans were sent, want some: %t; %s", len(spans), row.sent, log)
			}
			if i == 0 {
				if c.header.Get("Authorization") != "Bearer canary-token" || c.resource["service.name"] != "own-name" || c.resource["deployment.environment"] != "test" || len(spans) != 3 {
					t.Errorf("%d spans came with %v from %v, want three with the variables' header and names", len(spans), c.header, c.resource)
				}
				if line := logged(log, "settled"); len(line) != 1 || line[0]["trace_id"] != spans[0].trace {
					t.Errorf("the log does not name the trace %s: %v", spans[0].trace, line)
				}
			}
		})
	}
}
