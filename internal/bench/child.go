package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"voicemail-relay/internal/natsd"
)

// A role is what a process of ours does in a measurement, besides the relay.
type role struct {
	Server   *serverRole   `json:"server,omitempty"`
	Upstream *upstreamRole `json:"upstream,omitempty"`
	Floor    *Floor        `json:"floor,omitempty"`
}

type serverRole struct{ Dir string }

type upstreamRole struct {
	Latency time.Duration
	Faults  []Fault
}

// ready is what a child prints when it is, before its address if it has one.
const ready = "ready "

// Child plays the role that it is given until ctx ends: Programs.Self starts it so.
func Child(ctx context.Context, config string, stdout io.Writer) error {
	var r role
	if err := json.Unmarshal([]byte(config), &r); err != nil {
		return fmt.Errorf("bench: not for use by hand: %w", err)
	}
	switch {
	case r.Server != nil:
		s, err := natsd.Start(natsd.Config{StoreDir: r.Server.Dir, Host: "127.0.0.1"})
		if err != nil {
			return err
		}
		defer s.Shutdown()
		fmt.Fprintln(stdout, ready+s.URL())
		<-ctx.Done()
		return nil
	case r.Upstream != nil:
		return upstream(ctx, *r.Upstream, stdout)
	case r.Floor != nil:
		return r.Floor.Run(ctx, func() { fmt.Fprintln(stdout, ready) })
	}
	return errors.New("bench: not for use by hand: no role")
}

func upstream(ctx context.Context, r upstreamRole, stdout io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	u := NewUpstream(r.Latency, r.Faults)
	s := &http.Server{Handler: u, ConnState: u.ConnState, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	fmt.Fprintln(stdout, ready+"http://"+l.Addr().String())
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
