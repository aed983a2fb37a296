package settings

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// check looks at what settings are together, and fills in what depends on others.
func (l *loader) check() {
	s := &l.e.Settings
	l.checkNATS(s)
	l.checkFiles(s.NATS)
	l.checkSubjects(s)
	for _, d := range []*time.Duration{&s.Wait.Max, &s.Retry.First, &s.Retry.Max} {
		*d = max(*d, shortest)
	}
	// Of two that have to be in order, the one that is a default follows. But for ledger.keep: that calls are told once hangs on it.
	set := func(path string) bool { return l.e.origins[path] != "" }
	switch r := &s.Retry; {
	case r.First <= r.Max:
	case !set("retry.first"):
		r.First = r.Max
	case !set("retry.max"):
		r.Max = r.First
	default:
		l.clashf("retry.first", "retry.max", "%s is more than retry.max (%s)", short(r.First), short(r.Max))
	}
	if s.Verdicts.Keep < s.Ledger.Keep && !set("verdicts.keep") {
		s.Verdicts.Keep = s.Ledger.Keep
	}
	if s.Verdicts.Keep < s.Ledger.Keep {
		l.clashf("verdicts.keep", "ledger.keep", "%s is less than ledger.keep (%s)", short(s.Verdicts.Keep), short(s.Ledger.Keep))
	}
	l.checkAccounts(s)
}

// shortest is what 0s means between two requests: none at all would ask without end.
const shortest = time.Millisecond

func (l *loader) wrongf(path, format string, args ...any) {
	if l.wrong[path] {
		return // it has been refused already
	}
	l.problems = append(l.problems, Problem{Where: l.placeOf(path), Path: path, What: fmt.Sprintf(format, args...)})
}

// clashf reports a setting that does not go with another, unless either was refused. A default is at no place: the other's is told then.
func (l *loader) clashf(path, with, format string, args ...any) {
	if l.wrong[path] || l.wrong[with] {
		return
	}
	where := l.placeOf(path)
	if where == "" {
		where = l.placeOf(with)
	}
	l.problems = append(l.problems, Problem{Where: where, Path: path, What: fmt.Sprintf(format, args...)})
}

// placeOf is where a setting was set, or the account that lacks it; "" for a default.
func (l *loader) placeOf(path string) string {
	origin := l.e.origins[path]
	if entry, _, ok := strings.Cut(path, "]"); ok && origin == "" {
		origin = l.e.origins[entry+"]"]
	}
	return strings.TrimPrefix(origin, "file ")
}

func (l *loader) checkNATS(s *Settings) {
	if t := s.NATS.TLS; t.CertFile != "" && t.KeyFile == "" || t.CertFile == "" && t.KeyFile != "" {
		l.clashf("nats.tls.cert_file", "nats.tls.key_file", "cert_file and key_file belong together")
	}
	if !s.NATS.Embedded {
		return
	}
	if s.NATS.StoreDir == "" {
		l.clashf("nats.store_dir", "nats.embedded", "is required with nats.embedded: where its streams are kept")
	}
	if s.NATS.Replicas > 1 {
		l.clashf("nats.replicas", "nats.embedded", "must be 1 with nats.embedded, which is one server")
	}
	urls := servers(s.NATS.URL)
	if u, err := url.Parse(urls[0]); err != nil || len(urls) != 1 || !loopback(u.Hostname()) || u.Scheme != "nats" {
		l.clashf("nats.url", "nats.embedded", "must be one nats:// URL of a loopback address with nats.embedded, such as nats://127.0.0.1:4222")
		return
	}
	s.NATS.URL = urls[0]
}

// checkSubjects keeps what goes out from coming in again.
func (l *loader) checkSubjects(s *Settings) {
	parent := s.Ready.Subject[:strings.LastIndexByte(s.Ready.Subject, '.')+1]
	work := s.NATS.Prefix + "voicemail.work.>"
	for _, v := range []string{s.Ready.Subject, parent + "absent", parent + "failed"} {
		if overlap(s.Calls.Subject, v) {
			l.clashf("ready.subject", "calls.subject", "verdicts on %s would come in again as calls (calls.subject %s)", v, s.Calls.Subject)
			break
		}
		if overlap(work, v) {
			l.clashf("ready.subject", "nats.prefix", "%s lies within the relay's own %s", v, work)
			break
		}
	}
	if overlap(s.Calls.Subject, work) {
		l.clashf("calls.subject", "nats.prefix", "%s overlaps the relay's own %s", s.Calls.Subject, work)
	}
}

// overlap says whether there is a subject that fits both patterns.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != bs[i] && as[i] != "*" && bs[i] != "*":
			return false
		}
	}
	return len(as) == len(bs)
}
