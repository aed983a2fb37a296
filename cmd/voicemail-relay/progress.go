package main

import (
	"fmt"
	"time"
)

// progress tells on standard error how far something is until the function that it returns is called: ten times a second at a terminal,
// every few seconds in a log.
func (a *app) progress(verb string, total int, done func() int) (stop func()) {
	every, format := 5*time.Second, "%s %d of %d\n"
	terminal := isTerminal(a.stderr)
	if terminal {
		every, format = 100*time.Millisecond, "\r%s %d of %d"
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		t := time.NewTicker(every)
		defer t.Stop()
		told := false
		for {
			select {
			case <-t.C:
				told = true
				fmt.Fprintf(a.stderr, format, verb, done(), total)
			case <-end:
				if told && terminal {
					fmt.Fprint(a.stderr, "\r\x1b[K") // the result takes its place
				}
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
