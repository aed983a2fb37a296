package bus

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// BenchmarkSettle writes a verdict and its record, beside the floor: the same two messages by the client's jetstream package. Its ratio to that
// is told as x-floor.
func BenchmarkSettle(b *testing.B) {
	nc, bus := onServer(b, testConfig(b))
	ctx := context.Background()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	kv, err := js.KeyValue(ctx, "VOICEMAIL_LEDGER")
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now()
	n := 0
	verdict := func() *relay.Verdict {
		n++
		c := relay.Call{Bot: "st-1", Session: fmt.Sprint("s-", n), EndedAt: at}
		return &relay.Verdict{Kind: relay.KindReady, ID: c.Key(), Call: c, At: at, FirstSeen: at, Attempts: 1, Requests: 1, TranscriptStatus: relay.TranscriptCompleted, Transcript: "Please call me back.",
			Recordings: []relay.Recording{{FileName: "a.wav", FileURL: "https://media.example.com/a.wav?n=1"}}}
	}
	var ours, floor time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		v := verdict()
		if err := bus.announce(ctx, &flight{key: v.ID}, v); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		b.StopTimer()
		began = time.Now()
		v = verdict()
		ack, err := js.PublishMsg(ctx, &nats.Msg{Subject: "voicemail.ready", Data: v.AppendBody(nil, 0)}, jetstream.WithMsgID(v.ID))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := kv.Put(ctx, v.ID, fmt.Appendf(nil, `{"seq":%d}`, ack.Sequence)); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
}
