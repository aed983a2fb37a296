package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ops serves /livez and /healthz (alive), /readyz (200 while calls can be taken and settled, else 503 with the reason) and /metrics.
type Ops struct {
	Ready   func() error // nil while ready
	Metrics *Metrics
	Refresh func() // brings gauges up to date before a scrape; it must not block
}

// Handler is Ops as HTTP.
func (o Ops) Handler() http.Handler {
	mux := http.NewServeMux()
	alive := func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") }
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := o.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	scrape := promhttp.HandlerFor(prometheus.Gatherer(o.Metrics.registry), promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		o.Metrics.up.Set(0)
		if o.Ready() == nil {
			o.Metrics.up.Set(1)
		}
		if o.Refresh != nil {
			o.Refresh()
		}
		scrape.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "voicemail-relay: /livez /readyz /metrics")
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// slowest is how long a client may take to send its request, and to take the answer: more than the 10 s that Prometheus gives a scrape by
// default.
const slowest = 15 * time.Second

// Serve serves on a listener until ctx ends; nil then. Who holds a connection and does nothing with it is parted from.
func (o Ops) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: o.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: slowest, WriteTimeout: slowest, IdleTimeout: time.Minute}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.Shutdown(grace) != nil { // somebody is still being answered
			_ = s.Close()
		}
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("ops endpoints: %w", err)
	}
	<-closed // only Shutdown ends it so
	return nil
}
