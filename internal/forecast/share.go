package forecast

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"voicemail-relay/internal/relay"
)

// A Record keeps what was learned where all replicas see it, and restarts do not lose it.
type Record interface {
	// Read returns a value, its revision and when the server stored it; revision 0 when there is none.
	Read(ctx context.Context, key string) (value []byte, revision uint64, stored time.Time, err error)
	// Write stores a value if its revision is still the one that is given (0: there is none).
	Write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// tellEvery is how often replicas tell each other what they have learned, and fadeEvery how often that fades: by one percent, which no rounding
// swallows.
const (
	tellEvery = 10 * time.Second
	fadeEvery = 2*time.Hour + 30*time.Minute
)

// Run keeps the record until ctx ends, and tells it then what is new. While the record cannot be reached, the process learns on its own.
func (f *Forecast) Run(ctx context.Context, r Record) {
	if f.cfg.Key == "" || f.cfg.Budget() == 0 { // nothing is planned without a limit
		return
	}
	for {
		f.exchange(ctx, r)
		t := time.NewTimer(tellEvery + time.Duration(rand.Int64N(int64(tellEvery/10)))) // #nosec G404 -- jitter
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			f.exchange(last, r)
			return
		}
	}
}

// exchange reads the record and adds what is new. It is tried again with the next round, but for what may have been stored: a lesson that is
// lost costs nothing, one that counts twice costs little.
func (f *Forecast) exchange(ctx context.Context, r Record) {
	f.mu.Lock()
	used := f.used
	f.used = false
	f.mu.Unlock()
	if !used { // nobody needs it
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	value, revision, _, err := r.Read(ctx, f.cfg.Key)
	if err != nil {
		f.mu.Lock()
		f.used = true
		f.mu.Unlock()
		return
	}
	record := memory{}
	known := revision > 0 && json.Unmarshal(value, &record) == nil && record.sane()
	f.mu.Lock()
	f.advance(f.cfg.Now())
	news := f.news
	f.news = memory{Bots: map[string]relay.Experience{}}
	all := f.known // which has the news already
	all.Bots = maps.Clone(all.Bots)
	if known {
		if record.Born == f.known.Born {
			record.pass(f.known.At - record.At)
		} // else nobody can tell how old it is: a rate that is too high fades soon
		all = record.plus(news)
	}
	f.mu.Unlock()
	if news.Account != (relay.Experience{}) || news.Calls > 0 {
		if value, err = json.Marshal(all); err == nil {
			_, err = r.Write(ctx, f.cfg.Key, value, revision)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.news, f.used = news.plus(f.news), true
		return
	}
	f.known = all.plus(f.news)
}

// sane says whether this can be what is remembered; bots that cannot be are left out.
func (m *memory) sane() bool {
	for bot, e := range m.Bots {
		if !e.Sane() {
			delete(m.Bots, bot)
		}
	}
	return m.Calls >= 0 && m.Calls < 1e9 && m.At >= 0 && m.At < 1e12 && m.Faded >= 0 && m.Faded <= m.At && m.Account.Sane()
}

// pass lets time pass.
func (m *memory) pass(seconds float64) {
	if seconds <= 0 {
		return
	}
	m.At += seconds
	m.Calls *= faded(seconds, halfLife)
	if m.At-m.Faded < fadeEvery.Seconds() {
		return
	}
	by := faded(m.At-m.Faded, memoryLife)
	m.Faded = m.At
	m.Account = m.Account.Faded(by)
	for bot, e := range m.Bots {
		m.Bots[bot] = e.Faded(by)
	}
}

// plus returns what is remembered and what is new together.
func (m memory) plus(news memory) memory {
	all := memory{Born: m.Born, At: m.At, Faded: m.Faded, Account: m.Account.Plus(news.Account), Calls: m.Calls + news.Calls, Bots: map[string]relay.Experience{}}
	maps.Copy(all.Bots, m.Bots)
	for bot, e := range news.Bots {
		all.Bots[bot] = all.Bots[bot].Plus(e)
	}
	if len(all.Bots) <= mostBots {
		return all
	}
	bots := slices.SortedFunc(maps.Keys(all.Bots), func(a, b string) int {
		_, newA := news.Bots[a]
		_, newB := news.Bots[b]
		if newA != newB {
			return map[bool]int{true: -1, false: 1}[newA]
		}
		return cmp.Or(cmp.Compare(all.Bots[b].Asked, all.Bots[a].Asked), cmp.Compare(a, b))
	})
	for _, bot := range bots[mostBots:] {
		delete(all.Bots, bot)
	}
	return all
}

// faded is what is left after some seconds of what halves in a time.
func faded(seconds float64, half time.Duration) float64 { return math.Exp2(-seconds / half.Seconds()) }
