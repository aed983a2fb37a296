//go:build unix

package bench

import "syscall"

// hold stops a process where it stands, until the function that it returns is called.
func (p *process) hold() (release func(), err error) {
	err = p.cmd.Process.Signal(syscall.SIGSTOP)
	return func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }, err
}
