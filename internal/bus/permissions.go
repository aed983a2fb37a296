package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/relay"
)

// Inbox is where a running relay's answers arrive, calls among them: a prefix of its own, so that nobody else need be allowed to hear them.
const Inbox = "_INBOX_voicemail_relay"

// userInfo is the server's word on who is connected, and what that user may do.
const userInfo = "$SYS.REQ.USER.INFO"

// A grant is what a user may publish or subscribe to; an empty Allow allows all that is not denied.
type grant struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// allows says whether a subject without wildcards is among them. Entries may name a queue behind the subject.
func (g *grant) allows(subject string) bool {
	if g == nil {
		return true
	}
	among := func(list []string) bool {
		for _, entry := range list {
			if pattern, queue, _ := strings.Cut(entry, " "); queue == "" && covers(pattern, subject) {
				return true
			}
		}
		return false
	}
	return (len(g.Allow) == 0 || among(g.Allow)) && !among(g.Deny)
}

// grants are what a user may do, by the server's own word.
type grants struct {
	publish, subscribe *grant
}

// mayPublish says whether it is known that the user may not publish on a subject; where nothing is known, it may.
func (g *grants) mayPublish(subject string) bool { return g == nil || g.publish.allows(subject) }

// grants asks the server what this user may do; nil when it does not tell.
func (b *Bus) grants(ctx context.Context) *grants {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	m, err := b.nc.RequestWithContext(ctx, userInfo, nil)
	if err != nil {
		return nil
	}
	var info struct {
		Data struct {
			User        string `json:"user"`
			Permissions *struct {
				Publish   *grant `json:"publish"`
				Subscribe *grant `json:"subscribe"`
			} `json:"permissions"`
		} `json:"data"`
	}
	switch {
	case json.Unmarshal(m.Data, &info) != nil:
		return nil
	case info.Data.Permissions == nil: // none are set: it may do everything
		return &grants{}
	}
	return &grants{info.Data.Permissions.Publish, info.Data.Permissions.Subscribe}
}

// lacks names what a running relay needs and the user may not do. calls is the stream of calls, if known.
func (b *Bus) lacks(g *grants, calls string) (missing []string) {
	if g == nil {
		return nil
	}
	for _, s := range b.publishes(calls) {
		if !g.mayPublish(s) {
			missing = append(missing, "publish "+s)
		}
	}
	if s := Inbox + ".x.x"; !g.subscribe.allows(s) {
		missing = append(missing, "subscribe "+Inbox+".>")
	}
	return missing
}

// checkPermissions asks the server what this user may do and names what the relay lacks: a denied publish looks like a time-out otherwise.
// Where the server does not tell, nothing is known, and what is denied shows when it is tried. calls is the stream of calls, if known.
func (b *Bus) checkPermissions(ctx context.Context, calls string) error {
	missing := b.lacks(b.grants(ctx), calls)
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the NATS user may not do what the relay needs; allow it to: %s", ErrSetup, strings.Join(missing, ", "))
}

// publishes are examples, without wildcards, of each kind of subject that a running relay publishes on. What it takes to create streams and
// durables is not among them: they may be made by setup, under another user.
func (b *Bus) publishes(calls string) []string {
	n := b.cfg.Names
	key := relay.Token("")
	kv := "$KV." + n.ledgerBucket() + "." + key
	purse, lags := "$KV."+n.budgetBucket()+".purse."+key, "$KV."+n.budgetBucket()+".lags."+key
	all := []string{
		"$JS.API.STREAM.INFO." + n.workStream(), "$JS.API.STREAM.INFO." + n.verdictStream(),
		"$JS.API.STREAM.INFO.KV_" + n.ledgerBucket(), "$JS.API.STREAM.INFO.KV_" + n.budgetBucket(),
		"$JS.API.DIRECT.GET." + n.workStream(), "$JS.API.DIRECT.GET." + n.verdictStream(), "$JS.API.DIRECT.GET.KV_" + n.ledgerBucket() + "." + kv, kv,
		"$JS.API.STREAM.MSG.GET." + n.workStream(), "$JS.API.STREAM.MSG.GET." + n.verdictStream(), "$JS.API.CONSUMER.LIST." + n.workStream(),
		"$JS.API.DIRECT.GET.KV_" + n.budgetBucket() + "." + purse, purse,
		"$JS.API.DIRECT.GET.KV_" + n.budgetBucket() + "." + lags, lags,
		n.verdict(relay.KindReady), n.verdict(relay.KindAbsent), n.verdict(relay.KindFailed),
	}
	consumer := func(stream, name string) {
		all = append(all, "$JS.API.CONSUMER.INFO."+stream+"."+name, "$JS.API.CONSUMER.MSG.NEXT."+stream+"."+name, "$JS.ACK."+stream+"."+name+".1.1.1.1.0")
	}
	if n.CallsStream == "" {
		all = append(all, "$JS.API.STREAM.NAMES")
	}
	if calls != "" {
		all = append(all, "$JS.API.STREAM.INFO."+calls)
		consumer(calls, n.durable())
	}
	for _, a := range b.cfg.Accounts {
		for _, c := range relay.Classes() {
			p := place{account: relay.Token(a.Name), class: c, key: key}
			all = append(all, n.wait(p), n.due(p))
			consumer(n.workStream(), n.lineConsumer(p.account, c))
		}
	}
	return all
}

// optional is what the relay asks for in case it is allowed, and what becomes of it otherwise.
var optional = map[string]string{
	userInfo:     "a missing one is not named at start, but when it is needed",
	auditSubject: "what operators purge from its streams is not counted",
}

// denials are the permissions that the server denied lately, by its own word on the connection.
type denials struct {
	mu   sync.Mutex
	last map[string]time.Time // by what was denied
	told map[string]time.Time
}

// How long a denial counts after it was last said, longer than the pauses between tries; and how often it is logged.
const (
	denialLasts = 20 * time.Second
	denialTold  = time.Minute
)

// asyncError takes what the client reports apart from any call.
func (b *Bus) asyncError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
			b.mailboxes.refused()
		}
		b.cfg.Log.Warn("nats reports an error", zap.Error(err))
		return
	}
	what := deniedBy(err)
	for subject, without := range optional {
		if strings.Contains(what, subject) {
			b.cfg.Log.Info("nats denies the relay a permission that it can do without: "+without, zap.String("denied", what))
			return
		}
	}
	if b.denied.note(what, time.Now()) {
		b.incident(IncidentDenied, 1, "nats denies the relay a permission: allow it to the relay's user", zap.String("denied", what))
	}
}

func deniedBy(err error) string {
	_, what, _ := strings.Cut(err.Error(), "Permissions Violation for ")
	return what
}

// Denied is what the server has denied on a connection that no Bus runs on, with what to do; nil where nothing.
func Denied(nc *nats.Conn) error {
	err := nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	return fmt.Errorf("nats denies %s: allow it to the user, or give another one's nats.credentials_file", deniedBy(err))
}

// note writes a denial down and says whether it is to be told.
func (d *denials) note(what string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last, d.told = map[string]time.Time{}, map[string]time.Time{}
	}
	for w, at := range d.last { // subjects hold keys of sessions: do not gather them
		if now.Sub(at) > denialTold {
			delete(d.last, w)
			delete(d.told, w)
		}
	}
	d.last[what] = now
	if now.Sub(d.told[what]) < denialTold {
		return false
	}
	d.told[what] = now
	return true
}

// since is what was denied since then.
func (d *denials) since(then time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for what, at := range d.last {
		if !at.Before(then) {
			return fmt.Errorf("nats denies %s: allow it to the relay's user", what)
		}
	}
	return nil
}
