package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/smartassist"
)

// What is asked for where nobody named a bot: ids that are well formed, and nobody's.
const (
	nobodysBot     = "st-00000000-0000-0000-0000-000000000000"
	nobodysSession = "000000000000000000000000"
)

// api looks at each account: the way to its API, its budget, and what one request brings.
func (d *doctor) api(ctx context.Context) {
	records := d.records(ctx)
	for _, acct := range d.accounts() {
		cfg := smartassist.Config{BaseURL: acct.BaseURL, Path: acct.Path, AppID: acct.AppID, Secret: acct.AppSecret, SecretFile: acct.AppSecretFile, Algorithm: acct.Algorithm,
			JTI: acct.JTI, Transcription: acct.Transcription, Timeout: acct.Timeout, RetryFirst: time.Second, MaxConns: 1}
		way := smartassist.Reach(ctx, cfg)
		way.Of = "account " + acct.Name + ", " + way.Of
		d.tell(way)
		kept := d.budget(ctx, acct, records)
		of := "account " + acct.Name
		switch {
		case d.x.noRequest:
			d.tell(checkup.Skipped("token", of, "not asked: --no-request"))
			continue
		case way.Grade == checkup.Fail:
			d.tell(checkup.Skipped("token", of, "not asked: there is no way to the API"))
			continue
		}
		paid, why := true, "not out of a budget, since none is shared"
		if kept {
			paid, why = d.spend(ctx, acct, records)
		}
		if !paid {
			d.tell(checkup.Skipped("token", of, "not asked: %s", why))
			continue
		}
		d.ask(ctx, acct, cfg, why)
	}
}

// records are the purses that the relays share; nil: there are none that doctor could read.
func (d *doctor) records(ctx context.Context) budget.Record {
	seen := slices.ContainsFunc(d.found, func(f checkup.Finding) bool { return f.Check == "streams" && f.Grade != checkup.Skip })
	if d.nc == nil || !seen { // it would be waited for in vain
		return nil
	}
	js, err := jetstream.New(d.nc)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	bucket, err := bus.OpenBucket(ctx, js, names(d.s))
	if err != nil {
		return nil
	}
	return bucket
}

// budget reads an account's purse. kept: relays share one, or will, and what is spent is to be taken out of it.
func (d *doctor) budget(ctx context.Context, acct settings.Account, records budget.Record) (kept bool) {
	const check = "budget"
	of := "account " + acct.Name
	if acct.RateLimit == 0 {
		d.tell(checkup.Good(check, of, "no limit is set (rate_limit 0)"))
		return false
	}
	limit := plural(acct.RateLimit, "request") + " a minute"
	if records == nil {
		d.tell(checkup.Good(check, of, "%s; there is no budget record that relays share", limit))
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	value, revision, stored, err := records.Read(ctx, "purse."+relay.Token(acct.Name))
	if err != nil {
		d.tell(checkup.Failure(check, of, "its record cannot be read: "+err.Error(), "look at bucket VOICEMAIL_BUDGET, and at the NATS user's permissions: without it no request is granted"))
		return false
	}
	if revision == 0 {
		d.tell(checkup.Good(check, of, "%s, and nobody has spent any", limit))
		return true
	}
	g, ok := budget.ReadRecord(value, time.Since(stored), acct.RateLimit)
	switch {
	case !ok:
		d.tell(checkup.Warning(check, of, "its record holds something else than a budget", "look who else writes to the bucket; a relay begins it anew"))
	case g.Pause > 0:
		d.tell(checkup.Warning(check, of, fmt.Sprintf("the API wants nothing for %s more: over its rate limit, or Retry-After", g.Pause.Round(time.Second)), "if it happens often, look who else spends the account's budget, and lower rate_limit"))
	case g.Pace < 0.9:
		d.tell(checkup.Warning(check, of, fmt.Sprintf("slowed down to %.0f %% of %s: it was over the limit again and again", 100*g.Pace, limit), "look who else spends the account's budget, and lower rate_limit by what they need"))
	default:
		d.tell(checkup.Good(check, of, "%s, %.0f may be made at once", limit, g.Left))
	}
	return ok
}

// patience is how long doctor stands in line for one request's budget: busy relays draw on it, too.
const patience = 8 * time.Second

// spend takes one request out of the purse that the relays share. why says where it came from, or why there is none.
func (d *doctor) spend(ctx context.Context, acct settings.Account, records budget.Record) (paid bool, why string) {
	p, err := budget.New(budget.Config{Limit: acct.RateLimit, Seats: 1, Shared: budget.NewSeats(1), Key: "purse." + relay.Token(acct.Name), ProbeFirst: time.Second, ProbeMax: time.Second})
	if err != nil {
		return false, err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	var kept sync.WaitGroup
	kept.Go(func() { p.Run(ctx, records) }) // ends with ctx
	defer kept.Wait()
	defer cancel()
	for {
		ok, _, w := p.Acquire()
		switch end, _ := ctx.Deadline(); {
		case ok:
			return true, "out of the shared budget"
		case w.Closed && w.For > time.Until(end):
			return false, fmt.Sprintf("the API wants nothing for %s more", w.For.Round(time.Second))
		}
		again := time.NewTimer(max(w.For, time.Millisecond))
		var timer <-chan time.Time
		if w.For > 0 {
			timer = again.C
		}
		select {
		case <-w.Changed:
		case <-timer:
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return false, fmt.Sprintf("the shared budget granted nothing within %s: the relays need it all", patience)
		}
	}
}

// ask makes the one request, and tells what it says about clock, token and scope.
func (d *doctor) ask(ctx context.Context, acct settings.Account, cfg smartassist.Config, paid string) {
	of := "account " + acct.Name
	bot, named := d.bot(acct)
	p, err := smartassist.Ask(ctx, cfg, relay.Call{Bot: bot, Session: nobodysSession})
	if err != nil {
		d.tell(checkup.Failure("token", of, strings.TrimPrefix(err.Error(), "smartassist: "), "correct the account's settings"))
		return
	}
	if p.Date.IsZero() {
		d.tell(checkup.Skipped("api_clock", of, "no answer told the time"))
	} else {
		d.tell(apiClock(of, p))
	}
	cost := fmt.Sprintf("one request, %s, answered in %s", paid, p.Took.Round(time.Millisecond))
	found, hint := "", ""
	if p.Err != nil {
		found, hint, _ = strings.Cut(p.Err.Text, "; ")
	}
	switch {
	case p.Err == nil:
		d.tell(checkup.Good("token", of, "accepted (%s)", cost), checkup.Good("scope", of, "it may ask for voicemails"))
	case p.Err.Kind == relay.Refused && p.Scope:
		d.tell(checkup.Good("token", of, "accepted (%s)", cost), checkup.Failure("scope", of, found, hint))
	case p.Err.Kind == relay.Refused && !named:
		d.tell(checkup.Failure("token", of, found+", or it does not know the bot, which was made up", hint+"; name a bot of the account with --bot to be sure"))
	case p.Err.Kind == relay.Refused:
		d.tell(checkup.Failure("token", of, found, hint))
	case p.Err.Kind == relay.Rejected && p.Status == http.StatusBadRequest && !named:
		d.tell(checkup.Good("token", of, "accepted, and the made-up bot is not known (%s)", cost), checkup.Good("scope", of, "it may ask for voicemails"))
	case p.Err.Kind == relay.Rejected && p.Status == http.StatusBadRequest:
		d.tell(checkup.Good("token", of, "accepted (%s)", cost), checkup.Failure("scope", of, "the API does not know the bot "+bot, "check --bot, and which account serves it (accounts' bots)"))
	case p.Err.Kind == relay.Limited:
		d.tell(checkup.Warning("token", of, "not known: "+found, hint))
	default:
		d.tell(checkup.Failure("token", of, "not known: "+found, advice(hint)))
	}
}

// advice is a hint, whatever there is.
func advice(hint string) string {
	if hint == "" {
		return "try once more; if it goes on, look at the API's status"
	}
	return hint
}

// bot is the one that is asked for; named: it exists, for all that is known.
func (d *doctor) bot(acct settings.Account) (id string, named bool) {
	if d.x.bot != "" && accounts(d.s).For(d.x.bot).Name == acct.Name {
		return d.x.bot, true
	}
	for _, pattern := range acct.Bots {
		if !strings.Contains(pattern, "*") && relay.CheckID(pattern) == nil {
			return pattern, true
		}
	}
	return nobodysBot, false
}

// How far this machine's clock may be off: a token says that it was signed 30 s ago, and is good for a minute more at least.
const (
	mostAhead  = 30 * time.Second
	mostBehind = time.Minute
)

// apiClock compares this machine's clock with the API's, which tells whole seconds.
func apiClock(of string, p smartassist.Probe) checkup.Finding {
	const check, hint = "api_clock", "have this machine keep time by NTP"
	ahead := p.At.Sub(p.Date.Add(500 * time.Millisecond)).Round(time.Second)
	which := "ahead of"
	if ahead < 0 {
		which = "behind"
	}
	text := fmt.Sprintf("this machine's clock is %s %s the API's", ahead.Abs(), which)
	switch {
	case ahead > mostAhead:
		return checkup.Failure(check, of, text+": tokens are not valid yet", hint)
	case -ahead > mostBehind:
		return checkup.Failure(check, of, text+": tokens have expired", hint)
	case ahead.Abs() > 5*time.Second:
		return checkup.Warning(check, of, text, hint)
	}
	return checkup.Good(check, of, "this machine's clock and the API's agree within %s", max(ahead.Abs(), time.Second))
}
