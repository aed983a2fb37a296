package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"voicemail-relay/internal/smartassist/smartassisttest"
)

// The emulator's client. The seed decides what callers say.
const (
	appID  = "cs-bench"
	secret = "made-up-for-the-benchmark"
	seed   = 20
)

// An Upstream is the API's emulator for measuring: every session has its voicemail at once.
type Upstream struct {
	Latency time.Duration // each answer comes so late
	Faults  []Fault

	emulator *smartassisttest.Server
	requests atomic.Uint64
	dice     atomic.Uint64

	mu          sync.Mutex
	connections int // now
	most        int // ever
}

// A Fault is a status that a share of requests is answered with.
type Fault struct {
	Status int
	Share  float64
}

// ParseFaults reads 503=0.05,429=0.02.
func ParseFaults(s string) ([]Fault, error) {
	if s == "" {
		return nil, nil
	}
	var all []Fault
	sum := 0.0
	for part := range strings.SplitSeq(s, ",") {
		status, share, _ := strings.Cut(strings.TrimSpace(part), "=")
		f := Fault{}
		var err1, err2 error
		f.Status, err1 = strconv.Atoi(status)
		f.Share, err2 = strconv.ParseFloat(share, 64)
		if err1 != nil || err2 != nil || f.Status < 400 || f.Status > 599 || !(f.Share > 0 && f.Share < 1) {
			return nil, fmt.Errorf("%q is no status from 400 to 599 with a share between 0 and 1: write 503=0.05,429=0.02", part)
		}
		sum += f.Share
		all = append(all, f)
	}
	if sum >= 1 {
		return nil, fmt.Errorf("the shares of faults add up to %g: less than 1 is needed", sum)
	}
	return all, nil
}

// NewUpstream makes one.
func NewUpstream(latency time.Duration, faults []Fault) *Upstream {
	return &Upstream{Latency: latency, Faults: faults, emulator: emulator()}
}

func emulator() *smartassisttest.Server {
	at := smartassisttest.Lag{Median: 1}
	return smartassisttest.New(smartassisttest.Config{AppID: appID, Secret: secret, Seed: seed, Share: 1, MediaLag: at, TranscriptLag: at, LinkLife: 24 * time.Hour})
}

// tally is what an Upstream counted.
type tally struct {
	Requests    uint64 `json:"requests"`
	Connections int    `json:"connections"` // most at once
}

const tallyPath = "/bench/tally"

// ServeHTTP answers as the emulator does, late or with a fault where that was asked for.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == tallyPath {
		u.mu.Lock()
		t := tally{u.requests.Load(), u.most}
		u.mu.Unlock()
		_ = json.NewEncoder(w).Encode(t) // whoever asked may be gone
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/voicemail") { // a recording
		u.emulator.ServeHTTP(w, r)
		return
	}
	u.requests.Add(1)
	if u.Latency > 0 {
		time.Sleep(u.Latency) // its client waits longer than that
	}
	for _, f := range u.Faults {
		if u.strikes(f.Share) {
			http.Error(w, `{"error":"made up"}`, f.Status)
			return
		}
	}
	u.emulator.ServeHTTP(w, r)
}

// strikes draws; the draws differ from request to request, and are the same in each run.
func (u *Upstream) strikes(share float64) bool {
	x := u.dice.Add(0x9E3779B97F4A7C15) // splitmix64
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return float64((x^x>>31)>>11)/(1<<53) < share
}

// ConnState counts connections: http.Server takes it.
func (u *Upstream) ConnState(_ net.Conn, st http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch st {
	case http.StateNew:
		u.connections++
		u.most = max(u.most, u.connections)
	case http.StateClosed, http.StateHijacked:
		u.connections--
	}
}
