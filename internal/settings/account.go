package settings

import (
	"fmt"
	"strings"
)

// checkAccounts looks at every account. The tree's own may be left out where there are others.
func (l *loader) checkAccounts(s *Settings) {
	names := map[string]string{}
	l.checkAccount(&s.SmartAssist, "smartassist", !l.unread && (len(s.Accounts) == 0 || l.touched()))
	l.checkName(&s.SmartAssist, "smartassist", names)
	for i := range s.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		a := &s.Accounts[i]
		l.checkAccount(a, path, true)
		if len(a.Bots) == 0 && l.need == NeedAccount {
			l.wrongf(path+".bots", "is required: patterns of the bots that the account serves")
		}
		l.checkName(a, path, names)
	}
}

// touched says whether the tree's own account is meant to be one: whether any of what it cannot do without was set, well or badly. What else
// is set for it alone, such as a timeout, is no account yet.
func (l *loader) touched() bool {
	for _, leaf := range tree() {
		switch leaf.path {
		case "smartassist.base_url", "smartassist.app_id", "smartassist.app_secret", "smartassist.app_secret_file":
			if _, set := l.e.origins[leaf.path]; l.wrong[leaf.path] || set && leaf.get(&l.e.Settings) != "" {
				return true
			}
		}
	}
	return false
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
			l.clashf(path+".app_secret", path+".app_secret_file", "is required: set it, or app_secret_file")
		}
	}
	if a.AppSecret != "" && a.AppSecretFile != "" {
		l.wrongf(path+".app_secret", "and app_secret_file (%s) are both set: one is enough", l.placeOf(path+".app_secret_file"))
	}
	if strings.HasPrefix(a.Algorithm, "RS") && a.AppSecret != "" && !strings.Contains(a.AppSecret, "-----BEGIN") {
		l.clashf(path+".app_secret", path+".algorithm", "must be a private key in PEM with algorithm %s", a.Algorithm)
	} else {
		l.checkSecret(a, path)
	}
	total := l.e.Calls.Concurrency
	if a.Concurrency == 0 {
		a.Concurrency = max(1, total/2)
	} else if a.Concurrency > total {
		l.clashf(path+".concurrency", "calls.concurrency", "%d is more than calls.concurrency (%d)", a.Concurrency, total)
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
		return
	}
	names[a.Name] = path
}
