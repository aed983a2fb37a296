package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// A Session is what NATS holds about one session.
type Session struct {
	Key      string
	Record   *relay.Record  // the ledger's; nil: it holds nothing
	Stored   bool           // the record's verdict is in the stream still
	Waiting  []Appointment  // in the work stream: one, or for a moment two while it is in hand
	Verdicts []relay.Record // found in the stream itself: those before the ledger's; where that holds nothing, all. Without their asks
	Looked   uint64         // how many of the stream's verdicts were looked at for it
	Unlooked uint64         // how many older ones were not
	Lag      Lag
}

// An Appointment is a call in the work stream.
type Appointment struct {
	Account string // a token: relay.Token of the name
	Class   relay.Class
	History relay.History
	Since   time.Time     // when it was put there
	Fires   time.Time     // when it moves into its line; zero: it stands there
	Lines   []LineOfClass // the account's lines, best first, where it stands in one of them
}

// LineOfClass is how many calls of an account stand in line.
type LineOfClass struct {
	Class relay.Class `json:"class"`
	Calls uint64      `json:"calls"`
}

// Lag is how many calls the relay has not taken from call.ended yet.
type Lag struct {
	Stream  string `json:"stream"`
	Durable string `json:"durable"`
	Missing bool   `json:"missing,omitempty"` // there is no such stream or durable yet
	Pending uint64 `json:"pending"`           // not handed out
	InHand  int    `json:"inHand"`            // handed out, and not settled
}

// mostLooked bounds the search for verdicts that the ledger does not hold: headers alone, a second or two.
const mostLooked = 200_000

// Explain gathers what is known about a session.
func Explain(ctx context.Context, js jetstream.JetStream, n Names, c relay.Call) (Session, error) {
	s := Session{Key: c.Key()}
	ledger, err := OpenLedger(ctx, js, n)
	if err != nil {
		return s, err
	}
	rec, found, err := ledger.Get(ctx, s.Key)
	if err != nil {
		return s, fmt.Errorf("read the ledger: %w", err)
	}
	if found {
		s.Record = &rec
	}
	for _, look := range []func(context.Context, jetstream.JetStream, Names) error{s.waiting, s.verdict, s.lag} {
		if err := look(ctx, js, n); err != nil {
			return s, err
		}
	}
	return s, nil
}

// waiting finds the session in the work stream.
func (s *Session) waiting(ctx context.Context, js jetstream.JetStream, n Names) error {
	work, err := js.Stream(ctx, n.workStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("there is no stream %s: run voicemail-relay setup", n.workStream())
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", n.workStream(), err)
	}
	info, err := work.Info(ctx, jetstream.WithSubjectFilter(n.place("*", place{account: "*", class: "*", key: s.Key})))
	if err != nil {
		return fmt.Errorf("stream %s: %w", n.workStream(), err)
	}
	for _, subject := range slices.Sorted(maps.Keys(info.State.Subjects)) {
		m, err := work.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // it moved on meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", n.workStream(), err)
		}
		a := Appointment{Since: m.Time.UTC()}
		p, due := n.placeOf(subject)
		if !due {
			p, _ = n.placeOf(strings.Replace(subject, n.workSubject()+".wait.", n.workSubject()+".due.", 1))
			a.Fires, _ = time.Parse(time.RFC3339Nano, strings.TrimPrefix(m.Header.Get("Nats-Schedule"), "@at "))
		}
		a.Account, a.Class = p.account, p.class
		_ = json.Unmarshal([]byte(m.Header.Get(historyHeader)), &a.History) // not ours: the place alone is told
		if due {
			a.Lines = n.lines(ctx, work, p.account)
		}
		s.Waiting = append(s.Waiting, a)
	}
	return nil
}

// lines counts who stands in an account's lines; what cannot be counted is left out.
func (n Names) lines(ctx context.Context, work jetstream.Stream, account string) (lines []LineOfClass) {
	for _, class := range relay.Classes() {
		c, err := work.Consumer(ctx, n.lineConsumer(account, class))
		if err != nil {
			continue // an account that is configured no longer
		}
		info := c.CachedInfo()
		lines = append(lines, LineOfClass{class, info.NumPending + uint64(info.NumAckPending)}) // #nosec G115 -- never under 0
	}
	return lines
}

// verdict looks for the session in the stream of verdicts: at the ledger's sequence, and, where there have been earlier ones or nothing else is
// known, among the newest.
func (s *Session) verdict(ctx context.Context, js jetstream.JetStream, n Names) error {
	verdicts, err := js.Stream(ctx, n.verdictStream())
	if err != nil {
		return fmt.Errorf("stream %s: %w", n.verdictStream(), err)
	}
	last := ""
	if s.Record != nil {
		m, err := verdicts.GetMsg(ctx, s.Record.Sequence)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("read stream %s: %w", n.verdictStream(), err)
		}
		s.Stored = err == nil && keyOf(m.Header.Get("Nats-Msg-Id")) == s.Key
		last = s.Record.ID
	} else if len(s.Waiting) > 0 {
		last = s.Waiting[0].History.ID
	}
	if last != "" && relay.Replays(last) == 0 { // the first: there was none before
		return nil
	}
	state := verdicts.CachedInfo().State
	from := state.FirstSeq
	if state.LastSeq >= mostLooked {
		from = max(from, state.LastSeq-mostLooked+1)
	}
	s.Unlooked = from - state.FirstSeq
	err = n.eachID(ctx, verdicts, from, func(id string, rec relay.Record) {
		if s.Looked++; keyOf(id) == s.Key && id != last {
			s.Verdicts = append(s.Verdicts, rec)
		}
	})
	if err != nil {
		return err
	}
	for i, rec := range s.Verdicts {
		m, err := verdicts.GetMsg(ctx, rec.Sequence)
		if err == nil { // else it was purged meanwhile
			s.Verdicts[i] = n.record(m)
		}
	}
	return nil
}

// lag reads how far the relay is with call.ended.
func (s *Session) lag(ctx context.Context, js jetstream.JetStream, n Names) error {
	s.Lag = Lag{Stream: n.CallsStream, Durable: n.durable()}
	if s.Lag.Stream == "" {
		found, err := js.StreamNameBySubject(ctx, n.CallsSubject)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("look up the stream of %s: %w", n.CallsSubject, err)
		}
		s.Lag.Stream = found
	}
	if s.Lag.Stream == "" {
		s.Lag.Missing = true
		return nil
	}
	c, err := js.Consumer(ctx, s.Lag.Stream, s.Lag.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		s.Lag.Missing = true
		return nil
	case err != nil:
		return fmt.Errorf("look up durable %s of stream %s: %w", s.Lag.Durable, s.Lag.Stream, err)
	}
	info := c.CachedInfo()
	s.Lag.Pending, s.Lag.InHand = info.NumPending, info.NumAckPending
	return nil
}
