package bus

import (
	"sync/atomic"
	"time"
)

// shareOfLine: while fresh calls stand before the intake, the line of an account without a budget begins one call for so many of these. When all
// that waited come due at once, what is fresh would else be told at half the pace.
const shareOfLine = 8

// yieldFor is how long a line rests that has to yield.
const yieldFor = 5 * time.Millisecond

// A backlog is what the intake has before it. A server tells with each message how many more there are.
type backlog struct {
	pending atomic.Uint64
	at      atomic.Int64  // when that was told, in nanoseconds since 1970
	begun   atomic.Uint64 // fresh calls
}

func (k *backlog) took(pending uint64, now time.Time) {
	k.pending.Store(pending)
	k.at.Store(now.UnixNano())
	k.begun.Add(1)
}

// stands says that fresh calls are waiting for the intake, which takes them.
func (k *backlog) stands(now time.Time) bool {
	return k.pending.Load() > 0 && now.Sub(time.Unix(0, k.at.Load())) < time.Second
}

// A yielder is one line's part in that; it belongs to the line's goroutine.
type yielder struct {
	backlog *backlog
	paid    uint64 // fresh calls that the line has had its share for
}

// may says whether the line may begin one more.
func (y *yielder) may(now time.Time) bool {
	begun := y.backlog.begun.Load()
	switch {
	case !y.backlog.stands(now):
		y.paid = begun
		return true
	case begun-y.paid < shareOfLine:
		return false
	}
	y.paid = max(y.paid+shareOfLine, begun-min(begun, 8*shareOfLine)) // what it did not want it does not save up
	return true
}
