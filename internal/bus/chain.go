package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// later puts a call into its account's line: at once when its time has come and it is new there, otherwise by an appointment. It folds
// the delivery when the session is on its way already.
//
// A session has one chain of messages in the work stream, each stored only while the one before is its last: a fresh call begins the chain
// where there is none, and a call of the line stores its next appointment only while the delivery in hand is the chain's end. So neither a
// repeat nor a delivery that was handed out twice can fork it, take its slot or lose its history.
func (b *Bus) later(ctx context.Context, fl *flight, l *relay.Later, t *turn) (repeat bool, err error) {
	p := place{account: relay.Token(l.Account), class: l.Class, key: l.Call.Key()}
	history, err := written(l.History)
	if err != nil {
		return false, err
	}
	b.added.Add(1) // and again when it is there: who looks between sees neither
	defer b.added.Add(1)
	m := nats.NewMsg(b.cfg.due(p))
	m.Data = fl.Body
	m.Header.Set(historyHeader, history)
	setTrace(m.Header, l.Call.Trace)
	m.Header.Set("Nats-Expected-Stream", b.cfg.workStream())
	m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", b.cfg.chain(p.key))
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(fl.end(), 10))
	if now := time.Now(); fl.Line || l.At.After(now) {
		m.Subject = b.cfg.wait(p)
		m.Header.Set(scheduleHeader, "@at "+earliest(l.At, now.Add(hop)).Add(time.Duration(b.ahead.Load())).UTC().Format(time.RFC3339Nano))
		m.Header.Set(targetHeader, b.cfg.due(p))
	} else if err := t.wait(ctx); err != nil {
		return false, err
	}
	taken, unknown := false, false // whether the chain has another end; whether a try may have been stored, though nobody said so
	err = b.persist(ctx, opAppoint, func(ctx context.Context) error {
		_, err := b.mailboxes.store(ctx, m)
		switch {
		case exists(err):
			taken = true
			return nil
		case tooLarge(err):
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		unknown = unknown || err != nil
		return err
	})
	if err != nil || !taken {
		return false, err
	}
	repeat = !unknown
	if !fl.Line && l.Call.Replay > 0 { // also where a try may have been stored: what stands there tells whether it was
		is, err := b.standing(ctx, p.key, l.Call.Replay)
		if !is && err == nil { // gone meanwhile: there is room now
			err = errBusy
		}
		if err != nil {
			return repeat, err
		}
	}
	if l.History.Seen() {
		told, err := b.recall(ctx, p.key, l)
		return repeat && !told, err
	}
	return repeat, nil
}

// unheard says that a session stands nowhere in the work stream, for who may be wrong: that one would cost a request. Where there is one replica it
// spares the second look that last takes.
func (b *Bus) unheard(ctx context.Context, key string) bool {
	if _, err := b.work(ctx); err != nil || b.replicated.Load() {
		return false
	}
	_, err := b.near(ctx, key)
	return errors.Is(err, jetstream.ErrMsgNotFound)
}

// vacant says that nobody waits in the work stream, as far as this process knows.
func (b *Bus) vacant() bool { return b.none.Load() == b.added.Load()+1 }

// end is the sequence that a delivery's chain ends with: its own; 0 where it would begin one.
func (fl *flight) end() uint64 {
	if fl.Line {
		return fl.sequence
	}
	return 0
}

// standing says whether a session is on its way in the work stream. It is errBusy while what stands there is for a verdict before its k-th
// replay: one whose acknowledgement got lost.
func (b *Bus) standing(ctx context.Context, key string, k int) (is bool, err error) {
	err = b.persist(ctx, opReadWork, func(ctx context.Context) (err error) {
		is, err = b.stands(ctx, key, k)
		return err
	})
	return is, err
}

func (b *Bus) stands(ctx context.Context, key string, k int) (bool, error) {
	m, err := b.last(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if h, ok := historyOf(m); ok && relay.Replays(h.ID) < k {
		return true, fmt.Errorf("%w: %w", errFinal, errBusy)
	}
	return true, nil
}

// overtaken says that a delivery out of the line is not the end of its chain any more: it was handed out twice, and the other one has
// settled it. The server's count of deliveries does not tell: it begins anew with a consumer that is made anew, and after kill -9.
func (b *Bus) overtaken(ctx context.Context, fl *flight) (bool, error) {
	m, err := b.last(ctx, fl.key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return true, nil
	case err != nil:
		return false, err
	case m.Sequence < fl.sequence: // read from a replica that has not come to ours yet, or another stream
		m, err = b.lastOfLeader(ctx, fl.key)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return true, nil
		}
	}
	return err == nil && m.Sequence != fl.sequence, err
}

// late says that a verdict other than ready is not to be told: another delivery has settled the call, and may have seen a recording. A repeat
// knows nothing of what its session's requests have seen.
func (b *Bus) late(ctx context.Context, fl *flight) (bool, error) {
	switch {
	case fl.Line:
		return b.overtaken(ctx, fl)
	case fl.key != "":
		return b.stands(ctx, fl.key, fl.replay)
	}
	return false, nil
}

// recall adds to what stands for a session what a delivery has seen that lost its place to it: once seen, a recording is not forgotten, also
// when two relays asked at once and only the other one's history was stored. It says whether it had to.
//
// Whatever stands there, its successor becomes the end of the chain by compare-and-set. An appointment is replaced. What is due already,
// and may be in somebody's hand, is overtaken: its holder's next appointment is refused, and it tells nothing but ready.
func (b *Bus) recall(ctx context.Context, key string, l *relay.Later) (told bool, err error) {
	err = b.persist(ctx, opAppoint, func(ctx context.Context) error {
		for {
			old, err := b.lastOfLeader(ctx, key)
			if errors.Is(err, jetstream.ErrMsgNotFound) { // it has come to its end meanwhile
				return nil
			}
			if err != nil {
				return err
			}
			h, ok := historyOf(old)
			if !ok || h.ID != l.History.ID || h.Seen() {
				return nil
			}
			switch err := b.succeed(ctx, key, old, h.Recalled(l.History)); {
			case err == nil:
				told = true
				return nil
			case tooLarge(err):
				return fmt.Errorf("%w: %w", errFinal, err)
			case !exists(err) || ctx.Err() != nil: // else it moved on meanwhile
				return err
			}
		}
	})
	return told, err
}

// succeed puts another history behind the end of a chain, if that still stands.
func (b *Bus) succeed(ctx context.Context, key string, old *jetstream.RawStreamMsg, h relay.History) error {
	history, err := written(h)
	if err != nil {
		return err
	}
	at, appointment := scheduled(old.Header)
	target := old.Header.Get(targetHeader)
	subject := old.Subject
	if !appointment {
		p, ok := b.cfg.placeOf(old.Subject)
		if !ok {
			return nil
		}
		at, target, subject = time.Now(), old.Subject, b.cfg.wait(p)
	}
	m := again(old, subject, target, earliest(at, h.Due.Add(time.Duration(b.ahead.Load()))))
	m.Header.Set(historyHeader, history)
	m.Header.Set("Nats-Expected-Stream", b.cfg.workStream())
	m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", b.cfg.chain(key))
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(old.Sequence, 10))
	_, err = b.mailboxes.store(ctx, m)
	return err
}

// last reads the end of a session's chain. A replica of the stream that lags may answer: what it does not hold is asked of the leader.
func (b *Bus) last(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	if _, err := b.work(ctx); err != nil {
		return nil, err
	}
	m, err := b.near(ctx, key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return b.lastOfLeader(ctx, key)
	}
	return m, err
}

// near reads the end of a session's chain from any replica of the work stream, by the shorter way where there is one: every call that is late does
// it while others wait.
func (b *Bus) near(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	if b.direct.Load() {
		m, err := b.mailboxes.direct(ctx, b.cfg.workStream(), []byte(`{"last_by_subj":"`+b.cfg.chain(key)+`"}`))
		switch {
		case err == nil:
			if seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err == nil {
				at, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
				return &jetstream.RawStreamMsg{Subject: m.Header.Get("Nats-Subject"), Sequence: seq, Header: m.Header, Data: m.Data, Time: at}, nil
			}
		case !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, errNotDirect):
			return nil, err
		}
	}
	return b.lastOfLeader(ctx, key)
}

func (b *Bus) lastOfLeader(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	return b.ofLeader(ctx, b.cfg.workStream(), map[string]any{"last_by_subj": b.cfg.chain(key)})
}

// ofLeader reads a message from the stream's leader, where the client's own reads are answered by any replica, which may lag.
func (b *Bus) ofLeader(ctx context.Context, stream string, which map[string]any) (*jetstream.RawStreamMsg, error) {
	req, err := json.Marshal(which)
	if err != nil {
		return nil, err
	}
	m, err := b.mailboxes.request(ctx, &nats.Msg{Subject: "$JS.API.STREAM.MSG.GET." + stream, Data: req}, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	raw := &jetstream.RawStreamMsg{Subject: answer.Message.Subject, Sequence: answer.Message.Sequence, Data: answer.Message.Data, Time: answer.Message.Time, Header: nats.Header{}}
	if len(answer.Message.Header) > 0 {
		if raw.Header, err = nats.DecodeHeadersMsg(answer.Message.Header); err != nil {
			return nil, fmt.Errorf("read stream %s: %w", stream, err)
		}
	}
	return raw, nil
}

// historyOf reads the history of a message of the work stream; it is not ok when it holds none.
func historyOf(m *jetstream.RawStreamMsg) (h relay.History, ok bool) {
	err := json.Unmarshal([]byte(m.Header.Get(historyHeader)), &h)
	return h, err == nil && h.ID != ""
}
