package relay

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// memory is a ledger in memory.
type memory map[string]Record

func (m memory) Settled(_ context.Context, key string) (Record, bool, error) {
	r, ok := m[key]
	return r, ok, nil
}

// api answers every request with the same, and counts.
type api struct {
	v     Voicemail
	err   error
	asked int
}

func (a *api) Voicemail(context.Context, Call, func(context.Context, time.Duration) bool) (Voicemail, int, error) {
	a.asked++
	return a.v, 1, a.err
}

// purse notes what it is told.
type purse struct {
	open bool
	shut bool // since it was taken from
	told []string
}

func (p *purse) Take(context.Context, func()) bool         { return p.open }
func (p *purse) Give()                                     {}
func (p *purse) Again(context.Context, time.Duration) bool { return true }
func (p *purse) Open() bool                                { return !p.shut }
func (p *purse) Answered()                                 { p.told = append(p.told, "answered") }
func (p *purse) Refused(bool)                              { p.told = append(p.told, "refused") }
func (p *purse) Paused(time.Time)                          { p.told = append(p.told, "paused") }
func (p *purse) Limited(d time.Duration) {
	p.told = append(p.told, "limited "+d.String())
}
func (p *purse) Troubled(_, news bool) { p.told = append(p.told, fmt.Sprint("troubled ", news)) }

func TestHandle(t *testing.T) {
	now := ended.Add(time.Minute)
	k := aCall.Key()
	body := []byte(`{"botId":"st-1","sessionId":"s1"}`)
	seen := History{ID: k, EndedAt: ended, SeenAt: ended.Add(20 * time.Second), Recordings: found.Recordings, Requests: 1}
	waited := History{ID: k, EndedAt: ended, Requests: 2, LookedAt: ended.Add(30 * time.Second)}
	rows := []struct {
		name   string
		change func(*Delivery, *api, *purse, memory)
		want   string
		asked  int
		told   string // what the purse was told
	}{
		{"fresh, time has come, a seat is free", nil, "ready completed", 1, "answered"},
		{"fresh, and its account has no seat or a budget", func(d *Delivery, _ *api, p *purse, _ memory) { p.open = false }, "later first", 0, ""},
		{"fresh, too early", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Now = ended.Add(time.Second) }, "later first", 0, ""},
		{"settled before", func(_ *Delivery, _ *api, _ *purse, m memory) { m[k] = Record{ID: k} }, "*relay.Fold", 0, ""},
		{"settled before, asked once more on purpose", func(d *Delivery, _ *api, _ *purse, m memory) {
			m[k] = Record{ID: k}
			d.Header = map[string][]string{ReplayHeader: {"1"}}
		}, "ready completed", 1, "answered"},
		{"settled before, that replay too", func(d *Delivery, _ *api, _ *purse, m memory) {
			m[k] = Record{ID: k + "/r1"}
			d.Header = map[string][]string{ReplayHeader: {"1"}}
		}, "*relay.Fold", 0, ""},
		{"no call", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Body = []byte("x") }, "failed malformed", 0, ""},
		{"the publisher knows of none", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Body = []byte(`{"botId":"st-1","sessionId":"s1","voicemail":false}`)
		}, "absent hint", 0, ""},
		{"handed out 4 times", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Deliveries = 4 }, "ready completed", 1, "answered"},
		{"handed out 5 times: to be stored anew first", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Deliveries = 5 }, "later first", 0, ""},
		{"out of the line, handed out 100 times while it waited", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Deliveries, d.Line, d.History = 100, true, waited }, "later again", 0, ""},
		{"out of the line, stored anew for the fourth time", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Deliveries, d.Line, d.History = 1, true, waited
			d.History.Handed = 20
		}, "failed undeliverable", 0, ""},
		{"handed out over 20 times", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Deliveries = 21 }, "failed undeliverable", 0, ""},
		{"handed out over 20 times, a recording was seen", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Deliveries, d.Line, d.History = 1, true, seen
			d.History.Handed = 20
		}, "ready timed_out", 0, ""},
		{"a bot that no account serves", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Body = []byte(`{"botId":"x-1","sessionId":"s1"}`) }, "failed rejected", 0, ""},
		{"out of the line, no account serves its bot any more, a recording was seen", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Body = []byte(`{"botId":"x-1","sessionId":"s1"}`)
			d.Line, d.History = true, seen
		}, "ready timed_out", 0, ""},
		{"refused", func(_ *Delivery, a *api, _ *purse, _ memory) { a.err = refused }, "later again", 1, "refused"},
		{"asked for a pause", func(_ *Delivery, a *api, _ *purse, _ memory) {
			a.err = &Trouble{Status: 503, RetryAfter: time.Minute, Result: "error"}
		}, "later again", 1, "paused"},
		{"over the budget: it keeps its place", func(_ *Delivery, a *api, _ *purse, _ memory) {
			a.err = &Trouble{Kind: Limited, Status: 429, RetryAfter: time.Minute, Result: "limited"}
		}, "later next", 1, "limited 1m0s"},
		{"over the budget, and nobody says for how long", func(_ *Delivery, a *api, _ *purse, _ memory) {
			a.err = &Trouble{Kind: Limited, Status: 429, Result: "limited"}
		}, "later next", 1, "limited 0s"},
		{"trouble", func(_ *Delivery, a *api, _ *purse, _ memory) { a.err = broken }, "later again", 1, "troubled true"},
		{"trouble again", func(d *Delivery, a *api, _ *purse, _ memory) {
			a.err = broken
			d.Line, d.History = true, waited
			d.History.Troubles, d.History.TroubleSince = 3, ended
		}, "later again", 1, "troubled false"},
		{"out of the line, its account closed", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Line, d.Granted, d.History, d.Reopens = true, false, waited, d.Now.Add(time.Minute)
			d.History.Turned = true
		}, "later next", 0, ""},
		{"out of the line, its account down for long", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Line, d.Granted, d.History, d.Now, d.Down = true, false, waited, ended.Add(25*time.Hour), ended
		}, "failed gave_up", 0, ""},
		{"out of the line, its account closed since it was granted", func(d *Delivery, _ *api, p *purse, _ memory) { d.Line, d.History, p.shut = true, waited, true }, "later again", 0, ""},
		{"fresh, its account closed since there was a seat", func(d *Delivery, _ *api, p *purse, _ memory) { p.shut = true }, "later first", 0, ""},
		{"out of the line, the probe of its closed account", func(d *Delivery, _ *api, p *purse, _ memory) {
			d.Line, d.History, d.Probe, p.shut = true, waited, true, true
		}, "ready completed", 1, "answered"},
		{"rejected: the credentials are good all the same", func(_ *Delivery, a *api, _ *purse, _ memory) { a.err = no }, "failed rejected", 1, "answered"},
		{"out of the line, its account closed, seen", func(d *Delivery, _ *api, _ *purse, _ memory) { d.Line, d.Granted, d.History = true, false, seen }, "later next", 0, ""},
		{"out of the line, its account closed, seen, deadline gone", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Line, d.Granted, d.History, d.Now = true, false, seen, ended.Add(time.Hour)
		}, "ready timed_out", 0, ""},
		{"out of the line too early: a longer wait takes a hop", func(d *Delivery, _ *api, _ *purse, _ memory) {
			d.Line, d.History = true, History{ID: k, EndedAt: ended, Requests: 1, LookedAt: ended, Due: ended.Add(time.Hour)}
		}, "later last", 0, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			a, p, m := &api{v: spoken}, &purse{open: true}, memory{}
			d := Delivery{Event: Event{Body: body, Stored: ended, ID: "CALLS/1/1"}, Queued: ended, Deliveries: 1, Granted: true, Now: now}
			if r.change != nil {
				r.change(&d, a, p, m)
			}
			d.Call, d.Err = Parse(d.Event)
			rel := &Relay{Accounts: Accounts{{Name: "a", Bots: []string{"st-*"}, Transcription: true, Source: a, Purse: p}}, Ledger: m, Policy: policy, Now: func() time.Time { return d.Now }}
			o, err := rel.Handle(context.Background(), &d)
			if err != nil {
				t.Fatal(err)
			}
			told := ""
			if len(p.told) > 0 {
				told = p.told[0]
			}
			if said(o) != r.want || a.asked != r.asked || told != r.told || len(p.told) > 1 {
				t.Errorf("got %s, %d requests, purse told %q; want %s, %d, %q", said(o), a.asked, p.told, r.want, r.asked, r.told)
			}
		})
	}
}

func TestHandleIsInterruptedWithoutAnOutcome(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	rel := &Relay{Accounts: Accounts{{Name: "a", Source: &api{err: broken}, Purse: &purse{open: true}}}, Ledger: memory{}, Policy: policy, Now: time.Now}
	d := Delivery{Event: Event{Body: []byte(`{"botId":"st-1","sessionId":"s1"}`), Stored: ended}, Now: ended.Add(time.Hour)}
	d.Call, d.Err = Parse(d.Event)
	if o, err := rel.Handle(ctx, &d); err == nil {
		t.Errorf("got %s, want an error: a request that shutdown ended says nothing about the call", said(o))
	}
}

// A budget that was granted over a minute must not be spent in one moment, when a ledger that stood still answers at last.
func TestOldGrantsAreNotSpent(t *testing.T) {
	for _, row := range []struct {
		late  time.Duration
		asked int
		want  string
	}{{stale, 1, "ready completed"}, {stale + time.Millisecond, 0, "later first"}} {
		a := &api{v: spoken}
		d := Delivery{Event: Event{Body: []byte(`{"botId":"st-1","sessionId":"s1"}`), Stored: ended}, Line: true, Granted: true, Account: "a", Now: ended.Add(time.Minute),
			History: History{ID: aCall.Key(), EndedAt: ended, FirstSeen: ended}}
		d.Call, d.Err = Parse(d.Event)
		rel := &Relay{Accounts: Accounts{{Name: "a", Transcription: true, Source: a, Purse: &purse{open: true}}}, Ledger: memory{}, Policy: policy, Now: func() time.Time { return d.Now.Add(row.late) }}
		o, err := rel.Handle(context.Background(), &d)
		if err != nil || said(o) != row.want || a.asked != row.asked {
			t.Errorf("%s after the grant: %s, %v, %d requests; want %s, %d", row.late, said(o), err, a.asked, row.want, row.asked)
		}
	}
}

// A call whose recording was seen is dated by what is known of its account, and to its deadline at the latest.
func TestSeenCallBeforeAClosedAccount(t *testing.T) {
	seen := ended.Add(20 * time.Second)
	for _, row := range []struct {
		name            string
		now, reopens    time.Duration // after it was seen
		closed, handled bool
		want            time.Duration // 0: at once
	}{
		{"it opens before the deadline", time.Minute, 2 * time.Minute, true, true, 2 * time.Minute},
		{"it opens after the deadline", time.Minute, time.Hour, true, true, 10 * time.Minute},
		{"a probe is out", time.Minute, time.Minute, true, false, time.Minute},
		{"a probe is out, deadline gone", 10 * time.Minute, 10 * time.Minute, true, true, 0},
		{"it is open", time.Minute, 0, false, false, time.Minute}, // its line is swept
		{"it is open, deadline gone", 10 * time.Minute, 0, false, false, 0},
		{"it is open, deadline gone for long", 11 * time.Minute, 0, false, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &Delivery{Event: Event{Body: []byte(`{"botId":"st-1","sessionId":"s1"}`), Stored: ended}, Line: true, Closed: row.closed, Now: seen.Add(row.now), Reopens: seen.Add(row.reopens),
				History: History{ID: aCall.Key(), EndedAt: ended, SeenAt: seen, Recordings: found.Recordings, Requests: 1}}
			d.Call, d.Err = Parse(d.Event)
			rel := &Relay{Accounts: Accounts{{Name: "a", Transcription: true, Source: &api{}, Purse: &purse{}}}, Ledger: memory{}, Policy: policy, Now: func() time.Time { return d.Now }}
			if got := rel.Moot(d); got != row.handled {
				t.Errorf("handled without being asked for: %v, want %v", got, row.handled)
			}
			o, err := rel.Handle(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			if l, later := o.(*Later); later != (row.want > 0) || later && !l.At.Equal(seen.Add(row.want)) {
				t.Errorf("got %s at %s, want %s after it was seen (0s: told)", said(o), l.At, row.want)
			}
		})
	}
}
