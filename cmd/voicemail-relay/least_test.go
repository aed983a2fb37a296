package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

func TestEveryPermissionOfTheRelayIsUsedAndMissed(t *testing.T) {
	inGuardedWorld(t, nil, func(w *world, said *transcript) {
		w.start()
		w.wholeJob()
		w.halt()
		o, err := guarded()
		if err != nil {
			t.Fatal(err)
		}
		publish, subscribe := linesOf(t, o, "relay")
		for _, line := range slices.Concat(*publish, *subscribe) {
			if len(said.of("relay", line)) == 0 {
				t.Errorf("the relay may %s, and has not done so: a line too many, or a gap in this test", line)
			}
		}
		for i := range len(*publish) + len(*subscribe) {
			w.without(i)
		}
	})
}

// wholeJob has the relay do all that it ever does.
func (w *world) wholeJob() {
	ctx := context.Background()
	w.emu.ScriptEvery(emu.Ready("x"))
	w.emu.Script("rejected", emu.Failed(), emu.Ready("x"))
	w.emu.Script("purged", emu.Failed())
	w.emu.Script("later", emu.NotYet(), emu.NoTranscript(), emu.Ready("x"))
	w.by("publisher", func() {
		w.session("ready")
		w.session("rejected")
		w.session("purged")
		w.session("later")
		w.session("later") // on its way already
		w.call(`{"botId":"st-1","sessionId":"absent","voicemail":false}`)
		w.call("no call")
		if err := w.nc.Publish("call.ended", []byte(`{"botId":"st-1","sessionId":"plain"}`)); err != nil {
			w.t.Error(err)
		}
		w.nc.Flush()
	})
	w.await(7, 10*time.Minute)
	w.by("publisher", func() { w.session("ready") }) // settled already

	w.by("operator", func() { // dead letters
		out, _ := w.list(listing{})
		if strings.Count(out, "\n") != 4 {
			w.t.Errorf("failed list shows\n%s", out)
		}
		w.replays(replaying{picking: picking{sequences: []uint64{w.letter("rejected")}}}, "replayed 1 letter\n")
		if _, _, err := w.purge(purging{picking: picking{sequences: []uint64{w.letter("purged")}}, yes: true}); err != nil {
			w.t.Error(err)
		}
		if _, err := w.explain("later", false); err != nil {
			w.t.Error(err)
		}
	})
	w.await(7, 10*time.Minute)

	// Neither ledger nor stream remember a verdict, but its id is.
	st, err := w.js.Stream(ctx, "VOICEMAILS")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range w.verdicts() {
		if v.str("sessionId") == "plain" {
			if err := st.DeleteMsg(ctx, v.sequence); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	kv, err := w.js.KeyValue(ctx, "VOICEMAIL_LEDGER")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := kv.Delete(ctx, key("st-1", "plain")); err != nil {
		w.t.Fatal(err)
	}
	w.by("publisher", func() { w.session("plain") })
	pass(time.Minute)

	// Appointments that did not fire, and a line that nobody serves any more.
	w.by("publisher", func() {
		for i := range 5 {
			w.session(fmt.Sprintf("stuck%d", i))
		}
	})
	w.miss(5)
	w.await(11, 10*time.Minute)
	w.by("publisher", func() { w.session("moved") })
	w.halt()
	pass(time.Hour)
	w.settings.SmartAssist.Name = "renamed"
	w.setUp()
	w.start()
	w.await(12, 10*time.Minute)
	if n := w.waiting("voicemail.work.>"); n != 0 {
		w.t.Errorf("%d messages are left in the work stream", n)
	}
	if strings.Contains(w.log.String(), "nats denies") {
		w.t.Errorf("something was denied: %s", line(w.log.String(), "nats denies"))
	}
}

// letter is the sequence of a session's dead letter.
func (w *world) letter(session string) uint64 {
	w.t.Helper()
	for _, v := range w.verdicts() {
		if v.subject == "voicemail.failed" && v.str("sessionId") == session {
			return v.sequence
		}
	}
	w.t.Fatalf("%s has no letter", session)
	return 0
}

// without starts a relay that lacks a line of its permissions. It has to say which.
func (w *world) without(i int) {
	o, err := guarded()
	if err != nil {
		w.t.Fatal(err)
	}
	publish, subscribe := linesOf(w.t, o, "relay")
	lines, verb := publish, "publish"
	if i >= len(*publish) {
		lines, verb, i = subscribe, "subscribe", i-len(*publish)
	}
	gone := (*lines)[i]
	*lines = slices.Delete(*lines, i, i+1)
	if len(*lines) == 0 { // which would allow everything
		*lines = []string{"nothing"}
	}
	if err := (*w.server.Load()).(guard).ReloadOptions(o); err != nil {
		w.t.Fatal(err)
	}
	before := len(w.log.String())
	r := w.replica()
	select {
	case err := <-r.ended:
		r.ended <- err
		if !errors.Is(err, bus.ErrSetup) {
			w.t.Errorf("without %s run ends with %v", gone, err)
			return
		}
		_, named, _ := strings.Cut(err.Error(), "allow it to: ")
		for _, n := range strings.Split(named, ", ") {
			if subject, ok := strings.CutPrefix(n, verb+" "); !ok || !server.SubjectsCollide(gone, subject) {
				w.t.Errorf("without %s it says that it lacks %q", gone, n)
			}
		}
	case <-time.After(3 * time.Minute):
		subject, _, _ := strings.Cut(strings.TrimSuffix(gone, ">"), " ")
		if log := w.log.String()[before:]; !strings.Contains(log, "nats denies the relay a permission") || !strings.Contains(log, subject) {
			w.t.Errorf("without %s it runs and says nothing", gone)
		}
		if err := r.terminate(); err != nil {
			w.t.Error(err)
		}
	}
}

func TestNobodyMayMoreThanItNeeds(t *testing.T) {
	inGuardedWorld(t, nil, func(w *world, _ *transcript) {
		w.emu.ScriptEvery(emu.Ready("x"))
		w.start()
		w.by("publisher", func() { w.session("s1") })
		w.await(1, time.Minute)
		stored := w.stored("VOICEMAILS")
		for _, row := range []struct {
			who, publish, subscribe string
		}{
			{"relay", "call.ended CONSUMER.CREATE.CALLS STREAM.MSG.GET.CALLS STREAM.CREATE STREAM.UPDATE STREAM.DELETE STREAM.PURGE STREAM.MSG.DELETE CONSUMER.CREATE CONSUMER.DELETE CONSUMER.MSG.NEXT.VOICEMAILS.x CONSUMER.MSG.NEXT.CALLS.x DIRECT.GET.CALLS",
				"> call.ended voicemail.> $KV.> _INBOX.> _INBOX_voicemail_subscriber.> $JS.EVENT.>"},
			{"publisher", "voicemail.ready voicemail.work.due.a.first.x $KV.VOICEMAIL_BUDGET.purse.x STREAM.INFO.CALLS STREAM.NAMES CONSUMER.MSG.NEXT.VOICEMAILS.subscriber CONSUMER.MSG.NEXT.CALLS.voicemail-relay DIRECT.GET.VOICEMAILS CONSUMER.CREATE.CALLS", "> call.ended voicemail.> voicemail.ready $KV.> _INBOX_voicemail_relay.> _INBOX_voicemail_subscriber.>"},
			{"subscriber", "call.ended voicemail.ready voicemail.work.due.a.first.x $KV.VOICEMAIL_LEDGER.x STREAM.INFO.VOICEMAILS STREAM.PURGE CONSUMER.MSG.NEXT.CALLS.voicemail-relay CONSUMER.CREATE.VOICEMAILS CONSUMER.DELETE.VOICEMAILS.subscriber DIRECT.GET.VOICEMAILS", "> call.ended voicemail.> $KV.> _INBOX.> _INBOX_voicemail_relay.>"},
			{"operator", "voicemail.ready voicemail.work.due.a.first.x $KV.VOICEMAIL_LEDGER.x STREAM.CREATE STREAM.UPDATE STREAM.DELETE STREAM.PURGE STREAM.MSG.DELETE.CALLS CONSUMER.DELETE.CALLS.voicemail-relay CONSUMER.DELETE.VOICEMAILS.subscriber CONSUMER.MSG.NEXT.CALLS.voicemail-relay CONSUMER.CREATE.CALLS DIRECT.GET.CALLS $JS.ACK.CALLS.voicemail-relay.1.1.1.1.0", "> call.ended voicemail.> $KV.> _INBOX_voicemail_relay.> _INBOX_voicemail_subscriber.>"},
			{"setup", "call.ended voicemail.ready $KV.VOICEMAIL_LEDGER.x STREAM.DELETE STREAM.PURGE STREAM.CREATE.OTHER CONSUMER.CREATE.VOICEMAILS CONSUMER.DELETE CONSUMER.MSG.NEXT.VOICEMAILS.x DIRECT.GET.VOICEMAILS", "> call.ended voicemail.> _INBOX_voicemail_relay.>"},
		} {
			for _, s := range strings.Fields(row.publish) {
				if first, _, _ := strings.Cut(s, "."); first == strings.ToUpper(first) && first != "$KV" && first != "$JS" {
					if strings.Count(s, ".") == 1 {
						s += ".VOICEMAILS"
					}
					s = "$JS.API." + s
				}
				w.by(row.who, func() {
					if !w.denied(func(nc *nats.Conn) error { return nc.Publish(s, nil) }) {
						t.Errorf("the %s may publish on %s", row.who, s)
					}
				})
			}
			for _, s := range strings.Fields(row.subscribe) {
				w.by(row.who, func() {
					if !w.denied(func(nc *nats.Conn) error { _, err := nc.SubscribeSync(s); return err }) {
						t.Errorf("the %s may subscribe to %s", row.who, s)
					}
				})
			}
		}
		w.by("publisher", func() { // the stream's confirmation goes wherever the publisher says, but in its own account
			if w.denied(func(nc *nats.Conn) error {
				return nc.PublishRequest("call.ended", "voicemail.ready", []byte(`{"botId":"st-1","sessionId":"s1"}`))
			}) {
				t.Error("the publisher may not publish")
			}
		})
		pass(time.Minute)
		if now := w.stored("VOICEMAILS"); now != stored {
			t.Errorf("%d verdicts more: somebody forged them", now-stored)
		}
	})
}

// What the others are allowed they use, too: setup where there is nothing and where somebody has changed it, the operator's commands and views,
// and a subscriber with its durable.
func TestEveryPermissionOfTheOthersIsUsed(t *testing.T) {
	inGuardedWorld(t, nil, func(w *world, said *transcript) {
		ctx := context.Background()
		w.changed("VOICEMAIL_WORK", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 })
		w.changed("KV_VOICEMAIL_BUDGET", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })
		w.settings.Ledger.Keep /= 2
		w.setUp()
		w.emu.ScriptEvery(emu.Ready("x"))
		w.emu.Script("s2", emu.Failed())
		w.start()
		w.by("publisher", func() { w.session("s1"); w.session("s2") })
		w.await(2, time.Minute)
		w.by("publisher", func() { w.session("s3") })
		pass(time.Second)
		w.by("operator", func() {
			if out, err := w.explain("s3", false); err != nil || !strings.Contains(out, "waits") {
				t.Errorf("s3 does not wait: %v\n%s", err, out)
			}
			w.view()
			if _, err := w.js.CreateConsumer(ctx, "VOICEMAILS", jetstream.ConsumerConfig{Durable: "subscriber", FilterSubject: "voicemail.ready"}); err != nil {
				t.Fatal(err)
			}
			r, err := bus.Verdicts(ctx, w.js, names(w.settings), true, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(ctx); err != nil {
				t.Error(err)
			}
			r.Stop()
			w.replays(replaying{picking: picking{all: true}}, "replayed 1 letter\n")
			if _, _, err := w.purge(purging{picking: picking{all: true}, yes: true}); err != nil {
				t.Error(err)
			}
		})
		w.by("subscriber", func() {
			c, err := w.js.Consumer(ctx, "VOICEMAILS", "subscriber")
			if err != nil {
				t.Fatal(err)
			}
			m, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := m.DoubleAck(ctx); err != nil {
				t.Error(err)
			}
		})
		w.by("operator", func() {
			c, err := w.js.Consumer(ctx, "VOICEMAILS", "subscriber")
			if err != nil || c.CachedInfo().AckFloor.Consumer != 1 {
				t.Errorf("the verdict is not acknowledged: %v", err)
			}
		})
		o, err := guarded()
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"publisher", "subscriber", "operator", "setup"} {
			publish, subscribe := linesOf(t, o, who)
			for _, line := range slices.Concat(*publish, *subscribe) {
				if len(said.of(who, line)) == 0 {
					t.Errorf("the %s may %s, and has not done so: a line too many, or a gap in this test", who, line)
				}
			}
		}
	})
}

// changed has somebody change a stream.
func (w *world) changed(stream string, change func(*jetstream.StreamConfig)) {
	w.t.Helper()
	s, err := w.js.Stream(context.Background(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	c := s.CachedInfo().Config
	change(&c)
	if _, err := w.js.UpdateStream(context.Background(), c); err != nil {
		w.t.Fatal(err)
	}
}

// view looks at all that the nats CLI shows of an account, its streams and their consumers.
func (w *world) view() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := w.nc.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil); err != nil {
		w.t.Error(err)
	}
	if a, err := w.js.AccountInfo(ctx); err != nil || a.Streams != 5 {
		w.t.Errorf("the account is %+v: %v", a, err)
	}
	names, streams, consumers := 0, 0, 0
	for range w.js.StreamNames(ctx).Name() {
		names++
	}
	for range w.js.ListStreams(ctx).Info() {
		streams++
	}
	work, err := w.js.Stream(ctx, "VOICEMAIL_WORK")
	if err != nil {
		w.t.Fatal(err)
	}
	for range work.ListConsumers(ctx).Info() {
		consumers++
	}
	for range work.ConsumerNames(ctx).Name() {
		consumers++
	}
	if names != 5 || streams != 5 || consumers != 2*len(relay.Classes()) {
		w.t.Errorf("%d names and %d streams, want 5; %d consumers", names, streams, consumers)
	}
}

// A command that is denied something says what, where it would be a time-out otherwise.
func TestCommandSaysWhatIsDenied(t *testing.T) {
	inGuardedWorld(t, nil, func(w *world, _ *transcript) {
		w.start()
		w.by("relay", func() {
			_, _, err := w.tell(func(a *app, ctx context.Context, s settings.Settings, js jetstream.JetStream) error {
				return named(js.Conn(), a.explain(ctx, s, js, relay.Call{Bot: "st-1", Session: "s1"}, false))
			})
			if err == nil || !strings.Contains(err.Error(), `nats denies Publish to "$JS.API.`) {
				t.Errorf("explain under the relay's user says %v", err)
			}
		})
	})
}
