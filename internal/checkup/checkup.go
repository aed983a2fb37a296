// Package checkup is what a check says: what it looked at, what it found there, and what to do about it.
package checkup

import "fmt"

// Grade is how a check ended.
type Grade string

const (
	OK   Grade = "ok"
	Skip Grade = "skip" // nobody looked: Found says why
	Warn Grade = "warn" // it works, and may not at a bad moment
	Fail Grade = "fail" // it does not work
)

// Grades lists every grade, the worst last.
func Grades() []Grade { return []Grade{OK, Skip, Warn, Fail} }

// A Finding is what one check found at one thing. No text of it holds a secret, a token, a link or a caller's number.
type Finding struct {
	Check string `json:"check"` // one word, out of a closed set
	Of    string `json:"of"`    // what was looked at
	Grade Grade  `json:"result"`
	Found string `json:"found"`
	Hint  string `json:"hint,omitempty"` // what to do; there with Warn and Fail
}

// Good is a finding that is as it should be.
func Good(check, of, format string, args ...any) Finding {
	return Finding{Check: check, Of: of, Grade: OK, Found: fmt.Sprintf(format, args...)}
}

// Skipped is what could not be looked at, and why.
func Skipped(check, of, format string, args ...any) Finding {
	return Finding{Check: check, Of: of, Grade: Skip, Found: fmt.Sprintf(format, args...)}
}

// Warning is a Warn, with its cure.
func Warning(check, of, found, hint string) Finding {
	return Finding{Check: check, Of: of, Grade: Warn, Found: found, Hint: hint}
}

// Failure is a Fail, with its cure.
func Failure(check, of, found, hint string) Finding {
	return Finding{Check: check, Of: of, Grade: Fail, Found: found, Hint: hint}
}

// Count is how many findings have a grade.
func Count(found []Finding, g Grade) (n int) {
	for _, f := range found {
		if f.Grade == g {
			n++
		}
	}
	return n
}
