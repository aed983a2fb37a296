// Package forecast remembers what was learned about an account's voicemails, and says what its calls are planned by. All replicas learn into one
// record. How it is planned is relay's; when, and from what, is decided here.
package forecast

import (
	"crypto/rand"
	"fmt"
	"math"
	"sync"
	"time"

	"voicemail-relay/internal/relay"
)

// Config describes an account's forecast.
type Config struct {
	Policy relay.Policy
	Budget func() float64   // requests a second that the account may make all the time; 0: no limit
	Key    string           // of the account's record; empty: this process alone remembers
	Floor  float64          // of a request's price; 0: the usual one
	Now    func() time.Time // nil: time.Now
}

// A Forecast is one account's. Its methods may be called from many goroutines.
type Forecast struct {
	cfg Config

	mu    sync.Mutex
	used  bool   // since the record was last looked at
	known memory // as the record has it, and since
	news  memory // what the record is still to be told
	at    time.Time
	plans map[string]relay.Outlook // by bot; "" is the account's
	made  time.Time                // when the plans were
}

// memory is what is remembered of an account.
type memory struct {
	Born    string                      `json:"born"`  // tells it from another one, before somebody deleted the record
	At      float64                     `json:"at"`    // its own time in seconds, which everybody moves on by his own clock: see budget
	Faded   float64                     `json:"faded"` // its time when what was learned last faded
	Account relay.Experience            `json:"account"`
	Bots    map[string]relay.Experience `json:"bots,omitempty"`
	Calls   float64                     `json:"calls"` // that came, each fading by half in halfLife
}

const (
	// halfLife of a call in the account's load: long enough for a rate, short enough to see a rush hour begin.
	halfLife = 90 * time.Second
	// fresh is how long a plan holds. Calls come and go, but not so fast.
	fresh = 10 * time.Second
	// memoryLife is how long it takes until half of what was learned is forgotten, if nothing new is: media may come sooner or later one day.
	memoryLife = 7 * 24 * time.Hour
	// mostBots are remembered apart: those with calls just now, and of these and the others those with the most.
	mostBots = 64
)

// New makes a forecast; the error names the field that is wrong.
func New(cfg Config) (*Forecast, error) {
	if cfg.Budget == nil {
		return nil, fmt.Errorf("forecast: Budget is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Forecast{cfg: cfg, used: true, at: cfg.Now(), known: memory{Born: rand.Text(), Bots: map[string]relay.Experience{}}, news: memory{Bots: map[string]relay.Experience{}}}, nil
}

// Outlook is what a bot's calls are planned by now.
func (f *Forecast) Outlook(bot string) relay.Outlook {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Now()
	f.used = true
	if f.plans == nil || now.Sub(f.made) >= fresh {
		f.advance(now)
		f.plans, f.made = map[string]relay.Outlook{}, now
	}
	e := f.known.Bots[bot]
	if !e.Known() {
		bot, e = "", relay.Experience{}
	}
	o, ok := f.plans[bot]
	if !ok {
		o = f.cfg.Policy.Plan(f.known.Account, e, f.load())
		f.plans[bot] = o
	}
	return o
}

// Arrived counts a call that was put into the line for the first time.
func (f *Forecast) Arrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(f.cfg.Now())
	f.used = true
	f.known.Calls++
	f.news.Calls++
}

// Learn adds what an answer teaches.
func (f *Forecast) Learn(bot string, l relay.Lesson) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(f.cfg.Now())
	f.used = true
	f.known.learn(bot, l)
	f.news.learn(bot, l)
}

func (m *memory) learn(bot string, l relay.Lesson) {
	m.Account.Learn(l)
	e := m.Bots[bot]
	e.Learn(l)
	m.Bots[bot] = e
}

// advance lets the load fade to now.
func (f *Forecast) advance(now time.Time) {
	if d := now.Sub(f.at); d > 0 {
		f.known.At += d.Seconds()
		f.known.Calls *= faded(d.Seconds(), halfLife)
		f.news.Calls *= faded(d.Seconds(), halfLife)
		f.at = now
	}
}

// load is what the account has to do and may spend.
func (f *Forecast) load() relay.Load {
	return relay.Load{Calls: f.known.Calls * math.Ln2 / halfLife.Seconds(), Budget: f.cfg.Budget(), Floor: f.cfg.Floor}
}

// Snapshot is a forecast at one moment, for metrics.
type Snapshot struct {
	Calls float64 // a second, that come
	Share float64 // of calls that leave a voicemail
	Price float64 // of a request, in seconds of a voicemail's waiting; 0: the fixed schedule holds
	Short bool    // last requests wait for a quieter hour
}

// Snapshot reads the forecast.
func (f *Forecast) Snapshot() Snapshot {
	o := f.Outlook("")
	f.mu.Lock()
	defer f.mu.Unlock()
	return Snapshot{Calls: f.load().Calls, Share: f.known.Account.Share(), Price: o.Price, Short: o.Short}
}
