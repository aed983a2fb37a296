package console

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reloads tell of settings that were read again, by the names that Prometheus itself has for it.
type reloads struct{ successful, at prometheus.Gauge }

func newReloads(r *prometheus.Registry) reloads {
	m := reloads{
		successful: gauge("config_last_reload_successful", "1 while the settings of the last load are in effect; 0 when the last reload was refused."),
		at:         gauge("config_last_reload_success_timestamp_seconds", "When settings were last taken over, at the start too."),
	}
	r.MustRegister(m.successful, m.at)
	return m
}

// Reloaded notes whether settings that were read at a time are in effect.
func (m *Metrics) Reloaded(ok bool, at time.Time) {
	if !ok {
		m.reloads.successful.Set(0)
		return
	}
	m.reloads.successful.Set(1)
	m.reloads.at.Set(float64(at.UnixMilli()) / 1000)
}
