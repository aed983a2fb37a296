package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/relay"
)

// taking is how long a call may lie before a relay takes it.
const taking = time.Minute

// waiting looks at the oldest call that nobody has taken, and at the oldest that waits.
func (e *examiner) waiting(ctx context.Context) {
	if e.have[e.calls] != nil && e.grants.mayPublish(api("CONSUMER.INFO", e.calls, e.b.cfg.durable())) {
		e.untaken(ctx)
	}
	work := e.b.cfg.workStream()
	info := e.have[work]
	if info == nil {
		return
	}
	const check = "waiting"
	of := "stream " + work
	if info.State.Msgs == 0 {
		e.tell(checkup.Good(check, of, "no call waits"))
		return
	}
	m, err := e.first(ctx, work, info.State.FirstSeq, "")
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // it moved on meanwhile
		e.tell(checkup.Good(check, of, "%s", calls(info.State.Msgs)))
		return
	case err != nil:
		e.tell(e.unseen(check, of, err))
		return
	}
	now := time.Now().Add(e.ahead)
	since := now.Sub(m.Time).Round(time.Second)
	p, due := e.b.cfg.placeOf(m.Subject)
	at, dated := scheduled(m.Header)
	switch {
	case dated && now.Sub(at) > 2*overdue: // the keeper of any relay would have mended it
		e.tell(checkup.Failure(check, of, fmt.Sprintf("%s; the oldest appointment should have fired %s ago", calls(info.State.Msgs), now.Sub(at).Round(time.Second)),
			"start a relay, which mends it within a minute; if one runs, look whether the server's store is full"))
	case due && since > e.Stale:
		e.tell(checkup.Warning(check, of, fmt.Sprintf("%s; the oldest has stood in line for %s (account %s)", calls(info.State.Msgs), since, e.account(p.account)),
			"the account's budget is short, or the API refuses it: look at budget, token and relay here; raise rate_limit where the vendor grants more"))
	default:
		e.tell(checkup.Good(check, of, "%s, the oldest since %s", calls(info.State.Msgs), since))
	}
}

func calls(n uint64) string { return plural(n, "call") + " wait" + map[bool]string{true: "s"}[n == 1] }

// account is the name behind an account's token, as far as it is configured.
func (e *examiner) account(token string) string {
	for _, a := range e.b.cfg.Accounts {
		if relay.Token(a.Name) == token {
			return a.Name
		}
	}
	return "that is configured no longer"
}

// untaken looks at calls that no relay has taken.
func (e *examiner) untaken(ctx context.Context) {
	const check = "waiting"
	of := "stream " + e.calls
	try, cancel := asking(ctx)
	defer cancel()
	c, err := e.b.js.Consumer(try, e.calls, e.b.cfg.durable())
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrNotPullConsumer) { // durables tells
		return
	}
	if err != nil {
		e.tell(e.unseen(check, of, err))
		return
	}
	info := c.CachedInfo()
	now := time.Now().Add(e.ahead)
	// One whose seats are all taken asks for no more; it shows by what it did of late.
	taken := info.NumWaiting > 0 || now.Sub(lastOf(info.Delivered)) < taking || now.Sub(lastOf(info.AckFloor)) < taking
	pulled := "a relay takes them"
	if !taken {
		pulled = "no relay takes them"
	}
	if info.NumPending == 0 {
		e.tell(checkup.Good(check, of, "every call is taken; %s", pulled))
		return
	}
	m, err := e.first(ctx, e.calls, info.Delivered.Stream+1, e.b.cfg.CallsSubject)
	if err != nil {
		e.tell(checkup.Good(check, of, "%s; %s", calls(info.NumPending), pulled))
		return
	}
	age := now.Sub(m.Time).Round(time.Second)
	switch {
	case age < taking:
		e.tell(checkup.Good(check, of, "%s, the oldest since %s; %s", calls(info.NumPending), age, pulled))
	case !taken:
		e.tell(checkup.Failure(check, of, fmt.Sprintf("%s, the oldest since %s, and no relay takes them", calls(info.NumPending), age), "start voicemail-relay run, or look at its /readyz and log"))
	default:
		e.tell(checkup.Warning(check, of, fmt.Sprintf("%s, the oldest since %s, though a relay takes them", calls(info.NumPending), age), "run more replicas, or raise calls.concurrency"))
	}
}

// lastOf is when a consumer last did something.
func lastOf(s jetstream.SequenceInfo) time.Time {
	if s.Last == nil {
		return time.Time{}
	}
	return *s.Last
}

// first reads the first message at or after a sequence.
func (e *examiner) first(ctx context.Context, stream string, seq uint64, subject string) (*jetstream.RawStreamMsg, error) {
	try, cancel := asking(ctx)
	defer cancel()
	s, err := e.b.js.Stream(try, stream)
	if err != nil {
		return nil, err
	}
	if subject == "" {
		return s.GetMsg(try, seq)
	}
	return s.GetMsg(try, seq, jetstream.WithGetMsgSubject(subject))
}

// mostLetters bounds how many dead letters are counted.
const mostLetters = 10_000

// letters counts the dead letters of late, by their reason.
func (e *examiner) letters(ctx context.Context) {
	const check = "dead_letters"
	name := e.b.cfg.verdictStream()
	if e.have[name] == nil {
		return
	}
	of := fmt.Sprintf("%s in stream %s, the last %s", e.b.cfg.verdict(relay.KindFailed), name, spoken(e.Since))
	if subject := api("CONSUMER.CREATE", name, "x", e.b.cfg.verdict(relay.KindFailed)); !e.grants.mayPublish(subject) {
		e.tell(checkup.Skipped(check, of, "the NATS user may not read them (publish %s)", api("CONSUMER.CREATE", name, ">")))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := e.b.js.Stream(ctx, name)
	if err != nil {
		e.tell(e.unseen(check, of, err))
		return
	}
	start := time.Now().Add(e.ahead - e.Since)
	reasons, n := map[relay.Reason]int{}, 0
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{e.b.cfg.verdict(relay.KindFailed)}, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start}
	err = scan(ctx, s, cfg, func(m jetstream.Msg, _ *jetstream.MsgMetadata) (bool, error) {
		reasons[relay.ReadLetter("", m.Headers(), unwrapped(m.Headers(), m.Data())).Reason]++
		n++
		return n < mostLetters, nil
	})
	switch {
	case err != nil:
		e.tell(e.unseen(check, of, err))
	case n == 0:
		e.tell(checkup.Good(check, of, "none"))
	default:
		var parts []string
		for _, r := range slices.Sorted(maps.Keys(reasons)) {
			parts = append(parts, fmt.Sprintf("%d %s", reasons[r], r))
		}
		e.tell(checkup.Warning(check, of, fmt.Sprintf("%s: %s", plural(n, "letter"), strings.Join(parts, ", ")), "voicemail-relay failed list shows them, failed replay asks once more"))
	}
}
