// Package natsd is a NATS server with JetStream inside the process: for small sites, the demo and tests.
package natsd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config describes the server.
type Config struct {
	StoreDir string // where streams are kept
	Host     string // loopback address to listen on; empty: no listener, connections in the process alone
	Port     int    // 0: a free one
	// SyncAlways writes every message through to the disk before it is confirmed, so that a power failure loses none. The server's default is
	// to do so every two minutes.
	SyncAlways bool
	MaxStore   int64 // bytes that streams may take on the disk; 0: the server's own bound
}

// Start starts a server and waits until it takes connections. The error names the port or folder that cannot be had. Of servers in one
// folder the first one runs.
func Start(cfg Config) (*Server, error) {
	if cfg.StoreDir == "" {
		return nil, errors.New("natsd: StoreDir is missing")
	}
	port := cfg.Port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if cfg.Host != "" && cfg.Port != 0 { // the server itself would only log that it cannot listen
		l, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
		if err != nil {
			return nil, fmt.Errorf("natsd: listen: %w", err)
		}
		_ = l.Close()
	}
	held, err := lock(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	s, err := start(cfg, port)
	if err != nil {
		_ = held.Close()
		return nil, err
	}
	return &Server{s, held}, nil
}

func start(cfg Config, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "voicemail-relay", Host: cfg.Host, Port: port, DontListen: cfg.Host == "",
		JetStream: true, StoreDir: cfg.StoreDir, SyncAlways: cfg.SyncAlways, JetStreamMaxStore: cfg.MaxStore,
		NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, fmt.Errorf("natsd: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("natsd: the embedded NATS server did not start within 10 s")
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("natsd: JetStream cannot use %s", cfg.StoreDir)
	}
	return s, nil
}

// A Server runs until Shutdown.
type Server struct {
	s    *server.Server
	held *os.File // the lock on its store; nil where there are none
}

// URL is where clients reach it; without a listener only InProcessConn does.
func (s *Server) URL() string { return s.s.ClientURL() }

// InProcessConn connects within the process (nats.InProcessServer takes a Server).
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// Shutdown stops it and waits until its files are closed.
func (s *Server) Shutdown() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	_ = s.held.Close()
}
