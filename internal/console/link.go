package console

import "github.com/prometheus/client_golang/prometheus"

// link are the metrics of the way to NATS, and of what stands still because of it.
type link struct {
	received prometheus.Counter
	failed   *prometheus.CounterVec
	stuck    *prometheus.GaugeVec
	reach    *prometheus.GaugeVec
	limit    *prometheus.GaugeVec
	aged     *prometheus.GaugeVec
	read     prometheus.Gauge
}

func newLink(r *prometheus.Registry) link {
	l := link{
		received: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "received_calls_total", Help: "Events taken from call.ended for the first time, repeats and what is no call included."}),
		failed:   counters("failed_operations_total", "Operations on NATS that failed and were done again, by operation: one try each.", "operation"),
		stuck:    gauges("stuck_calls", "Calls in hand that wait for an operation on NATS that does not succeed, by operation; while there is one no further call is taken.", "operation"),
		reach:    gauges("budget_reachable", "1 while a limited account's shared budget can be read and written, 0 when it could not for ten seconds: then nothing is asked for the account.", "account"),
		limit:    gauges("budget_limit_requests", "A limited account's requests in any 60 s, as set by rate_limit.", "account"),
		aged:     gauges("line_oldest_seconds", "How long the call that is longest in its account's line has stood there, by class; 0 when none does. Class last may take hours when the budget is short.", "account", "class"),
		read:     gauge("levels_timestamp_seconds", "When lag, waiting calls, lines and dead letters were last read from NATS, in seconds since 1970; 0: never."),
	}
	r.MustRegister(l.received, l.failed, l.stuck, l.reach, l.limit, l.aged, l.read)
	return l
}

// A Connection tells the state of the way to NATS at the time of a scrape. None of the functions may block.
type Connection struct {
	Connected  func() bool
	Reconnects func() uint64
	InHand     func() int
}

// Connect shows a connection's state from now on; it is called once.
func (m *Metrics) Connect(c Connection) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "nats_connected", Help: "1 while this process is connected to a NATS server."}, func() float64 {
			if c.Connected() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "nats_reconnects_total", Help: "How often a lost connection to NATS came back."}, func() float64 { return float64(c.Reconnects()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "in_hand_calls", Help: "Calls that this process has taken and neither settled nor put off yet."}, func() float64 { return float64(c.InHand()) }),
	)
}

// ExpectOperations has a counter and a gauge for each operation on NATS from the start.
func (m *Metrics) ExpectOperations(names ...string) {
	for _, n := range names {
		m.link.failed.WithLabelValues(n)
		m.link.stuck.WithLabelValues(n)
	}
}

// ExpectResults has a counter for each result of an account's requests from the start.
func (m *Metrics) ExpectResults(account string, results ...string) {
	for _, r := range results {
		m.requests.WithLabelValues(account, r)
	}
}

// Received counts an event of call.ended that is handed out for the first time.
func (m *Metrics) Received() { m.link.received.Inc() }

// Stumbled counts a try of an operation on NATS that failed.
func (m *Metrics) Stumbled(operation string) { m.link.failed.WithLabelValues(operation).Inc() }

// Stuck sets how many calls wait for an operation.
func (m *Metrics) Stuck(operation string, calls int) {
	m.link.stuck.WithLabelValues(operation).Set(float64(calls))
}

// Limit sets a limited account's requests in any 60 s, and Reachable whether its shared budget can be drawn on.
func (m *Metrics) Limit(account string, requests int) {
	m.link.limit.WithLabelValues(account).Set(float64(requests))
}

// Reachable is about a limited account's shared budget.
func (m *Metrics) Reachable(account string, is bool) {
	on := 0.0
	if is {
		on = 1
	}
	m.link.reach.WithLabelValues(account).Set(on)
}
