package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// publishing is what publish was asked for.
type publishing struct {
	bot, session  string
	again, asJSON bool
	ended, data   string
	voicemail     string
	fields        []string
}

func (a *app) publishCommand() *cobra.Command {
	var p publishing
	cmd := &cobra.Command{
		Use:   "publish BOT SESSION",
		Short: "Announce an ended call",
		Long: `Publish announces an ended call on call.ended and waits until its stream has confirmed it. A session that is settled already is not
asked for again, unless with --again.`,
		Example: `  voicemail-relay publish st-1a2b 67aa38026e199c8f470e0001
  voicemail-relay publish st-1a2b 67aa38026e199c8f470e0001 --field queue=sales --voicemail true
  voicemail-relay publish st-1a2b 67aa38026e199c8f470e0001 --again`,
		Annotations: map[string]string{usesSettings: "y"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("publish takes BOT and SESSION, got %s", plural(len(args), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.load(cmd, settings.NeedNATS)
			if err != nil {
				return err
			}
			p.bot, p.session = args[0], args[1]
			body, err := p.body(a.stdin)
			if err != nil {
				return err
			}
			return a.publish(cmd.Context(), e.Settings, p, body)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&p.again, "again", false, "ask once more for a settled session")
	f.StringVar(&p.ended, "ended-at", "", "when the call ended, RFC 3339 (default: now)")
	f.StringVar(&p.voicemail, "voicemail", "", "what is known: true (one was left) or false (none)")
	f.StringArrayVar(&p.fields, "field", nil, "a field of your own, name=text; may be repeated")
	f.StringVar(&p.data, "data", "", "fields of your own as a JSON object; - reads it from standard input")
	f.BoolVar(&p.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// body writes the event.
func (p publishing) body(stdin io.Reader) ([]byte, error) {
	botErr, sessionErr := relay.CheckID(p.bot), relay.CheckID(p.session)
	switch {
	case botErr != nil && sessionErr != nil:
		return nil, usagef("BOT %w, and SESSION %w", botErr, sessionErr)
	case botErr != nil:
		return nil, usagef("BOT %w", botErr)
	case sessionErr != nil:
		return nil, usagef("SESSION %w", sessionErr)
	}
	var event fields
	piped := p.data == "-"
	if piped {
		b, err := io.ReadAll(io.LimitReader(stdin, relay.MaxBody+1))
		if err != nil {
			return nil, err
		}
		if len(b) > relay.MaxBody {
			return nil, usagef("--data: standard input holds more than %d bytes", relay.MaxBody)
		}
		p.data = string(b)
	}
	if p.data != "" || piped {
		var err error
		if event, err = readFields(p.data); err != nil {
			return nil, usagef("--data: %w", err)
		}
	}
	if err := p.contradicted(event, "--data"); err != nil {
		return nil, err
	}
	for _, f := range p.fields {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, usagef("--field: give name=text")
		}
		event.text(name, value)
	}
	if err := p.contradicted(event, "--field"); err != nil {
		return nil, err
	}
	event.text("botId", p.bot)
	event.text("sessionId", p.session)
	if p.ended != "" {
		if _, err := relay.ParseTime(p.ended); err != nil {
			return nil, usagef("--ended-at: %q is not RFC 3339, such as 2026-11-24T10:00:00Z", p.ended)
		}
		event.text("endedAt", p.ended)
	}
	switch p.voicemail {
	case "":
	case "true", "false":
		event.set("voicemail", []byte(p.voicemail))
	default:
		return nil, usagef("--voicemail: true or false, got %q", p.voicemail)
	}
	body := event.object()
	if len(body) > relay.MaxBody {
		return nil, usagef("the event has %d bytes, more than %d", len(body), relay.MaxBody)
	}
	return body, nil
}

// contradicted refuses fields that name another bot or session than the arguments; their values may be private and are not told.
func (p publishing) contradicted(event fields, flag string) error {
	for _, id := range []struct{ name, arg, value string }{{"botId", "BOT", p.bot}, {"streamId", "BOT", p.bot}, {"sessionId", "SESSION", p.session}} {
		var value string
		raw, ok := event.get(id.name)
		if ok && (json.Unmarshal(raw, &value) != nil || value != id.value) {
			return usagef("%s: its %s is not %s (%s): leave it out, or give the same", flag, id.name, id.arg, id.value)
		}
	}
	return nil
}

func (a *app) publish(ctx context.Context, s settings.Settings, p publishing, body []byte) error {
	if strings.ContainsAny(s.Calls.Subject, "*>") {
		return usagef("calls.subject %s has wildcards: set it to the subject to publish on", s.Calls.Subject)
	}
	nc, err := connect(ctx, s, "publish")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return a.announce(ctx, s, js, p, body)
}

// announce publishes a call, and says so when nothing will come of it.
func (a *app) announce(ctx context.Context, s settings.Settings, js jetstream.JetStream, p publishing, body []byte) error {
	nc := js.Conn()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m := nats.NewMsg(s.Calls.Subject)
	m.Data = body
	key := relay.Call{Bot: p.bot, Session: p.session}.Key()
	var settled *relay.Record
	if !p.again {
		settled = lookedUp(ctx, s, js, key) // before the call is settled itself
	}
	before := nc.LastError()
	if p.again {
		l, err := bus.OpenLedger(ctx, js, names(s))
		if err != nil {
			return named(nc, err)
		}
		rec, found, err := l.Get(ctx, key)
		if err != nil {
			return named(nc, fmt.Errorf("read the ledger: %w", err))
		}
		if found {
			m.Header.Set(relay.ReplayHeader, strconv.Itoa(relay.Replays(rec.ID)+1))
		}
	}
	ack, err := js.PublishMsg(ctx, m)
	if denied := bus.Denied(nc); err != nil && denied != nil && nc.LastError() != before {
		return fmt.Errorf("publish on %s: %w", s.Calls.Subject, denied)
	}
	if err != nil {
		return unconfirmed(js, s.Calls.Subject, err)
	}
	if p.asJSON {
		out, _ := json.Marshal(map[string]any{"stream": ack.Stream, "seq": ack.Sequence, "duplicate": ack.Duplicate})
		fmt.Fprintln(a.stdout, string(out))
	} else {
		fmt.Fprintf(a.stdout, "published on %s: stream %s, sequence %d\n", s.Calls.Subject, ack.Stream, ack.Sequence)
	}
	if settled != nil {
		fmt.Fprintf(a.stderr, "the session is settled already (%s at %s, sequence %d), so the relay will fold this call: publish it with --again to have it asked for once more\n",
			settled.Verdict, clock(settled.At), settled.Sequence)
	}
	return nil
}

// lookedUp is what the ledger holds of a session; nil where it holds nothing, may not be read, or does not answer within a moment.
func lookedUp(ctx context.Context, s settings.Settings, js jetstream.JetStream, key string) *relay.Record {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	nc := js.Conn()
	handler := nc.ErrorHandler()
	defer nc.SetErrorHandler(handler)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) { // it looks like a time-out otherwise, and a publisher may well lack the right
			cancel()
		}
	})
	l, err := bus.OpenLedger(ctx, js, names(s))
	if err != nil {
		return nil
	}
	rec, found, err := l.Get(ctx, key)
	if err != nil || !found {
		return nil
	}
	return &rec
}

// unconfirmed says why a stream did not confirm a call, as far as that can be found out.
func unconfirmed(js jetstream.JetStream, subject string, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		if _, err := js.AccountInfo(ctx); errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return fmt.Errorf("publish on %s: %w", subject, bus.Explained(err))
		}
		return fmt.Errorf("no stream holds %s: run voicemail-relay setup", subject)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		name, lost := js.StreamNameBySubject(ctx, subject)
		if lost != nil {
			break
		}
		if st, lost := js.Stream(ctx, name); lost == nil && st.CachedInfo().Config.NoAck {
			return fmt.Errorf("publish on %s: stream %s has no_ack and confirms nothing, so that nobody knows whether the call is stored: set no_ack to false", subject, name)
		}
		return fmt.Errorf("publish on %s: stream %s has not confirmed the call within 5 s, which may be stored all the same; publish it again, repeats are harmless: %w", subject, name, err)
	}
	return fmt.Errorf("publish on %s: %w", subject, err)
}
