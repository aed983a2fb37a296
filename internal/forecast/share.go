package forecast

import (
	"context"
	"encoding/json"
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

// tellEvery is how often replicas tell each other what they have learned.
const tellEvery = 10 * time.Second

// Run keeps the record until ctx ends, and tells it then what is new. While the record cannot be reached, the process learns on its own.
func (f *Forecast) Run(ctx context.Context, r Record) {
	if f.cfg.Key == "" || f.cfg.Budget() == 0 { // nothing is planned without a limit
		return
	}
	for {
		f.exchange(ctx, r)
		t := time.NewTimer(tellEvery + time.Duration(rand.Int64N(int64(tellEvery/10))))
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
	value, revision, stored, err := r.Read(ctx, f.cfg.Key)
	if err != nil {
		f.mu.Lock()
		f.used = true
		f.mu.Unlock()
		return
	}
	record := memory{}
	if revision > 0 && json.Unmarshal(value, &record) == nil {
		record.sane()
		record.Calls *= faded(max(0, f.cfg.Now().Sub(stored)))
	}
	f.mu.Lock()
	f.advance(f.cfg.Now())
	news := f.news
	f.news = memory{Bots: map[string]relay.Experience{}}
	f.mu.Unlock()
	all := record.plus(news)
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

// sane leaves out what cannot be.
func (m *memory) sane() {
	if !(m.Calls >= 0 && m.Calls < 1e9) {
		m.Calls = 0
	}
	if !m.Account.Sane() {
		*m = memory{}
	}
	for bot, e := range m.Bots {
		if !e.Sane() {
			delete(m.Bots, bot)
		}
	}
}

// plus returns both together, with the bots that have the most calls.
func (m memory) plus(o memory) memory {
	all := memory{Account: m.Account.Plus(o.Account), Calls: m.Calls + o.Calls, Bots: map[string]relay.Experience{}}
	for _, bots := range []map[string]relay.Experience{m.Bots, o.Bots} {
		for bot, e := range bots {
			all.Bots[bot] = all.Bots[bot].Plus(e)
		}
	}
	if len(all.Bots) > mostBots {
		var asked []float64
		for _, e := range all.Bots {
			asked = append(asked, e.Asked)
		}
		slices.Sort(asked)
		least := asked[len(asked)-mostBots]
		for bot, e := range all.Bots {
			if e.Asked < least {
				delete(all.Bots, bot)
			}
		}
	}
	return all
}

func faded(d time.Duration) float64 { return math.Exp2(-d.Seconds() / halfLife.Seconds()) }
