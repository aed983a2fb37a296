package main

import "testing"

func TestHeapGrowsByAFewMegabytes(t *testing.T) {
	for _, row := range []struct {
		alive uint64
		want  int
	}{{0, 400}, {3 << 20, 400}, {4 << 20, 300}, {6 << 20, 200}, {12 << 20, 100}, {1 << 30, 100}} {
		if got := growth(row.alive); got != row.want {
			t.Errorf("%d MiB alive: %d %%, want %d %%", row.alive>>20, got, row.want)
		}
	}
}
