//go:build !unix

package bench

// hold cannot stop a process here: it takes calls while others are still being stored.
func (p *process) hold() (release func(), err error) { return func() {}, nil }
