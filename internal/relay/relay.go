// Package relay decides what becomes of an ended call: what to ask, when to ask again, and which verdict it gets.
//
// It owns the words of the trade (Call, Voicemail, History, Verdict) and every policy. It knows neither NATS nor HTTP: values come in, values
// go out. Decide and all that it calls are pure; Relay.Handle is the one place that calls the small interfaces declared here.
package relay

import (
	"context"
	"errors"
	"time"
)

// A Source asks SmartAssist once for a call's voicemail.
type Source interface {
	// Voicemail makes one request, and a quick further one for a dropped connection or a 5xx blip as long as again grants it: again waits for
	// the time given and then takes what the further request costs the account, one of its budget. It returns how many requests were made, also beside an error. An error that is not a
	// *Trouble is treated as trouble of the forgiving kind: it is retried.
	Voicemail(ctx context.Context, c Call, again func(ctx context.Context, wait time.Duration) bool) (v Voicemail, requests int, err error)
}

// A Ledger remembers what became of each session.
type Ledger interface {
	// Settled returns the record of a session's latest verdict, by Call.Key. It blocks until it knows; the error is ctx's.
	Settled(ctx context.Context, key string) (Record, bool, error)
}

// A Record is what the ledger keeps about a settled session.
type Record struct {
	ID       string    `json:"id"` // the verdict's id: the session's key, or key/r<k> for its k-th replay
	Verdict  Kind      `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
	Requests int       `json:"requests"`
	Attempts int       `json:"attempts"`
	Sequence uint64    `json:"seq"` // of the verdict in its stream

	FirstSeen time.Time `json:"firstSeen,omitzero"`
	Asks      []Ask     `json:"asks,omitempty"` // the latest, as the history had them
}

// AppendJSON writes the record behind buf as encoding/json would, once for each call, at a fifth of the cost.
func (r Record) AppendJSON(buf []byte) []byte {
	w := writer{buf: buf}
	w.open()
	w.text("id", r.ID)
	w.text("verdict", string(r.Verdict))
	w.some("reason", r.Reason)
	w.time("at", r.At)
	w.int("requests", r.Requests)
	w.int("attempts", r.Attempts)
	w.int("seq", int(r.Sequence)) // #nosec G115 -- no stream gets beyond
	if !r.FirstSeen.IsZero() {
		w.time("firstSeen", r.FirstSeen)
	}
	if len(r.Asks) > 0 {
		w.list("asks", len(r.Asks), func(i int) {
			w.time("at", r.Asks[i].At)
			w.text("answer", r.Asks[i].Answer)
			w.int("requests", r.Asks[i].Requests)
		})
	}
	w.close()
	return w.buf
}

// A Purse is what an account may spend: seats for requests under way, and its requests a minute.
type Purse interface {
	// Take takes a seat for a request if one may be made at once, without a budget to stand in line for. It may wait a moment for a seat that
	// is about to become free, and calls waiting before. Give returns the seat.
	Take(ctx context.Context, waiting func()) bool
	Give()
	// Again waits, lets others have the seat meanwhile, and takes the budget for one further request; false: none is to be made.
	Again(ctx context.Context, wait time.Duration) bool
	// Open says whether what was taken a moment ago may still be spent: the account has not closed since.
	Open() bool
	// Answered, Refused, Paused, Limited and Troubled tell the purse what the API said of the account: it serves, it refuses the credentials,
	// it wants nothing before a time, it is over its budget (pause over 0: for so long), it is in trouble (news: with a call that was in none
	// before). probe: the request was a probe of a closed account.
	Answered()
	Refused(probe bool)
	Paused(until time.Time)
	Limited(pause time.Duration)
	Troubled(probe, news bool)
}

// A Forecast learns about an account's voicemails and says how its calls are planned.
type Forecast interface {
	Outlook(bot string) Outlook
	Learn(bot string, l Lesson)
}

// A Delivery is a call as it is handed in: fresh from call.ended, or out of the line with its history.
type Delivery struct {
	Event
	Call       Call      // what Parse made of the event
	Err        error     // Parse's
	Line       bool      // out of the relay's own line; else fresh
	Account    string    // whose line and budget; empty: nobody's
	History    History   // zero when fresh
	Queued     time.Time // when it entered the line, or was stored
	Deliveries uint64    // how often it was handed out, this time included
	Granted    bool      // a seat and a request of the budget are held for it
	Probe      bool      // it is the one call that tries whether a closed account works again
	Closed     bool      // not granted: its account is not to be asked now
	Reopens    time.Time // not granted: when its account is next asked, if that is known
	Down       time.Time // since when its account's API is down; zero when it is not
	Now        time.Time
	Standing   func(context.Context) (bool, error) // fresh: whether its session is on its way in the line already; may be nil
	Asking     func()                              // called before a request is made, or a seat for it waited for, if not nil: from there on it may take long
}

// MaxDeliveries is how often an event may be handed out without being settled before it is taken for the cause of a crash loop.
//
// The server counts hand-outs, not attempts: a call that waits at the head of a line is handed out anew after each restart or stall, and
// is innocent. So one that was handed out over doubtful times is first put into its line once more, with a note in its history: only if
// that happens again and again with no answer between is it the call that stops the program.
const (
	MaxDeliveries = 20
	doubtful      = 4
)

// stale is how old the grant of a request may be when it is made: a budget that was spread over a minute must not be spent in one moment.
const stale = time.Second

// A Relay handles deliveries. All fields are required; Now is the clock.
type Relay struct {
	Accounts Accounts
	Ledger   Ledger
	Policy   Policy
	Now      func() time.Time
}

// Handle decides about one delivery and returns what to do with it; d stays as it is. An error means that ctx ended first and that nothing was decided.
func (r *Relay) Handle(ctx context.Context, d *Delivery) (Outcome, error) {
	if d.Err != nil {
		return malformed(d), nil
	}
	acct := r.Accounts.For(d.Call.Bot)
	v := verdicts{account: acct.Name, transcription: acct.Transcription, fresh: !d.Line}
	v.call, v.history, v.policy = d.Call, d.History, r.Policy
	if o, err := r.withoutAsking(ctx, d, &acct, &v); o != nil || err != nil {
		return o, err
	}
	if !d.Line {
		asking := d.Asking
		if asking == nil {
			asking = func() {}
		}
		if !acct.Purse.Take(ctx, asking) {
			return v.later(d.Now, "in line"), nil
		}
		defer acct.Purse.Give()
		// With wait.first every fresh call that is due at once came late: it may be a repeat of one that waits between two requests.
		if d.Standing != nil && (r.Policy.First > 0 || d.Deliveries > 1 || d.Now.Sub(d.Stored) > time.Second) {
			switch is, err := d.Standing(ctx); {
			case err != nil:
				return nil, err
			case is:
				return &Fold{Call: v.call, Why: "on its way"}, nil
			}
		}
	}
	if !d.Probe && !acct.Purse.Open() { // the answer to another call closed it: a pause holds for those who have their grant already, too
		return v.later(d.Now, "in line"), nil
	}
	v.history.resume(d)
	if d.Asking != nil {
		d.Asking()
	}
	a := Answer{Asked: d.Now}
	a.Voicemail, a.Requests, a.Err = acct.Source.Voicemail(ctx, v.call, acct.Purse.Again)
	a.At = r.Now()
	if ctx.Err() != nil && a.Err != nil {
		return nil, context.Cause(ctx)
	}
	return v.answered(&acct, &a, d.Probe), nil
}

// withoutAsking decides about what need not, or may not, be asked for now; nil: it is to be asked for. It gives v the call's history and how its bot is planned.
func (r *Relay) withoutAsking(ctx context.Context, d *Delivery, acct *Account, v *verdicts) (Outcome, error) {
	c, h, policy := &v.call, &v.history, &v.policy
	if !d.Line {
		h.ID, h.FirstSeen, h.EndedAt = c.verdictID(), d.Stored, c.EndedAt
	}
	c.EndedAt = h.EndedAt
	if acct.Forecast != nil {
		policy.Outlook = acct.Forecast.Outlook(c.Bot)
	}
	// Also out of the line: another replica may have been handed the same delivery, and was quicker.
	rec, found, err := r.Ledger.Settled(ctx, c.Key())
	switch {
	case err != nil:
		return nil, err
	case found && !newerID(h.ID, rec.ID):
		return &Fold{Call: *c, Why: "settled before"}, nil
	case h.Handed >= MaxDeliveries, !d.Line && d.Deliveries > MaxDeliveries && c.Replay == 0: // a replay is handed out again while it waits for its turn
		return v.undeliverable(d.Now), nil
	case c.Hint == HintNone:
		return v.absent(d.Now, ReasonHint), nil
	case acct.Source == nil && h.Seen(): // there was an account for it before, and nobody's line to wait in now
		v.transcription = true
		return v.ready(d.Now), nil
	case acct.Source == nil:
		return v.failed(d.Now, ReasonRejected, "no account serves this bot: add it to accounts, or set smartassist"), nil
	}
	due, spared := policy.due(c, h)
	if h.Spared = spared; d.Now.Before(due) {
		return v.later(due, "not yet due"), nil
	}
	switch {
	case d.Line && !d.Granted: // its account is closed
		o := v.unasked(d)
		acct.learn(c, h, &Answer{At: d.Now, Err: errUnasked}, o)
		return o, nil
	case d.Account != "" && d.Account != acct.Name: // its bot has another account now, and that one's budget is not spent here
		return v.later(d.Now, "moved"), nil
	case d.Line && r.Now().Sub(d.Now) > stale: // the ledger was long in answering: many such must not be asked for in one moment
		return v.later(d.Now, "in line"), nil
	case d.Deliveries > doubtful:
		h.Handed += doubtful + 1
		return v.later(d.Now, "handed out before"), nil
	}
	return nil, nil
}

// answered decides after an answer, and passes on what it says of the account and what it teaches.
func (v *verdicts) answered(acct *Account, a *Answer, probe bool) Outcome {
	before := v.history
	tell(acct.Purse, a, &before, probe)
	o := v.decide(a)
	acct.learn(&v.call, &before, a, o)
	return o
}

// errUnasked stands for the answer of a call that was not asked for.
var errUnasked = errors.New("not asked")

// learn passes on what an answer to a call with this history, and what came of it, teach.
func (a *Account) learn(c *Call, h *History, answer *Answer, o Outcome) {
	if a.Forecast == nil {
		return
	}
	if l := lesson(h, answer, o, a.Transcription); l != (Lesson{}) {
		a.Forecast.Learn(c.Bot, l)
	}
}

// overdue is how long past its deadline a call whose recording was seen still waits for the budget of one more request.
const overdue = time.Minute

// Moot says whether a call at the head of a line is to be handled though it cannot be asked for: its recording was seen, and is told in time, or asked
// for when its closed account opens (while a probe is out nobody knows when: it stays, or it would be put off to its deadline); it was
// turned away, and makes room for such until its closed account opens; or it waits for an API that has been down for too long.
func (r *Relay) Moot(d *Delivery) bool {
	h := &d.History
	switch {
	case h.Seen():
		late := d.Now.Sub(h.SeenAt) - r.Policy.TranscriptFor
		return d.Closed && (late >= 0 || d.Reopens.After(d.Now)) || late >= overdue
	case !d.Closed:
		return false
	case h.Turned:
		return d.Reopens.After(d.Now)
	}
	return r.Policy.outlasted(d)
}

// tell passes on what an answer to a call with this history says of the account as a whole.
func tell(p Purse, a *Answer, h *History, probe bool) {
	t, ok := errors.AsType[*Trouble](a.Err)
	switch {
	case a.Err == nil:
		p.Answered()
	case !ok:
		p.Troubled(probe, h.Troubles == 0)
	case t.Kind == Refused:
		p.Refused(probe)
	case t.Kind == Limited:
		p.Limited(t.RetryAfter)
	case t.RetryAfter > 0:
		p.Paused(a.At.Add(t.RetryAfter))
	case t.Kind == Rejected: // it looked at the call: the credentials are good. A 5xx or a proxy's page says nothing about them
		p.Answered()
	default:
		p.Troubled(probe, h.Troubles == 0)
	}
}
