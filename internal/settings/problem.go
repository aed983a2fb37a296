package settings

import "strings"

// A Problem is one mistake.
type Problem struct {
	Where   string // "relay.yaml:12:3", "RELAY_WAIT_FIRST", "--wait.first"; empty when something is missing
	Path    string // the setting; empty when Where says it
	What    string // what is wrong, without the value of a secret
	Nearest string // the known name that was meant, perhaps
}

// String is the problem in one line.
func (p Problem) String() string {
	var parts []string
	if p.Where != "" {
		parts = append(parts, p.Where)
	}
	if p.Path != "" && p.Where != "--"+p.Path {
		parts = append(parts, p.Path)
	}
	s := strings.Join(append(parts, p.What), ": ")
	if p.Nearest != "" {
		s += "; did you mean " + p.Nearest + "?"
	}
	return s
}

// Problems are all mistakes that were found.
type Problems []Problem

// Error lists them, a line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = "  " + p.String()
	}
	return strings.Join(lines, "\n")
}
