package relay

import (
	"testing"
	"time"
)

// What a plan costs, made anew for each limited account every ten seconds at most.
func BenchmarkPlan(b *testing.B) {
	var e Experience
	for i := range 300 {
		e.Learn(Lesson{First: true, Found: i%3 == 0, From: 20 * time.Second, To: time.Duration(20+i) * time.Second})
	}
	for b.Loop() {
		policy.Plan(e, Experience{}, Load{Calls: .3, Budget: .94})
	}
}
