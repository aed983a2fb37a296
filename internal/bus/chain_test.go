package bus

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// A replica of the work stream that lags is not believed: neither when it does not hold a session's message yet, nor when it holds the one
// before.
func TestLaggingReplicaIsNotBelieved(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	nc, b := onServer(t, cfg)
	ctx := context.Background()
	p := place{account: relay.Token("a"), class: relay.ClassAgain, key: relay.Token("x")}
	for range 2 {
		if _, err := b.js.Publish(ctx, b.cfg.due(p), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.work(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream := s.CachedInfo().Config
	stream.AllowDirect = false // what is read directly is answered by the replica that lags alone
	if _, err := b.js.UpdateStream(ctx, stream); err != nil {
		t.Fatal(err)
	}
	answer := nats.NewMsg("")
	if _, err := nc.Subscribe("$JS.API.DIRECT.GET.VOICEMAIL_WORK.>", func(m *nats.Msg) { _ = m.RespondMsg(answer) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	holds := func(sequence uint64) {
		answer = nats.NewMsg("")
		answer.Header = nats.Header{"Status": {"404"}}
		if sequence > 0 {
			answer.Header = nats.Header{"Nats-Stream": {"VOICEMAIL_WORK"}, "Nats-Subject": {b.cfg.due(p)}, "Nats-Sequence": {strconv.FormatUint(sequence, 10)},
				"Nats-Time-Stamp": {time.Now().UTC().Format(time.RFC3339Nano)}}
		}
	}
	for _, row := range []struct {
		name       string
		holds, end uint64
		late       bool
	}{
		{"it holds nothing yet", 0, 2, false},
		{"it holds the one before", 1, 2, false},
		{"it holds the end", 2, 2, false},
		{"ours is not the end", 2, 1, true},
		{"ours is not the end, and it holds nothing", 0, 1, true},
	} {
		holds(row.holds)
		fl := &flight{key: p.key, sequence: row.end}
		if late, err := b.overtaken(ctx, fl); late != row.late || err != nil {
			t.Errorf("%s: overtaken %v, %v, want %v", row.name, late, err, row.late)
		}
		if is, err := b.standing(ctx, p.key, 0); !is || err != nil {
			t.Errorf("%s: standing %v, %v, want that it is", row.name, is, err)
		}
	}
	holds(0)
	if is, err := b.standing(ctx, relay.Token("y"), 0); is || err != nil {
		t.Errorf("a session that nobody holds stands there: %v, %v", is, err)
	}
	if late, err := b.overtaken(ctx, &flight{key: relay.Token("y"), sequence: 1}); !late || err != nil {
		t.Errorf("a delivery that was settled is not overtaken: %v, %v", late, err)
	}
}
