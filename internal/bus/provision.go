package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/relay"
)

// ErrSetup marks a stream, bucket or consumer that cannot work as it is; the text names the cure.
var ErrSetup = errors.New("setup")

// ownerKey marks what the relay created, so that it may bring it to the settings later.
const (
	ownerKey  = "voicemail-relay"
	ownerSelf = "own" // and the deployment's prefix
)

// Setup creates the streams, buckets and durables that are missing and, with update, brings the relay's own to the settings. It returns
// what it changed, a line each, and the stream that calls come from. A stream that was there before for call.ended is never changed.
func (b *Bus) Setup(ctx context.Context, update bool) (changes []string, calls string, err error) {
	s, began := &setup{b: b, update: update}, time.Now()
	calls, err = s.all(ctx)
	if denied := b.denied.since(began); err != nil && denied != nil { // else it would only look like a time-out
		err = fmt.Errorf("%w; %w", err, denied)
	}
	return s.changes, calls, Explained(err)
}

// Explained adds to an error of JetStream's that nobody answered what that may mean, and the cure. It passes any other.
func Explained(err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: JetStream is not enabled on the server at nats.url, or not for this account, or is still starting; enable it in the server's configuration (jetstream {}, or nats-server -js)", err)
	}
	return err
}

type setup struct {
	b       *Bus
	update  bool
	changes []string
}

func (s *setup) changed(format string, args ...any) {
	s.changes = append(s.changes, fmt.Sprintf(format, args...))
}

func (s *setup) all(ctx context.Context) (string, error) {
	n := s.b.cfg.Names
	calls, err := s.calls(ctx)
	if err != nil {
		return "", err
	}
	if err := s.stream(ctx, s.work()); err != nil {
		return "", err
	}
	if err := s.checkSchedules(ctx); err != nil {
		return "", err
	}
	if err := s.stream(ctx, s.verdicts()); err != nil {
		return "", err
	}
	if err := s.bucket(ctx, n.ledgerBucket(), "what became of each session", s.b.cfg.LedgerKeep); err != nil {
		return "", err
	}
	if err := s.bucket(ctx, n.budgetBucket(), "each account's pace", 0); err != nil {
		return "", err
	}
	for _, a := range s.b.cfg.Accounts {
		for _, c := range relay.Classes() {
			token := relay.Token(a.Name)
			if err := s.consumer(ctx, n.workStream(), s.line(token, c, a.Name)); err != nil {
				return "", err
			}
		}
	}
	return calls, s.intake(ctx, calls)
}

func (s *setup) work() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: s.b.cfg.workStream(), Subjects: []string{s.b.cfg.workSubject() + ".>"},
		Description: "Voicemail Relay's waiting line: do not publish here",
		Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: s.b.cfg.Replicas,
		AllowMsgSchedules: true, AllowMsgTTL: true, AllowDirect: true, // no limits: they would end waiting calls silently
	}
}

func (s *setup) verdicts() jetstream.StreamConfig {
	n := s.b.cfg.Names
	return jetstream.StreamConfig{
		Name: n.verdictStream(), Subjects: []string{n.verdict(relay.KindReady), n.verdict(relay.KindAbsent), n.verdict(relay.KindFailed)},
		Description: "what became of each call", Storage: jetstream.FileStorage, Replicas: s.b.cfg.Replicas,
		MaxAge: s.b.cfg.VerdictsKeep, Duplicates: s.b.cfg.LedgerKeep, AllowDirect: true,
	}
}

// line is the consumer of one class of an account's line.
func (s *setup) line(token string, c relay.Class, account string) jetstream.ConsumerConfig {
	n := s.b.cfg.Names
	return jetstream.ConsumerConfig{
		Durable: n.lineConsumer(token, c), Description: "account " + account,
		FilterSubject: n.due(place{account: token, class: c, key: "*"}),
		AckPolicy:     jetstream.AckExplicitPolicy, AckWait: s.b.cfg.AckWait, MaxDeliver: -1, MaxAckPending: -1,
	}
}

// checkSchedules refuses a server that took the stream and left its schedules out.
func (s *setup) checkSchedules(ctx context.Context) error {
	info, err := s.info(ctx, s.b.cfg.workStream())
	if err != nil {
		return err
	}
	if !info.Config.AllowMsgSchedules {
		return fmt.Errorf("%w: stream %s has no message schedules: run nats-server 2.12 or later on every node, and let voicemail-relay setup make the stream", ErrSetup, s.b.cfg.workStream())
	}
	return nil
}

func (s *setup) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	h, err := s.b.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	return h.CachedInfo(), nil
}

// stream creates one of the relay's own streams, or brings it to the settings.
func (s *setup) stream(ctx context.Context, want jetstream.StreamConfig) error {
	info, err := s.info(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return s.createStream(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", want.Name, err)
	}
	have := info.Config
	if err := another(have, want); err != nil {
		return err
	}
	next := brought(have, want)
	if reflect.DeepEqual(have, next) {
		return nil
	}
	if !s.update {
		return unfit(have, next, want)
	}
	if _, err := s.b.js.UpdateStream(ctx, next); err != nil {
		return fmt.Errorf("%w: stream %s cannot be brought to the settings: %w", ErrSetup, want.Name, err)
	}
	s.changed("stream %s updated: %s", want.Name, difference(have, next))
	return nil
}

// another says that a stream of this name is another than the relay's; nil when it is not. One that the relay has not made, such as an operator's,
// is its own as soon as it holds one of its subjects.
func another(have, want jetstream.StreamConfig) error {
	what := ""
	switch {
	case have.Retention != want.Retention:
		what = "with another retention"
	case have.Metadata[ownerKey] == "" && !slices.ContainsFunc(want.Subjects, func(s string) bool { return slicesCover(have.Subjects, s) }):
		what = "and holds none of " + strings.Join(want.Subjects, ", ")
	default:
		return nil
	}
	return fmt.Errorf("%w: stream %s is there %s; rename or delete it, or set nats.prefix", ErrSetup, want.Name, what)
}

// brought is one of the relay's own streams, brought to the settings. What an operator may have set besides stays.
func brought(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	next := have
	next.Subjects, next.MaxAge, next.Duplicates, next.Replicas = want.Subjects, want.MaxAge, want.Duplicates, want.Replicas
	next.AllowMsgSchedules, next.AllowMsgTTL = have.AllowMsgSchedules || want.AllowMsgSchedules, have.AllowMsgTTL || want.AllowMsgTTL
	next.AllowDirect = true
	if want.Duplicates == 0 {
		next.Duplicates = have.Duplicates
	}
	next.MaxMsgs, next.MaxMsgsPerSubject, next.DiscardNewPerSubject = -1, -1, false
	if want.Retention == jetstream.WorkQueuePolicy { // elsewhere an operator may bound what is kept
		next.MaxBytes = -1
	}
	if have.MaxMsgSize > 0 && have.MaxMsgSize < leastSize(want) {
		next.MaxMsgSize = -1
	}
	return next
}

// unfit says why a stream of the relay's own cannot work as it is; nil when it can. next is it brought to the settings.
func unfit(have, next, want jetstream.StreamConfig) error {
	for _, subject := range want.Subjects {
		if !slicesCover(have.Subjects, subject) {
			return fmt.Errorf("%w: stream %s does not hold %s: run voicemail-relay setup", ErrSetup, want.Name, subject)
		}
	}
	if limit := deadly(have, next); limit != "" {
		return fmt.Errorf("%w: stream %s has %s: run voicemail-relay setup", ErrSetup, want.Name, limit)
	}
	if want.Duplicates > have.Duplicates {
		return fmt.Errorf("%w: stream %s folds repeats for %s, less than ledger.keep (%s): run voicemail-relay setup", ErrSetup, want.Name, have.Duplicates, want.Duplicates)
	}
	return nil
}

func (s *setup) createStream(ctx context.Context, want jetstream.StreamConfig) error {
	if !s.may() {
		return missing("stream", want.Name)
	}
	want.Metadata = map[string]string{ownerKey: s.owner()}
	_, err := s.b.js.CreateStream(ctx, want)
	switch {
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another replica was quicker
		return nil
	case apiCode(err) == 10074:
		return fmt.Errorf("%w: stream %s cannot have %d replicas, as the server at nats.url is in no cluster: set nats.replicas to 1", ErrSetup, want.Name, want.Replicas)
	case apiCode(err) == 10065:
		cure := "set nats.prefix and ready.subject"
		if want.Subjects[0] == s.b.cfg.CallsSubject {
			cure = "set calls.stream to that one"
		}
		return fmt.Errorf("%w: stream %s cannot have the subjects %s, another stream holds some of them: %s", ErrSetup, want.Name, strings.Join(want.Subjects, ", "), cure)
	case err != nil && permanent(err):
		return fmt.Errorf("%w: create stream %s: %w", ErrSetup, want.Name, err)
	case err != nil:
		return fmt.Errorf("create stream %s: %w", want.Name, err)
	}
	s.changed("stream %s created for %s", want.Name, strings.Join(want.Subjects, ", "))
	return nil
}

// may says whether missing things are to be created here.
func (s *setup) may() bool { return s.update || s.b.cfg.Provision }

func missing(what, name string) error {
	return fmt.Errorf("%w: there is no %s %s and nats.provision is false: run voicemail-relay setup", ErrSetup, what, name)
}

func (s *setup) bucket(ctx context.Context, name, description string, ttl time.Duration) error {
	kv, err := s.b.js.KeyValue(ctx, name)
	if err == nil {
		return s.bucketTTL(ctx, kv, ttl)
	}
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("look up bucket %s: %w", name, err)
	}
	if !s.may() {
		return missing("bucket", name)
	}
	_, err = s.b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, Description: "Voicemail Relay: " + description, TTL: ttl, Replicas: s.b.cfg.Replicas})
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	s.changed("bucket %s created", name)
	return nil
}

// bucketTTL brings a bucket's time to live, and its replicas, to the settings.
func (s *setup) bucketTTL(ctx context.Context, kv jetstream.KeyValue, ttl time.Duration) error {
	st, err := kv.Status(ctx)
	if err != nil {
		return fmt.Errorf("look up bucket %s: %w", kv.Bucket(), err)
	}
	if !s.update {
		if st.TTL() > 0 && st.TTL() != ttl && (st.TTL() < ttl || ttl == 0) {
			return fmt.Errorf("%w: bucket %s forgets after %s, sooner than the settings say (%s; 0s: never): run voicemail-relay setup", ErrSetup, kv.Bucket(), st.TTL(), ttl)
		}
		return nil
	}
	info, err := s.info(ctx, "KV_"+kv.Bucket())
	if err != nil {
		return err
	}
	cfg := info.Config
	cfg.MaxAge, cfg.Replicas = ttl, s.b.cfg.Replicas
	if st.TTL() == ttl && info.Config.Replicas == cfg.Replicas {
		return nil
	}
	if cfg.Duplicates > ttl && ttl > 0 {
		cfg.Duplicates = ttl
	}
	if _, err := s.b.js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("%w: bucket %s cannot be brought to the settings: %w", ErrSetup, kv.Bucket(), err)
	}
	if st.TTL() != ttl {
		s.changed("bucket %s keeps %s, was %s", kv.Bucket(), ttl, st.TTL())
	}
	if info.Config.Replicas != cfg.Replicas {
		s.changed("bucket %s has %s, had %d", kv.Bucket(), plural(cfg.Replicas, "replica"), info.Config.Replicas)
	}
	return nil
}

// permanent says that asking again will not help: the server understood, and said no.
func permanent(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code >= 400 && api.Code < 500 && api.ErrorCode != 10008
	}
	return errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) || errors.Is(err, nats.ErrAuthorization)
}

// difference tells what an update changed, for operators.
func difference(have, next jetstream.StreamConfig) string {
	var parts []string
	tell := func(name string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			parts = append(parts, fmt.Sprintf("%s %v → %v", name, a, b))
		}
	}
	tell("subjects", have.Subjects, next.Subjects)
	tell("max_age", have.MaxAge, next.MaxAge)
	tell("duplicate window", have.Duplicates, next.Duplicates)
	tell("replicas", have.Replicas, next.Replicas)
	tell("message schedules", have.AllowMsgSchedules, next.AllowMsgSchedules)
	tell("max_msgs", have.MaxMsgs, next.MaxMsgs)
	tell("max_bytes", have.MaxBytes, next.MaxBytes)
	tell("max_msg_size", have.MaxMsgSize, next.MaxMsgSize)
	tell("max_msgs_per_subject", have.MaxMsgsPerSubject, next.MaxMsgsPerSubject)
	if len(parts) == 0 {
		return "flags"
	}
	return strings.Join(slices.Compact(parts), ", ")
}
