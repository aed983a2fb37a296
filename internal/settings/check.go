package settings

import (
	"fmt"
	"net/url"
	"strings"
)

// check looks at what settings are together, and fills in what depends on others.
func (l *loader) check() {
	s := &l.e.Settings
	l.checkNATS(s)
	l.checkSubjects(s)
	if s.Retry.First > s.Retry.Max && !l.wrong["retry.max"] {
		l.wrongf("retry.first", "%s is more than retry.max (%s)", short(s.Retry.First), short(s.Retry.Max))
	}
	if s.Verdicts.Keep < s.Ledger.Keep && !l.wrong["ledger.keep"] {
		l.wrongf("verdicts.keep", "%s is less than ledger.keep (%s)", short(s.Verdicts.Keep), short(s.Ledger.Keep))
	}
	names := map[string]string{}
	for i := range s.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		a := &s.Accounts[i]
		l.checkAccount(a, path, true)
		if len(a.Bots) == 0 && !l.wrong[path+".bots"] {
			l.wrongf(path+".bots", "is required: patterns of the bots that the account serves")
		}
		l.checkName(a, path, names)
	}
	l.checkAccount(&s.SmartAssist, "smartassist", len(s.Accounts) == 0 || l.touched())
	l.checkName(&s.SmartAssist, "smartassist", names)
}

func (l *loader) wrongf(path, format string, args ...any) {
	if l.wrong[path] {
		return // it has been refused already
	}
	l.problems = append(l.problems, Problem{Where: l.placeOf(path), Path: path, What: fmt.Sprintf(format, args...)})
}

// placeOf is where a setting was set; "" for a default.
func (l *loader) placeOf(path string) string { return strings.TrimPrefix(l.e.origins[path], "file ") }

// touched says whether anything of the tree's own account was set.
func (l *loader) touched() bool {
	for path := range l.e.origins {
		if strings.HasPrefix(path, "smartassist.") {
			return true
		}
	}
	return false
}

func (l *loader) checkNATS(s *Settings) {
	if (s.NATS.TLS.CertFile == "") != (s.NATS.TLS.KeyFile == "") {
		l.wrongf("nats.tls.cert_file", "cert_file and key_file belong together")
	}
	urls := servers(s.NATS.URL)
	if !s.NATS.Embedded || l.wrong["nats.url"] {
		return
	}
	if s.NATS.StoreDir == "" {
		l.wrongf("nats.store_dir", "is required with nats.embedded: where its streams are kept")
	}
	if u, err := url.Parse(urls[0]); err != nil || len(urls) != 1 || !loopback(u.Hostname()) || u.Scheme != "nats" {
		l.wrongf("nats.url", "must be one nats:// URL of a loopback address with nats.embedded, such as nats://127.0.0.1:4222")
	}
	s.NATS.URL = urls[0]
}

// checkSubjects keeps what goes out from coming in again.
func (l *loader) checkSubjects(s *Settings) {
	parent := s.Ready.Subject[:strings.LastIndexByte(s.Ready.Subject, '.')+1]
	work := s.NATS.Prefix + "voicemail.work."
	for _, v := range []string{s.Ready.Subject, parent + "absent", parent + "failed"} {
		if matches(s.Calls.Subject, v) {
			l.wrongf("ready.subject", "verdicts on %s would come in again as calls (calls.subject %s)", v, s.Calls.Subject)
			break
		}
		if strings.HasPrefix(v+".", work) {
			l.wrongf("ready.subject", "%s lies within the relay's own %s>", v, work)
			break
		}
	}
	if matches(s.Calls.Subject, work+"due.a.b.c") || strings.HasPrefix(s.Calls.Subject+".", work) {
		l.wrongf("calls.subject", "%s overlaps the relay's own %s>", s.Calls.Subject, work)
	}
}

// matches says whether a subject fits a pattern.
func matches(pattern, subject string) bool {
	ps, ss := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, p := range ps {
		switch {
		case p == ">":
			return len(ss) > i
		case i >= len(ss), p != "*" && p != ss[i]:
			return false
		}
	}
	return len(ps) == len(ss)
}

// checkAccount looks at an account. required says that it has to be whole, if the caller needs accounts at all.
func (l *loader) checkAccount(a *Account, path string, required bool) {
	a.BaseURL = strings.TrimRight(a.BaseURL, "/")
	if required && l.need == NeedAccount {
		if a.BaseURL == "" {
			l.wrongf(path+".base_url", "is required, such as https://smartassist.kore.ai")
		}
		if a.AppID == "" {
			l.wrongf(path+".app_id", "is required: the app's client id")
		}
		if a.AppSecret == "" && a.AppSecretFile == "" {
			l.wrongf(path+".app_secret", "is required: set it, or app_secret_file")
		}
	}
	if a.AppSecret != "" && a.AppSecretFile != "" {
		l.wrongf(path+".app_secret", "and app_secret_file are both set: one is enough")
	}
	if strings.HasPrefix(a.Algorithm, "RS") && a.AppSecret != "" && !strings.Contains(a.AppSecret, "-----BEGIN") {
		l.wrongf(path+".app_secret", "must be a private key in PEM with algorithm %s", a.Algorithm)
	}
	total := l.e.Calls.Concurrency
	if a.Concurrency == 0 {
		a.Concurrency = max(1, total/2)
	} else if a.Concurrency > total && !l.wrong["calls.concurrency"] {
		l.wrongf(path+".concurrency", "%d is more than calls.concurrency (%d)", a.Concurrency, total)
	}
}

// checkName names an account after its app unless it has a name; names are told apart.
func (l *loader) checkName(a *Account, path string, names map[string]string) {
	if a.Name == "" {
		a.Name = a.AppID
	}
	if a.Name == "" {
		return
	}
	if other, taken := names[a.Name]; taken {
		l.wrongf(path+".name", "%s is the name of %s too: give each its own", quote(a.Name), other)
	}
	names[a.Name] = path
}
