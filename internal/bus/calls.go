package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// calls finds or creates the stream that holds call.ended, and checks that it can work.
func (s *setup) calls(ctx context.Context) (string, error) {
	name, err := s.find(ctx)
	if err != nil {
		return "", err
	}
	want := s.taken(name)
	info, err := s.info(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return name, s.createStream(ctx, want)
	case err != nil:
		return "", fmt.Errorf("look up stream %s: %w", name, err)
	case s.own(info.Config):
		return name, s.stream(ctx, want)
	}
	return name, s.foreign(ctx, info.Config)
}

// find returns the name of the stream that holds call.ended, or of the one that is to be made for it.
func (s *setup) find(ctx context.Context) (string, error) {
	n := s.b.cfg.Names
	name := n.CallsStream
	if name == "" {
		found, err := s.b.js.StreamNameBySubject(ctx, n.CallsSubject)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			name = n.callsStream()
		case err != nil && permanent(err):
			return "", fmt.Errorf("%w: JetStream: %w", ErrSetup, err)
		case err != nil:
			return "", fmt.Errorf("look up the stream of %s: %w", n.CallsSubject, err)
		default:
			name = found
		}
	}
	if name == n.workStream() || name == n.verdictStream() {
		return "", fmt.Errorf("%w: calls.subject %s belongs to the relay's own stream %s: set another", ErrSetup, n.CallsSubject, name)
	}
	return name, nil
}

// taken is the stream of calls as the relay makes it.
func (s *setup) taken(name string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{s.b.cfg.CallsSubject}, Description: "calls that ended, for Voicemail Relay",
		Storage: jetstream.FileStorage, Replicas: s.b.cfg.Replicas, MaxAge: s.b.cfg.LedgerKeep, AllowDirect: true,
	}
}

// own says whether this deployment made a stream: another's is not for this one to change. Earlier versions noted no deployment.
func (s *setup) own(cfg jetstream.StreamConfig) bool {
	maker := cfg.Metadata[ownerKey]
	return maker == s.owner() || maker == ownerSelf && cfg.Name == s.b.cfg.Prefix+"CALLS"
}

// owner is how this deployment marks what it makes.
func (s *setup) owner() string { return ownerSelf + s.b.cfg.Prefix }

// Less than this in a stream of calls cannot work: a short event, and some minutes of calls while the relay is down.
const (
	leastMsgSize = 1 << 10
	leastBytes   = 1 << 20
)

// foreign checks a stream that others made. It is never changed: what cannot work is named.
func (s *setup) foreign(ctx context.Context, cfg jetstream.StreamConfig) error {
	n := s.b.cfg.Names
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: stream %s: %s", ErrSetup, cfg.Name, fmt.Sprintf(format, args...))
	}
	if !slicesCover(cfg.Subjects, n.CallsSubject) && len(cfg.Sources) == 0 && cfg.Mirror == nil {
		return bad("does not hold %s: add the subject to it, or set calls.stream", n.CallsSubject)
	}
	full := "further calls push out those that are not handled yet"
	if cfg.Discard == jetstream.DiscardNew {
		full = "further calls are refused (discard new)"
	}
	switch {
	case cfg.Sealed:
		return bad("is sealed and takes no calls: set calls.stream to another")
	case cfg.NoAck:
		return bad("no_ack is true: nobody learns whether a call was stored; set no_ack to false")
	case cfg.MaxMsgsPerSubject > 0 && cfg.MaxMsgsPerSubject < 1000:
		return bad("max_msgs_per_subject is %d: %s; raise it to 1000 or more, or remove it", cfg.MaxMsgsPerSubject, full)
	case cfg.MaxMsgs > 0 && cfg.MaxMsgs < 1000:
		return bad("max_msgs is %d: %s; raise it to 1000 or more, or remove it", cfg.MaxMsgs, full)
	case cfg.MaxBytes > 0 && cfg.MaxBytes < leastBytes:
		return bad("max_bytes is %d: %s; raise it to %d or more, or remove it", cfg.MaxBytes, full, leastBytes)
	case cfg.MaxMsgSize > 0 && cfg.MaxMsgSize < leastMsgSize:
		return bad("max_msg_size is %d: it takes hardly any call; raise it to %d, or remove it", cfg.MaxMsgSize, relay.MaxBody)
	case cfg.MaxAge > 0 && cfg.MaxAge < time.Minute:
		return bad("max_age is %s: calls would be gone before they are handled; raise it to a minute at least, better %s", cfg.MaxAge, s.b.cfg.LedgerKeep)
	case cfg.SubjectTransform != nil:
		return bad("subject_transform stores calls under another subject: remove it, or set calls.subject to what it makes")
	}
	if cfg.MaxMsgSize > 0 && int(cfg.MaxMsgSize) < relay.MaxBody {
		s.b.cfg.Log.Warn("the stream of calls refuses large ones: max_msg_size is less than a call may have", zap.String("stream", cfg.Name),
			zap.Int32("max_msg_size", cfg.MaxMsgSize), zap.Int("largest_call", relay.MaxBody))
	}
	if cfg.Storage == jetstream.MemoryStorage {
		s.b.cfg.Log.Warn("the stream of calls is kept in memory: a restart of the server loses calls", zap.String("stream", cfg.Name))
	}
	return nil
}

// intake makes the durable on the stream of calls. It begins with calls stored at most ledger.keep ago: older ones could have been told
// before, and nobody remembers.
func (s *setup) intake(ctx context.Context, stream string) error {
	info, err := s.info(ctx, stream)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream, err)
	}
	start := time.Now().Add(-s.b.cfg.LedgerKeep)
	want := s.taker(info.Config, start)
	before := len(s.changes)
	if err := s.consumer(ctx, stream, want); err != nil || len(s.changes) == before {
		return err
	}
	return s.skipped(ctx, stream, start)
}

// taker is the durable on the stream of calls.
func (s *setup) taker(calls jetstream.StreamConfig, start time.Time) jetstream.ConsumerConfig {
	n := s.b.cfg.Names
	want := jetstream.ConsumerConfig{
		Durable: n.durable(), Description: "Voicemail Relay", FilterSubject: n.CallsSubject,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.b.cfg.AckWait, MaxDeliver: -1, MaxAckPending: -1,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start,
	}
	if calls.Retention == jetstream.WorkQueuePolicy { // it allows nothing else, and holds unhandled calls alone
		want.DeliverPolicy, want.OptStartTime = jetstream.DeliverAllPolicy, nil
	}
	if most := calls.ConsumerLimits.MaxAckPending; most > 0 {
		want.MaxAckPending = most
	}
	return want
}

// skipped says how many calls a new durable leaves out.
func (s *setup) skipped(ctx context.Context, stream string, start time.Time) error {
	n := s.b.cfg.Names
	c, err := s.b.js.Consumer(ctx, stream, n.durable())
	if err != nil {
		return err
	}
	st, err := s.b.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(n.CallsSubject))
	if err != nil {
		return err
	}
	var all uint64
	for _, k := range info.State.Subjects {
		all += k
	}
	ci := c.CachedInfo()
	if left := ci.NumPending + ci.Delivered.Consumer; all > left && ci.Delivered.Consumer == 0 {
		s.changed("durable %s skips %s stored before %s (ledger.keep)", n.durable(), plural(all-left, "call"), start.UTC().Format(time.RFC3339))
	}
	return nil
}

// slicesCover says whether one of the subjects, wildcards included, covers another.
func slicesCover(subjects []string, want string) bool {
	for _, s := range subjects {
		if covers(s, want) {
			return true
		}
	}
	return false
}
