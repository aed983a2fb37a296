package settings

import (
	"fmt"
	"slices"
)

// Changes are the settings whose values differ between two loads, by their paths.
type Changes struct {
	Live  []string // a running relay takes them over
	Fixed []string // they need a restart
}

// Changed compares what runs with what was loaded next. Where a value came from makes no difference.
func Changed(running, next *Effective) Changes {
	var c Changes
	for _, l := range tree() {
		c.add(l.path, l.live, l.get(&running.Settings) != l.get(&next.Settings))
	}
	if len(running.Accounts) != len(next.Accounts) {
		c.add("accounts", false, true)
		return c
	}
	for i := range running.Accounts {
		was, is := &running.Accounts[i], &next.Accounts[i]
		path := fmt.Sprintf("accounts[%d].", i)
		c.add(path+"name", false, was.Name != is.Name)
		c.add(path+"bots", false, !slices.Equal(was.Bots, is.Bots))
		for _, l := range account() {
			c.add(path+l.path, l.live, l.get(was) != l.get(is))
		}
	}
	return c
}

func (c *Changes) add(path string, live, changed bool) {
	switch {
	case !changed:
	case live:
		c.Live = append(c.Live, path)
	default:
		c.Fixed = append(c.Fixed, path)
	}
}
