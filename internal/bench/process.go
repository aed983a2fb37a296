package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs" // the kernel's figures; the metrics' library brings it along
)

// A process is one of those that take part.
type process struct {
	cmd   *exec.Cmd
	ended chan error
	gone  chan struct{} // closed when it has ended
	log   *os.File      // what it said on stderr

	mu    sync.Mutex
	lines []string // what it printed on stdout
	news  chan struct{}
}

// start starts one. It is killed when ctx ends.
func start(ctx context.Context, dir string, argv []string, env ...string) (*process, error) {
	log, err := os.CreateTemp(dir, "log-*")
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...), ended: make(chan error, 1), gone: make(chan struct{}), log: log, news: make(chan struct{}, 1)} // #nosec G204 -- the builds that bench was told to measure
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, append(clean(os.Environ()), env...), log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		p.read(out)
		p.ended <- p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) read(out io.Reader) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
	}
}

// said waits until it has printed a line that begins so, and returns the rest.
func (p *process) said(ctx context.Context, prefix string) (string, error) {
	for {
		p.mu.Lock()
		for _, l := range p.lines {
			if rest, ok := strings.CutPrefix(l, prefix); ok {
				p.mu.Unlock()
				return rest, nil
			}
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case err := <-p.ended:
			p.ended <- err
			return "", p.trouble("it ended before it was ready", err)
		case <-ctx.Done():
			return "", p.trouble("it did not become ready", ctx.Err())
		}
	}
}

// trouble is an error with the end of what the process said.
func (p *process) trouble(what string, err error) error {
	b, _ := os.ReadFile(p.log.Name())
	if len(b) > 1000 {
		b = b[len(b)-1000:]
	}
	return fmt.Errorf("%s: %s: %w\n%s", strings.Join(p.cmd.Args, " "), what, err, b)
}

// stop asks it to end, and waits.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	defer p.log.Close()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.ended:
		if err != nil {
			return p.trouble("it ended badly", err)
		}
		return nil
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		return p.trouble("it did not stop within 30 s", <-p.ended)
	}
}

// clean leaves out what would set the relay otherwise than all that take part have it.
func clean(environ []string) []string {
	return slices.DeleteFunc(environ, func(kv string) bool {
		return strings.HasPrefix(kv, "RELAY_") || strings.HasPrefix(kv, "GOGC=") || strings.HasPrefix(kv, "GOMEMLIMIT=")
	})
}

// usage is what a process has used so far.
type usage struct {
	cpu           float64 // seconds
	resident, top uint64  // bytes: now, and the most ever
}

// usage reads the kernel's figures; they are zero where there is no /proc.
func (p *process) usage() usage {
	if p == nil {
		return usage{}
	}
	proc, err := procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		return usage{}
	}
	stat, err1 := proc.Stat()
	status, err2 := proc.NewStatus()
	if err1 != nil || err2 != nil {
		return usage{}
	}
	return usage{stat.CPUTime(), status.VmRSS, status.VmHWM}
}
