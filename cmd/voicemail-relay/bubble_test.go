package main

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// bubble runs a test in virtual time. The NATS client keeps timers in a pool of the whole process, and one that was made in another bubble ends
// the program: two collections empty it.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	empty := func() { runtime.GC(); runtime.GC() }
	empty()
	defer empty()
	synctest.Test(t, test)
}
