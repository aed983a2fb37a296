// Package console shows how the relay does: its metrics, its ops endpoints and its log lines.
package console

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"voicemail-relay/internal/relay"
)

// Metrics are the relay's Prometheus metrics on a registry of their own. Labels come from closed sets and the names of accounts: never ids,
// never the text of an error.
type Metrics struct {
	registry *prometheus.Registry
	settled  *prometheus.CounterVec
	folded   prometheus.Counter
	later    *prometheus.CounterVec
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	ready    prometheus.Histogram
	build    *prometheus.GaugeVec
	waiting  prometheus.Gauge
	line     *prometheus.GaugeVec
	lag      prometheus.Gauge
	oldest   prometheus.Gauge
	dead     prometheus.Gauge
	state    *prometheus.GaugeVec
	left     *prometheus.GaugeVec
	flight   *prometheus.GaugeVec
	pace     *prometheus.GaugeVec
	calls    *prometheus.GaugeVec
	share    *prometheus.GaugeVec
	price    *prometheus.GaugeVec
	up       prometheus.Gauge
	incident *prometheus.CounterVec
	link     link
	reloads  reloads
}

const namespace = "voicemail_relay"

// NewMetrics registers every metric, the usual go_* and process_* included.
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{registry: r,
		settled:  counters("settled_calls_total", "Calls that got their verdict, by verdict and reason (empty for ready).", "verdict", "reason"),
		later:    counters("appointments_total", "Deliveries put off, by why; waiting for the time of the first request is 'not yet due'.", "why"),
		requests: counters("requests_total", "HTTP requests to the voicemail API, by account and result.", "account", "result"),
		folded:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "repeats_total", Help: "Deliveries that repeated a call that is settled or on its way."}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "request_seconds", Help: "Time of HTTP requests to the voicemail API.",
			Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8}}, []string{"account"}),
		ready: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "ready_seconds", Help: "From the end of a call to its voicemail.ready.",
			Buckets: []float64{5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600, 21600, 86400}}), // 300 and 600: what objectives are set at
		build:    gauges("build_info", "Always 1; the version is in the label.", "version"),
		waiting:  gauge("waiting_calls", "Calls that wait: for their next appointment, or in an account's line."),
		line:     gauges("line_calls", "Calls that are due and stand in their account's line.", "account"),
		lag:      gauge("lag_calls", "Calls in call.ended that no replica has taken yet."),
		oldest:   gauge("oldest_waiting_seconds", "Since the longest unmoved waiting call was put where it is; 0 when none waits."),
		dead:     gauge("dead_letters", "voicemail.failed events that the verdicts' stream holds."),
		state:    gauges("account_state", "1 for the account's state: open, paused (over its rate limit, or Retry-After), refused (its credentials) or down (in trouble with call after call), 0 for the others.", "account", "state"),
		left:     gauges("budget_left_requests", "Requests that a limited account may make at this moment.", "account"),
		flight:   gauges("in_flight_requests", "Seats taken for requests under way.", "account"),
		pace:     gauges("budget_pace_ratio", "Part of a limited account's rate limit that is used: below 1 while others spend its budget, too.", "account"),
		calls:    gauges("planned_calls_per_second", "Calls that come for a limited account, by all replicas, as its requests are planned by.", "account"),
		share:    gauges("planned_voicemail_ratio", "Part of a limited account's calls that leave a voicemail, as learned.", "account"),
		price:    gauges("planned_request_price_seconds", "How long a voicemail may wait to save one request: the higher, the shorter the budget; 0 while the fixed schedule holds.", "account"),
		incident: counters("incidents_total", "What the relay mended by itself, or an operator did to its streams, by kind; purged counts messages.", "kind"),
		up:       gauge("ready", "1 while calls can be taken and settled, as /readyz says."),
	}
	r.MustRegister(m.settled, m.folded, m.later, m.requests, m.seconds, m.ready, m.build, m.waiting, m.line, m.lag, m.oldest, m.dead, m.state, m.left, m.flight, m.up, m.incident, m.pace, m.calls, m.share, m.price,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.link = newLink(r)
	m.reloads = newReloads(r)
	m.build.WithLabelValues(version).Set(1)
	for kind, reasons := range verdicts { // so that a rate is there before the first of a kind
		for _, reason := range reasons {
			m.settled.WithLabelValues(string(kind), string(reason))
		}
	}
	return m
}

// verdicts are the reasons that each kind knows.
var verdicts = map[relay.Kind][]relay.Reason{
	relay.KindReady:  {""},
	relay.KindAbsent: {relay.ReasonNoneRecorded, relay.ReasonHint},
	relay.KindFailed: {relay.ReasonMalformed, relay.ReasonRejected, relay.ReasonGaveUp, relay.ReasonUndeliverable},
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

// Expect has a counter for each kind of incident from the start.
func (m *Metrics) Expect(kinds ...string) {
	for _, k := range kinds {
		m.incident.WithLabelValues(k)
	}
}

// Incident counts what happened, by a kind out of a closed set.
func (m *Metrics) Incident(kind string, n int) { m.incident.WithLabelValues(kind).Add(float64(n)) }

// Requested counts one HTTP request of an account; result is out of a closed set.
func (m *Metrics) Requested(account, result string, seconds float64) {
	m.requests.WithLabelValues(account, result).Inc()
	m.seconds.WithLabelValues(account).Observe(seconds)
}

// Settled counts a verdict as the stream holds it.
func (m *Metrics) Settled(rec relay.Record, endedAt time.Time) {
	m.settled.WithLabelValues(string(rec.Verdict), rec.Reason).Inc()
	if rec.Verdict == relay.KindReady && !endedAt.IsZero() {
		m.ready.Observe(max(0, rec.At.Sub(endedAt).Seconds()))
	}
}

// Folded counts a repeat, PutOff an appointment.
func (m *Metrics) Folded() { m.folded.Inc() }

// PutOff counts an appointment by why it was made.
func (m *Metrics) PutOff(why string) { m.later.WithLabelValues(why).Inc() }

// Level is what is read from NATS now and then.
type Level struct {
	Lag, Waiting, DeadLetters uint64
	Lines                     map[string]uint64
	LineOldest                map[string]map[relay.Class]time.Duration
	Oldest                    time.Duration
	At                        time.Time // when it was read
}

// Level sets the gauges of what waits.
func (m *Metrics) Level(l Level) {
	m.lag.Set(float64(l.Lag))
	m.waiting.Set(float64(l.Waiting))
	m.dead.Set(float64(l.DeadLetters))
	m.oldest.Set(l.Oldest.Seconds())
	for account, n := range l.Lines {
		m.line.WithLabelValues(account).Set(float64(n))
	}
	for account, ages := range l.LineOldest {
		for class, age := range ages {
			m.link.aged.WithLabelValues(account, string(class)).Set(age.Seconds())
		}
	}
	m.link.read.Set(float64(l.At.UnixMilli()) / 1000)
}

// Planned is what a limited account's requests are planned by.
type Planned struct {
	Calls float64 // a second, that come
	Share float64 // of calls that leave a voicemail
	Price float64 // of a request, in seconds of a voicemail's waiting
	Short bool    // last requests wait for a quieter hour
}

// Planned sets the gauges of a limited account's plan and pace.
func (m *Metrics) Planned(account string, p Planned, pace float64) {
	m.calls.WithLabelValues(account).Set(p.Calls)
	m.share.WithLabelValues(account).Set(p.Share)
	m.price.WithLabelValues(account).Set(p.Price)
	m.pace.WithLabelValues(account).Set(pace)
}

// Purse sets the gauges of an account. left is below 0 for an account without a limit, which has no such gauge.
func (m *Metrics) Purse(account, state string, left float64, inFlight int) {
	for _, s := range []string{"open", "paused", "refused", "down"} {
		on := 0.0
		if s == state {
			on = 1
		}
		m.state.WithLabelValues(account, s).Set(on)
	}
	if left >= 0 {
		m.left.WithLabelValues(account).Set(left)
	}
	m.flight.WithLabelValues(account).Set(float64(inFlight))
}
