package settings

import (
	"regexp"
	"slices"
	"strings"
)

// variable is a setting's environment variable.
func variable(path string) string {
	return "RELAY_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// injected are the variables that Kubernetes sets for a Service called relay, or relay-…: they are nobody's mistake.
var injected = regexp.MustCompile(`^RELAY_(.+_)?(SERVICE_(HOST|PORT)(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_.+)?)?)$`)

// environ reads RELAY_… variables. An empty one counts as not set.
func (l *loader) environ(environ []string) {
	byName := map[string]string{}
	known := []string{"CONFIG"}
	for _, p := range paths() {
		byName[variable(p)] = p
		known = append(known, strings.TrimPrefix(variable(p), "RELAY_"))
	}
	for _, kv := range slices.Sorted(slices.Values(environ)) { // so that problems come in an order
		name, value, _ := strings.Cut(kv, "=")
		path, ok := byName[name]
		switch {
		case !strings.HasPrefix(name, "RELAY_"), name == "RELAY_CONFIG", injected.MatchString(name):
		case !ok:
			p := Problem{Where: shownName(name), What: "unknown variable"}
			if n := nearest(strings.TrimPrefix(p.Where, "RELAY_"), known); n != "" { // what all begin with would make strangers near
				p.Nearest = "RELAY_" + n
			}
			if strings.HasPrefix(name, "RELAY_ACCOUNTS") {
				p.What, p.Nearest = "accounts can be given in the settings file alone", ""
			}
			l.problems = append(l.problems, p)
		case value != "":
			l.set(name, path, value)
		}
	}
}
