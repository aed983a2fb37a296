package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
)

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
		{"something else's stream", func(c *clinic) {
			lose("VOICEMAILS")(c)
			if _, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "VOICEMAILS", Subjects: []string{"pbx.voicemails"}, Duplicates: 168 * time.Hour}); err != nil {
				c.t.Fatal(err)
			}
		}, "", fail("streams", "stream VOICEMAILS", "is there and holds none of voicemail.ready, voicemail.absent, voicemail.failed", "rename or delete it")},
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
