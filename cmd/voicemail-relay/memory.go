package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector lets the heap grow by as much as is alive, which is a few megabytes here: it would run twenty times a second under load, for a
// sixth of the CPU. So the heap may grow by up to headroom, by no more than mostGrowth percent, and as Go has it when more is alive.
const (
	headroom   = 8 << 20 // bytes
	goGrowth   = 100     // percent
	mostGrowth = 400     // percent
)

// spare sets the collector to the heap that is alive, now and then until ctx ends. Whoever has set GOGC or GOMEMLIMIT knows better.
func (a *app) spare(ctx context.Context) {
	if a.getenv("GOGC") != "" || a.getenv("GOMEMLIMIT") != "" {
		return
	}
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	roots := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}} // what the growth is of
	for set := 0; ; {
		metrics.Read(roots)
		alive := uint64(0)
		for _, r := range roots {
			alive += r.Value.Uint64()
		}
		if next := growth(alive); next != set {
			debug.SetGCPercent(next)
			set = next
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// growth is by how many percent a heap may grow when so many bytes are alive. It is coarse: to set it stops the world for a moment.
func growth(alive uint64) int {
	percent := mostGrowth
	for percent > goGrowth && alive*uint64(percent)/100 > headroom {
		percent -= 50
	}
	return percent
}
