package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/relay"
)

// api is a subject of JetStream's API.
func api(parts ...string) string { return "$JS.API." + strings.Join(parts, ".") }

// own are the relay's own streams as they are to be; buckets are streams, too.
func (e *examiner) own() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{e.s.work(), e.s.verdicts()}
}

// buckets are the streams behind the relay's buckets.
func (e *examiner) buckets() []string {
	return []string{"KV_" + e.b.cfg.ledgerBucket(), "KV_" + e.b.cfg.budgetBucket()}
}

// lookUp reads every stream that a relay works with.
func (e *examiner) lookUp(ctx context.Context) {
	names := e.buckets()
	for _, want := range e.own() {
		names = append(names, want.Name)
	}
	if e.findCalls(ctx) {
		names = append(names, e.calls)
	}
	for _, name := range names {
		if !e.grants.mayPublish(api("STREAM.INFO", name)) {
			e.blind[name] = true
			e.tell(checkup.Skipped("streams", "stream "+name, "the NATS user may not look at it (publish %s)", api("STREAM.INFO", name)))
			continue
		}
		try, cancel := asking(ctx)
		info, err := e.s.info(try, name)
		cancel()
		switch {
		case err == nil:
			e.have[name], e.ahead = info, time.Until(info.TimeStamp)
		case !errors.Is(err, jetstream.ErrStreamNotFound):
			e.blind[name] = true
			e.tell(e.unseen("streams", "stream "+name, err))
		}
	}
}

// findCalls finds the name of the stream of calls.
func (e *examiner) findCalls(ctx context.Context) bool {
	of := "calls.subject " + e.b.cfg.CallsSubject
	if e.b.cfg.CallsStream == "" && !e.grants.mayPublish(api("STREAM.NAMES")) {
		e.tell(checkup.Skipped("streams", of, "the NATS user may not look for its stream (publish %s); calls.stream names it without", api("STREAM.NAMES")))
		return false
	}
	try, cancel := asking(ctx)
	defer cancel()
	name, err := e.s.find(try)
	switch {
	case errors.Is(err, ErrSetup):
		e.tell(broken("streams", of, err))
	case err != nil:
		e.tell(e.unseen("streams", of, err))
	default:
		e.calls = name
	}
	return err == nil
}

// streams holds each stream and bucket to what the relay needs of it, and to the settings.
func (e *examiner) streams(ctx context.Context) {
	if e.calls != "" && !e.blind[e.calls] {
		want := e.s.taken(e.calls)
		switch info := e.have[e.calls]; {
		case info == nil:
			e.tell(e.absent(ctx, want))
		case e.s.own(info.Config):
			e.tell(e.ours(info.Config, want))
		default:
			e.tell(e.theirs(ctx, info.Config))
		}
	}
	for _, want := range e.own() {
		switch info := e.have[want.Name]; {
		case e.blind[want.Name]:
		case info == nil:
			e.tell(e.absent(ctx, want))
		default:
			e.tell(e.ours(info.Config, want))
		}
	}
	for _, name := range e.buckets() {
		switch info := e.have[name]; {
		case e.blind[name]:
		case info == nil:
			e.tell(e.absent(ctx, jetstream.StreamConfig{Name: name}))
		default:
			e.tell(checkup.Good("streams", "bucket "+strings.TrimPrefix(name, "KV_"), "there, with %s", plural(info.State.Msgs, "record")))
		}
	}
}

// absent is a stream that is not there yet.
func (e *examiner) absent(ctx context.Context, want jetstream.StreamConfig) checkup.Finding {
	of := "stream " + want.Name
	if bucket, ok := strings.CutPrefix(want.Name, "KV_"); ok {
		of = "bucket " + bucket
	}
	for _, subject := range want.Subjects {
		if !e.grants.mayPublish(api("STREAM.NAMES")) {
			break
		}
		try, cancel := asking(ctx)
		other, err := e.b.js.StreamNameBySubject(try, subject)
		cancel()
		if err == nil {
			return checkup.Failure("streams", of, fmt.Sprintf("it is not there and cannot be made: stream %s holds %s", other, subject), "set nats.prefix and ready.subject to others, or take the subject out of "+other)
		}
	}
	return e.making("streams", of, api("STREAM.CREATE", want.Name))
}

// making says who makes what is missing.
func (e *examiner) making(check, of, subject string) checkup.Finding {
	switch {
	case !e.b.cfg.Provision:
		return checkup.Failure(check, of, "it is not there, and nats.provision is false", "run voicemail-relay setup")
	case !e.grants.mayPublish(subject):
		return checkup.Failure(check, of, "it is not there, and the NATS user may not make it", "run voicemail-relay setup as a user that may, or allow the relay's to publish "+subject)
	}
	return checkup.Good(check, of, "not there yet: run creates it")
}

// ours holds one of the relay's own streams to the settings.
func (e *examiner) ours(have, want jetstream.StreamConfig) checkup.Finding {
	of := "stream " + want.Name
	if err := another(have, want); err != nil {
		return broken("streams", of, err)
	}
	have.Duplicates = max(have.Duplicates, want.Duplicates) // spans tells, and schedules
	have.AllowMsgSchedules = have.AllowMsgSchedules || want.AllowMsgSchedules
	next := brought(have, want)
	if err := unfit(have, next, want); err != nil {
		return broken("streams", of, err)
	}
	if !reflect.DeepEqual(have, next) {
		return checkup.Warning("streams", of, "it differs from the settings: "+difference(have, next), "run voicemail-relay setup, which brings it to them")
	}
	return checkup.Good("streams", of, "as the settings say")
}

// theirs holds a stream that others made to what the relay needs.
func (e *examiner) theirs(ctx context.Context, have jetstream.StreamConfig) checkup.Finding {
	of := "stream " + have.Name
	switch err := e.s.foreign(ctx, have); {
	case err != nil:
		return broken("streams", of, err)
	case have.MaxMsgSize > 0 && int(have.MaxMsgSize) < relay.MaxBody:
		return checkup.Warning("streams", of, fmt.Sprintf("max_msg_size is %d: it refuses the largest calls", have.MaxMsgSize), fmt.Sprintf("raise it to %d", relay.MaxBody))
	case have.MaxAge > 0 && have.MaxAge < time.Hour:
		return checkup.Warning("streams", of, fmt.Sprintf("max_age is %s: calls are lost when the relay is down for longer", spoken(have.MaxAge)), fmt.Sprintf("raise it, better to %s (ledger.keep)", spoken(e.b.cfg.LedgerKeep)))
	}
	return checkup.Good("streams", of, "others made it; it can work, and setup never changes it")
}

// durables holds each durable to what the relay needs of it, and to the settings.
func (e *examiner) durables(ctx context.Context) {
	if info := e.have[e.calls]; info != nil {
		e.durable(ctx, e.calls, e.s.taker(info.Config, time.Time{}))
	} else if e.calls != "" && !e.blind[e.calls] {
		e.tell(e.making("durables", e.b.cfg.durable()+" of "+e.calls, api("CONSUMER.CREATE", e.calls, e.b.cfg.durable(), e.b.cfg.CallsSubject)))
	}
	work := e.b.cfg.workStream()
	for _, a := range e.b.cfg.Accounts {
		if e.blind[work] {
			break
		}
		if e.have[work] == nil {
			e.tell(e.making("durables", "the lines of account "+a.Name, api("CONSUMER.CREATE", work, e.b.cfg.lineConsumer(relay.Token(a.Name), relay.ClassFirst), "x")))
			continue
		}
		e.line(ctx, work, a.Name)
	}
}

// line looks at the durables of an account's line, which are told as one where all are well.
func (e *examiner) line(ctx context.Context, work, account string) {
	before := len(e.found)
	missing := 0
	for _, c := range relay.Classes() {
		want := e.s.line(relay.Token(account), c, account)
		switch f := e.look(ctx, work, want); {
		case f.Grade != checkup.OK:
			e.tell(f)
		case f.Found != asSet:
			missing++
		}
	}
	of := "the lines of account " + account
	switch all := len(relay.Classes()); {
	case len(e.found) > before:
	case missing > 0:
		e.tell(checkup.Good("durables", of, "%d of %d not there yet: run creates them", missing, all))
	default:
		e.tell(checkup.Good("durables", of, "all %d %s", all, asSet))
	}
}

func (e *examiner) durable(ctx context.Context, stream string, want jetstream.ConsumerConfig) {
	e.tell(e.look(ctx, stream, want))
}

const asSet = "as the settings say"

// look holds one durable to the settings.
func (e *examiner) look(ctx context.Context, stream string, want jetstream.ConsumerConfig) checkup.Finding {
	const check = "durables"
	of := fmt.Sprintf("durable %s of stream %s", want.Durable, stream)
	if subject := api("CONSUMER.INFO", stream, want.Durable); !e.grants.mayPublish(subject) {
		return checkup.Skipped(check, of, "the NATS user may not look at it (publish %s)", subject)
	}
	try, cancel := asking(ctx)
	defer cancel()
	c, err := e.b.js.Consumer(try, stream, want.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return e.making(check, of, api("CONSUMER.CREATE", stream, want.Durable, want.FilterSubject))
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		return broken(check, of, anotherConsumer(stream, want))
	case err != nil:
		return e.unseen(check, of, err)
	}
	info := c.CachedInfo()
	have := info.Config
	next := broughtConsumer(have, want)
	switch err := unfitConsumer(stream, have, want); {
	case have.AckPolicy != jetstream.AckExplicitPolicy:
		return broken(check, of, anotherConsumer(stream, want))
	case err != nil:
		return broken(check, of, err)
	case info.Paused:
		return checkup.Failure(check, of, fmt.Sprintf("somebody paused it, for %s more", info.PauseRemaining.Round(time.Second)), fmt.Sprintf("nats consumer resume %s %s", stream, want.Durable))
	case !reflect.DeepEqual(have, next):
		return checkup.Warning(check, of, fmt.Sprintf("it differs from the settings (ack_wait %s, set is %s)", spoken(have.AckWait), spoken(want.AckWait)), "run voicemail-relay setup, which brings it to them")
	}
	return checkup.Good(check, of, asSet)
}

func plural[N uint64 | int](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
