package bus

import (
	"testing"
	"time"
)

func TestLineYieldsToABacklog(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var k backlog
	y := yielder{backlog: &k}
	begun := func(fresh int, pending uint64) (line int) {
		for range fresh {
			k.took(pending, now)
			for range 100 { // as often as it likes
				if !y.may(now) {
					break
				}
				line++
			}
		}
		return line
	}
	if n := begun(800, 1000); n != 100 {
		t.Errorf("%d calls of the line beside 800 fresh ones that have a backlog behind them, want 100", n)
	}
	if n := begun(10, 0); n != 1000 {
		t.Errorf("%d calls without a backlog, want all 1000", n)
	}
	for range 10_000 { // the line had nothing meanwhile
		k.took(1000, now)
	}
	if n := begun(8, 1000); n > 10 {
		t.Errorf("%d calls after a rest, want no more than some: what was not wanted is not saved up", n)
	}
	if now = now.Add(2 * time.Second); !y.may(now) {
		t.Error("it yields to an intake that takes nothing")
	}
}
