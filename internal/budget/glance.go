package budget

import (
	"encoding/json"
	"time"
)

// A Glance is what an account's record tells at one moment to who does not draw on it.
type Glance struct {
	Left  float64       // requests that may be made at once
	Pace  float64       // part of the limit that is used: below 1 while others spend the account's budget too
	Pause time.Duration // over 0: nothing is asked for so long
}

// ReadRecord reads a record that was stored so long ago; ok is false when it is none. limit is the account's.
func ReadRecord(value []byte, age time.Duration, limit int) (g Glance, ok bool) {
	var q pot
	if json.Unmarshal(value, &q) != nil || !q.sane() {
		return Glance{}, false
	}
	q = q.after(min(max(0, age), longest), paceOf(limit))
	return Glance{Left: q.Tokens, Pace: q.Pace, Pause: time.Duration(q.Pause * float64(time.Second))}, true
}
