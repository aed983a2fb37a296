package main

import (
	"fmt"
	"strings"
	"time"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/settings"
)

// timeline is a session's story in its order: what is settled, and then what is under way, be it the first time or a replay.
func timeline(s bus.Session, set settings.Settings) []moment {
	ms := []moment{} // empty, in JSON too
	for _, rec := range s.Verdicts {
		detail := verdictDetail(rec)
		if s.Record == nil {
			detail += ", verdict " + rec.ID + "; the ledger has forgotten the rest"
		}
		ms = append(ms, moment{rec.At, string(rec.Verdict), detail})
	}
	if rec := s.Record; rec != nil {
		ms = append(ms, asked(rec.FirstSeen, rec.ID, rec.Attempts, rec.Asks)...)
		detail := verdictDetail(*rec)
		if !s.Stored {
			detail += ", gone from its stream since"
		}
		ms = append(ms, moment{rec.At, string(rec.Verdict), detail})
	}
	for i, w := range s.Waiting {
		if i == 0 { // a second one is the same call, about to be acknowledged
			ms = append(ms, asked(w.History.FirstSeen, w.History.ID, w.History.Attempts, w.History.Asks)...)
		}
		ms = append(ms, waits(w, accountName(set, w.Account)))
	}
	return ms
}

// asked tells how a call came and was asked for.
func asked(firstSeen time.Time, id string, attempts int, asks []relay.Ask) (ms []moment) {
	if !firstSeen.IsZero() {
		m := moment{At: firstSeen, What: "received"}
		if k := relay.Replays(id); k > 0 {
			m.Detail = fmt.Sprintf("replay %d", k)
		}
		ms = append(ms, m)
	}
	for i, ask := range asks {
		detail := fmt.Sprintf("%s (%s)", strings.ReplaceAll(ask.Answer, "_", " "), plural(ask.Requests, "request"))
		if i == 0 && attempts > len(asks) {
			detail += "; " + plural(attempts-len(asks), "time") + " before that"
		}
		ms = append(ms, moment{ask.At, "asked", detail})
	}
	return ms
}

func verdictDetail(rec relay.Record) string {
	parts := []string{}
	if rec.Reason != "" {
		parts = append(parts, strings.ReplaceAll(rec.Reason, "_", " "))
	}
	return strings.Join(append(parts, plural(rec.Requests, "request"), fmt.Sprintf("sequence %d", rec.Sequence)), ", ")
}

// waits tells when a call is due, or where it stands.
func waits(w bus.Appointment, account string) moment {
	if !w.Fires.IsZero() {
		due := w.Fires // a long wait is several appointments
		if w.History.Due.After(due) {
			due = w.History.Due
		}
		if due.After(time.Now()) {
			return moment{due, "waits", fmt.Sprintf("until then, for a request of class %s, account %s", w.Class, account)}
		}
	}
	detail := fmt.Sprintf("since then, class %s, account %s", w.Class, account)
	for _, l := range w.Lines {
		detail += fmt.Sprintf("; %d %s", l.Calls, l.Class)
	}
	return moment{w.Since, "in line", detail}
}

// accountName finds the name behind a token of the work stream; without the account's settings the token has to do.
func accountName(s settings.Settings, token string) string {
	for _, acct := range append(s.Accounts[:len(s.Accounts):len(s.Accounts)], s.SmartAssist) {
		if acct.Name != "" && relay.Token(acct.Name) == token {
			return acct.Name
		}
	}
	return token
}
