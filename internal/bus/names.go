package bus

import (
	"errors"
	"strings"

	"voicemail-relay/internal/relay"
)

// Names are the subjects, streams and durables of one deployment. Prefix goes before those that are the relay's own.
type Names struct {
	Prefix       string
	CallsSubject string
	CallsStream  string // empty: found by the subject
	Durable      string
	ReadySubject string
}

func (n Names) check() error {
	switch {
	case n.CallsSubject == "":
		return errors.New("bus: CallsSubject is missing")
	case n.ReadySubject == "":
		return errors.New("bus: ReadySubject is missing")
	case n.Durable == "":
		return errors.New("bus: Durable is missing")
	}
	return nil
}

func (n Names) callsStream() string {
	if n.CallsStream != "" {
		return n.CallsStream
	}
	return n.Prefix + "CALLS"
}
func (n Names) workStream() string    { return n.Prefix + "VOICEMAIL_WORK" }
func (n Names) verdictStream() string { return n.Prefix + "VOICEMAILS" }
func (n Names) ledgerBucket() string  { return n.Prefix + "VOICEMAIL_LEDGER" }
func (n Names) budgetBucket() string  { return n.Prefix + "VOICEMAIL_BUDGET" }
func (n Names) durable() string       { return n.Prefix + n.Durable }
func (n Names) workSubject() string   { return n.Prefix + "voicemail.work" }
func (n Names) lineConsumers() string { return n.Prefix + "line-" }
func (n Names) sibling(k string) string {
	if i := strings.LastIndexByte(n.ReadySubject, '.'); i >= 0 {
		return n.ReadySubject[:i+1] + k
	}
	return k
}

// verdict is the subject of a kind of verdict: absent and failed are siblings of ready.
func (n Names) verdict(k relay.Kind) string {
	if k == relay.KindReady {
		return n.ReadySubject
	}
	return n.sibling(string(k))
}

// place is where a call waits in the work stream. What fires and what is due have equally many tokens, so that one wildcard covers both.
type place struct {
	account string // a token: relay.Token of the name
	class   relay.Class
	key     string
}

func (n Names) wait(p place) string { return n.place("wait", p) }
func (n Names) due(p place) string  { return n.place("due", p) }

func (n Names) place(kind string, p place) string {
	return strings.Join([]string{n.workSubject(), kind, p.account, string(p.class), p.key}, ".")
}

// chain is every place where a session may stand.
func (n Names) chain(key string) string {
	return n.place("*", place{account: "*", class: "*", key: key})
}

// placeOf reads a due subject.
func (n Names) placeOf(subject string) (place, bool) {
	rest, ok := strings.CutPrefix(subject, n.workSubject()+".due.")
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return place{}, false
	}
	return place{account: parts[0], class: relay.Class(parts[1]), key: parts[2]}, true
}

func (n Names) lineConsumer(account string, c relay.Class) string {
	return n.lineConsumers() + account + "-" + string(c)
}
