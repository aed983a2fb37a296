package smartassisttest

import "time"

// rolling is the span in which the vendor counts requests.
const rolling = time.Minute

// window holds when the requests of the last 60 s came, as time since the server's start: the half-open span (at - 60 s, at].
type window struct{ times []time.Duration }

// count forgets what is 60 s old and says how many are left.
func (w *window) count(at time.Duration) int {
	for len(w.times) > 0 && at-w.times[0] >= rolling {
		w.times = w.times[1:]
	}
	return len(w.times)
}

// add counts one more. Times never run backwards: they are taken under the server's lock.
func (w *window) add(at time.Duration) int {
	w.count(at)
	w.times = append(w.times, at)
	return len(w.times)
}
