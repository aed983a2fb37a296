package bus

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// health gathers why the bus is not ready.
type health struct {
	nc      *nats.Conn
	dialing Dialing
	mu      sync.Mutex
	wrong   map[string]error // by what it concerns
}

func newHealth(nc *nats.Conn, d Dialing) *health {
	return &health{nc: nc, dialing: d, wrong: map[string]error{"start": errors.New("starting")}}
}

// set notes what is wrong with something; nil: nothing any more.
func (h *health) set(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.wrong, what)
		return
	}
	h.wrong[what] = err
}

func (h *health) ready() error {
	if !h.nc.IsConnected() {
		if err := h.nc.LastError(); err != nil { // such as an authorization that a server refuses
			return fmt.Errorf("nats is not connected (%s): %w", h.nc.Status(), h.dialing.Refused(err))
		}
		return fmt.Errorf("nats is not connected (%s)", h.nc.Status())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for what, err := range h.wrong {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
