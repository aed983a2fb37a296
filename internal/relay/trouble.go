package relay

import (
	"errors"
	"time"
)

// TroubleKind classifies what went wrong with a request. The zero value is the forgiving one.
type TroubleKind int

const (
	Transient TroubleKind = iota // asked again later
	Refused                      // the account's credentials are refused: the call waits, the account is probed
	Rejected                     // the API's final no to this call
	Limited                      // the account is over its budget: all of its calls wait
)

// A Trouble is a Source's error. Its text is one line for operators: no secret, token, link, transcript or caller's number, nor anything
// that the API said in its own words, since those may hold such.
type Trouble struct {
	Kind       TroubleKind
	Status     int           // the HTTP status; 0 when there was no answer
	Result     string        // the metric's label, out of smartassist.Results
	RetryAfter time.Duration // over 0: the whole account is to be left alone for so long
	Text       string
}

func (t *Trouble) Error() string { return t.Text }

// kindOf classifies any error of a Source.
func kindOf(err error) TroubleKind {
	if t, ok := errors.AsType[*Trouble](err); ok {
		return t.Kind
	}
	return Transient
}

func retryAfter(err error) time.Duration {
	if t, ok := errors.AsType[*Trouble](err); ok {
		return t.RetryAfter
	}
	return 0
}
