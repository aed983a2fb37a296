package main

import "testing"

func TestHeapGrowsByAFewMegabytes(t *testing.T) {
	for _, row := range []struct {
		alive uint64
		want  int
	}{{0, 400}, {2 << 20, 400}, {3 << 20, 250}, {4 << 20, 200}, {6 << 20, 100}, {1 << 30, 100}} {
		if got := growth(row.alive); got != row.want {
			t.Errorf("%d MiB alive: %d %%, want %d %%", row.alive>>20, got, row.want)
		}
	}
}
