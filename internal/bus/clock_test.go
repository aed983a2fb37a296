package bus

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"voicemail-relay/internal/relay"
)

// Appointments are dated by the server's clock. That it is ahead shows in what it has just stamped, and a delivery that stood in line for
// hours does not hide it.
func TestAppointmentsAreDatedByTheServersClock(t *testing.T) {
	cfg := testConfig(t)
	cfg.Provision = true
	_, b := onServer(t, cfg)
	ctx := context.Background()
	// dated is how much later than wanted an appointment is dated that is made now.
	dated := func(session string) time.Duration {
		t.Helper()
		c := relay.Call{Bot: "st-1", Session: session}
		at := time.Now().Add(5 * time.Minute)
		l := &relay.Later{Call: c, Account: "a", At: at, Class: relay.ClassFirst, History: relay.History{ID: c.Key(), Due: at}}
		if repeat, err := b.later(ctx, &flight{key: c.Key(), Delivery: relay.Delivery{Call: c}}, l, nil); repeat || err != nil {
			t.Fatal(repeat, err)
		}
		m, err := b.last(ctx, c.Key())
		if err != nil {
			t.Fatal(err)
		}
		date, ok := scheduled(m.Header)
		if !ok {
			t.Fatalf("it has no date: %v", m.Header)
		}
		return date.Sub(at)
	}
	about := func(got, want time.Duration) bool { return got > want-10*time.Second && got < want+10*time.Second }
	if got := dated("level"); !about(got, 0) {
		t.Errorf("dated %s late by clocks that agree", got)
	}
	due := func(stamped time.Time) {
		t.Helper()
		p := place{account: relay.Token("a"), class: relay.ClassFirst, key: relay.Token(stamped.String())}
		m := &nats.Msg{Subject: b.cfg.due(p), Header: nats.Header{}, Sub: &nats.Subscription{}}
		m.Reply = "$JS.ACK.VOICEMAIL_WORK.line.1.1.1." + strconv.FormatInt(stamped.UnixNano(), 10) + ".0"
		fl, ok := b.delivery(m)
		if !ok {
			t.Fatal("the delivery is not taken")
		}
		b.flight.land(fl)
	}
	due(time.Now().Add(3 * time.Minute))
	if got := dated("ahead"); !about(got, 3*time.Minute) {
		t.Errorf("dated %s late by a server that is 3 minutes ahead", got)
	}
	due(time.Now().Add(-time.Hour))
	if got := dated("after one that stood in line"); !about(got, 3*time.Minute) {
		t.Errorf("dated %s late by a server that is 3 minutes ahead, behind a delivery that stood in line", got)
	}
	b.mend(ctx) // the keeper's round: this server's clock agrees with ours
	if got := dated("level again"); !about(got, 0) {
		t.Errorf("dated %s late by clocks that agree again", got)
	}
}
