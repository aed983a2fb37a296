package settings

import (
	"fmt"
	"net/url"
	"strings"
)

// A Row is one setting as it is in effect.
type Row struct {
	Path, Value, Origin string // Origin: "default", "file relay.yaml:12", "RELAY_WAIT_FIRST", "--wait.first"
}

// Rows lists every setting in the tree's order, then the further accounts'. Secrets are masked.
func (e *Effective) Rows() []Row {
	var rows []Row
	for _, l := range tree() {
		v := l.get(&e.Settings)
		if l.path == "nats.url" {
			v = maskUser(v)
		}
		rows = append(rows, Row{l.path, mask(v, l.secret), origin(e.origins[l.path])})
	}
	for i := range e.Accounts {
		a := &e.Accounts[i]
		path := fmt.Sprintf("accounts[%d].", i)
		from := e.accounts[i]
		rows = append(rows, Row{path + "name", a.Name, origin(from["name"])}, Row{path + "bots", strings.Join(a.Bots, ", "), origin(from["bots"])})
		for _, l := range account() {
			rows = append(rows, Row{path + l.path, mask(l.get(a), l.secret), origin(from[l.path])})
		}
	}
	return rows
}

func origin(o string) string {
	if o == "" {
		return "default"
	}
	return o
}

func mask(v string, secret bool) string {
	if secret && v != "" {
		return "********"
	}
	return v
}

// maskUser hides what stands before the @ of each URL: it may be a password or token.
func maskUser(v string) string {
	var out []string
	for _, s := range strings.Split(v, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err != nil || u.User != nil {
			if i := strings.LastIndexByte(s, '@'); i >= 0 {
				scheme, _, ok := strings.Cut(s, "://")
				if !ok {
					scheme = "nats"
				}
				s = scheme + "://********@" + s[i+1:]
			}
		} else if i := strings.LastIndexByte(s, '@'); i >= 0 {
			s = "********@" + s[i+1:]
		}
		out = append(out, s)
	}
	return strings.Join(out, ",")
}
