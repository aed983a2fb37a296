package bus

import "sync"

// A crew does what it is given, each thing in a goroutine of its own. Those that have finished wait for more: a fresh one would have to grow its
// stack anew for each call, to the depth of net/http.
type crew struct {
	jobs chan func()
	busy sync.WaitGroup
	done chan struct{}
}

func newCrew() *crew { return &crew{jobs: make(chan func()), done: make(chan struct{})} }

// begin has f done at once.
func (c *crew) begin(f func()) {
	c.busy.Add(1)
	select {
	case c.jobs <- f: // somebody was waiting
	default:
		go c.work(f) // ends with dismiss
	}
}

func (c *crew) work(f func()) {
	for {
		f()
		c.busy.Done()
		select {
		case f = <-c.jobs:
		case <-c.done:
			return
		}
	}
}

// wait waits until all that was begun is done.
func (c *crew) wait() { c.busy.Wait() }

// dismiss ends those who wait for more. Nothing may be begun any more.
func (c *crew) dismiss() { close(c.done) }
