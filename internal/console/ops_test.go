package console

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who holds a connection and does nothing with it is parted from, whatever he stopped at.
func TestIdleClientsAreLeft(t *testing.T) {
	const get = "GET /metrics HTTP/1.1\r\nHost: relay\r\n"
	rows := []struct {
		name  string
		sends string
		reads bool
	}{
		{"says nothing", "", true},
		{"stops within the header", get, true},
		{"stops within a body", get + "Content-Length: 1000\r\n\r\nx", true},
		{"asks for nothing more", get + "\r\n", true},
		{"reads nothing", get + "\r\n", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &oneListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
				here, there := net.Pipe()
				held := &heldConn{Conn: there, gone: make(chan struct{})}
				l.conns <- held
				ctx, stop := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() {
					if err := (Ops{Ready: func() error { return nil }, Metrics: NewMetrics("test")}).Serve(ctx, l); err != nil {
						t.Error(err)
					}
				})
				if row.reads {
					serving.Go(func() { _, _ = io.Copy(io.Discard, here) }) // ends with the connection
				}
				if _, err := io.WriteString(here, row.sends); err != nil {
					t.Fatal(err)
				}
				select {
				case <-held.gone:
				case <-time.After(5 * time.Minute):
					t.Error("the connection is held after five minutes")
				}
				_ = here.Close()
				stop()
				serving.Wait()
			})
		})
	}
}

// Who is still being answered at the end has a second, and nobody is answered any more when Serve returns.
func TestServeEndsWithItsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &oneListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		here, there := net.Pipe() // nobody reads: the answer is stuck
		held := &heldConn{Conn: there, gone: make(chan struct{})}
		l.conns <- held
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- (Ops{Ready: func() error { return nil }, Metrics: NewMetrics("test")}).Serve(ctx, l) }() // ends with ctx
		if _, err := io.WriteString(here, "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s to end, want a second", took)
		}
		select {
		case <-held.gone:
		default:
			t.Error("a connection is left")
		}
		_ = here.Close()
	})
}

// oneListener takes connections that a test makes.
type oneListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *oneListener) Addr() net.Addr { return &net.IPAddr{} }

// heldConn tells when the server closes it.
type heldConn struct {
	net.Conn
	gone chan struct{}
	once sync.Once
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
