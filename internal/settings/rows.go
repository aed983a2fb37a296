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
		rows = append(rows, Row{l.path, l.shown(&e.Settings), origin(e.origins[l.path])})
	}
	for i := range e.Accounts {
		a := &e.Accounts[i]
		path := fmt.Sprintf("accounts[%d].", i)
		rows = append(rows, Row{path + "name", a.Name, origin(e.origins[path+"name"])}, Row{path + "bots", strings.Join(a.Bots, ", "), origin(e.origins[path+"bots"])})
		for _, l := range account() {
			rows = append(rows, Row{path + l.path, l.shown(a), origin(e.origins[path+l.path])})
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

// hidden shows no more of a secret than that there is one.
func hidden(v string) string {
	if v == "" {
		return ""
	}
	return "********"
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
