package settings

import (
	"strings"
	"unicode"
)

// UnknownFlag is the problem of a flag that is neither a setting nor one of the command's own.
func UnknownFlag(name string, own ...string) Problem {
	name = shownName(name)
	p := Problem{Where: "--" + name, What: "unknown flag"}
	if name == "accounts" {
		p.What = "accounts can be given in the settings file alone"
	} else if n := nearest(name, own); n != "" {
		p.Nearest = "--" + n
	} else if n := nearest(strings.ReplaceAll(name, "-", "_"), append(paths(), "config")); n != "" {
		p.Nearest = "--" + n
	}
	return p
}

// nearest returns the known name that a mistyped one is near to, "" when none is.
func nearest(name string, known []string) string {
	best, least := "", 1+min(4, max(1, len(name)/3)) // a third of the letters, so that a short word is not near to every other
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

// shownName is what may be shown of a name that nobody knows: up to the first sign that none holds, for what follows may be a secret whose
// colon or space went astray.
func shownName(name string) string {
	const longest = 64
	for i, r := range name {
		if i >= longest || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.<>", r) {
			return name[:i] + "…"
		}
	}
	return name
}
