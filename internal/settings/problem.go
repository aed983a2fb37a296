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

// UnknownFlag is the problem of a flag that is no setting.
func UnknownFlag(name string) Problem {
	p := Problem{Where: "--" + name, What: "unknown flag"}
	if n := nearest(strings.ReplaceAll(name, "-", "_"), paths()); n != "" {
		p.Nearest = "--" + n
	}
	return p
}

// nearest returns the known name that a mistyped one is near to, "" when none is.
func nearest(name string, known []string) string {
	best, least := "", 1+max(2, len(name)/4)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best == "" { // the last part alone, such as base_url
		for _, k := range known {
			if strings.HasSuffix(k, "."+name) || strings.HasSuffix(k, "_"+name) && strings.Contains(name, "_") {
				return k
			}
		}
	}
	return best
}

// distance is how many letters have to be put in, left out, changed or swapped with their neighbour (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
