package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A middlebox forwards TCP to a server, and at times drops what it should forward without a word, as a firewall does that has forgotten a
// connection.
type middlebox struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	gate  chan struct{} // closed while it forwards
	conns []net.Conn
	wg    sync.WaitGroup
}

func newMiddlebox(t *testing.T, to string) *middlebox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middlebox{l: l, to: strings.TrimPrefix(to, "nats://"), gate: make(chan struct{})}
	close(m.gate)
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { m.join(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); m.cut(); m.forward(); m.wg.Wait() })
	return m
}

func (m *middlebox) url() string { return "nats://" + m.l.Addr().String() }

func (m *middlebox) join(c net.Conn) {
	s, err := net.Dial("tcp", m.to)
	if err != nil {
		_ = c.Close()
		return
	}
	m.mu.Lock()
	m.conns = append(m.conns, c, s)
	m.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { m.pipe(s, c) })
	both.Go(func() { m.pipe(c, s) })
	both.Wait()
}

func (m *middlebox) pipe(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		m.mu.Lock()
		gate := m.gate
		m.mu.Unlock()
		<-gate
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err == io.EOF || err != nil {
			return
		}
	}
}

// swallow forwards nothing any more; forward does again.
func (m *middlebox) swallow() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gate = make(chan struct{})
}

func (m *middlebox) forward() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.gate:
	default:
		close(m.gate)
	}
}

func (m *middlebox) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.conns = nil
}

// A connection that is half open, on which nothing arrives and nothing fails, holds up what goes over it, and loses nothing.
func TestHalfOpenConnectionLosesNothing(t *testing.T) {
	t.Parallel() // it mostly waits
	url := newNodeUnlessShort(t)
	m := newMiddlebox(t, url)
	s := newStorm(t, url)
	through := append([]string{}, s.args...)
	for i, a := range through {
		if a == url {
			through[i] = m.url()
		}
	}
	direct := s.args
	s.args = through
	s.relays = []*process{s.relay()}
	s.args = direct
	done := make(chan struct{})
	go func() { s.publish(300); close(done) }()
	<-time.After(50 * time.Millisecond)
	m.swallow()
	<-done
	<-time.After(4 * time.Second) // beyond ack_wait
	s.relays = append(s.relays, s.relay())
	<-time.After(time.Second)
	m.forward()
	s.settle(30 * time.Second)
	awaitReady(t, httpAddr(t, s.relays[0]))
	if !*stormLong {
		return
	}
	m.swallow() // until the client notices: two pings of 20 s without an answer
	start := time.Now()
	s.publish(100)
	<-time.After(75 * time.Second)
	m.cut()
	m.forward()
	awaitReady(t, httpAddr(t, s.relays[0]))
	t.Logf("ready again %s after the connection died without a word", time.Since(start).Round(time.Second))
	s.settle(time.Minute)
}
