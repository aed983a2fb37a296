package relay

import (
	"encoding/json"
	"math"
	"time"
)

// Lags is a histogram of how long something took until it was there. A request tells only that it was not there yet at one time and there
// at a later one, so one lag is spread over all buckets between. Buckets grow by a quarter of an octave, from 0.1 s to over a day.
type Lags [lagBuckets]float64

const (
	lagBuckets = 80
	lagFirst   = 0.1 // seconds: the upper edge of the first bucket
)

// lagEdges are the buckets' edges in seconds; they never change.
var lagEdges = func() (edges [lagBuckets + 1]float64) {
	for i := 1; i <= lagBuckets; i++ {
		edges[i] = lagFirst * math.Exp2(float64(i-1)/4)
	}
	return edges
}()

// logNormal is a histogram of n lags with this median, and sigma of their logarithm.
func logNormal(n float64, median time.Duration, sigma float64) (l Lags) {
	cdf := func(x float64) float64 {
		return 0.5 * math.Erfc(-math.Log(x/median.Seconds())/(sigma*math.Sqrt2))
	}
	for i := range l {
		below := 0.0
		if i > 0 {
			below = cdf(lagEdges[i])
		}
		l[i] = n * (cdf(lagEdges[i+1]) - below)
	}
	return l
}

// add counts one lag known to lie after from and not after to. Where between, the lags known before and the guess say: the expectation step of
// Turnbull's estimate for interval-censored data (J. R. Stat. Soc. B 38, 1976), one step for each lag.
func (l *Lags) add(from, to time.Duration, guess Lags) {
	var part Lags
	sum := 0.0
	a, b := max(from.Seconds(), 0), to.Seconds()
	for i := range l {
		low, high := lagEdges[i], lagEdges[i+1]
		if i == lagBuckets-1 {
			high = math.Inf(1)
		}
		if high <= a && b > a || low > b {
			continue
		}
		over := 1.0 // how much of the bucket lies between
		if !math.IsInf(high, 1) {
			over = max((min(b, high)-max(a, low))/(high-low), 1e-3)
		}
		part[i] = over * (l[i] + guess[i] + 1e-9) // something everywhere, so that nothing is impossible
		sum += part[i]
	}
	if sum == 0 { // from is beyond to: nothing can be learned
		return
	}
	for i := range l {
		l[i] += part[i] / sum
	}
}

// plus returns both counted together.
func (l Lags) plus(o Lags) Lags {
	for i := range l {
		l[i] += o[i]
	}
	return l
}

// times returns all counts multiplied.
func (l Lags) times(f float64) Lags {
	for i := range l {
		l[i] *= f
	}
	return l
}

// cumulative returns the share of lags up to a time in seconds. Within a bucket they count as evenly spread.
func (l Lags) cumulative() func(seconds float64) float64 {
	var upTo [lagBuckets + 1]float64
	for i, n := range l {
		upTo[i+1] = upTo[i] + n
	}
	all := max(upTo[lagBuckets], 1e-12)
	return func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		i := 0
		if x > lagFirst {
			i = int(math.Ceil(4 * math.Log2(x/lagFirst)))
		}
		if i >= lagBuckets {
			return 1
		}
		low, high := lagEdges[i], lagEdges[i+1]
		return (upTo[i] + l[i]*min(max((x-low)/(high-low), 0), 1)) / all
	}
}

// MarshalJSON writes the counts from the first to the last that is not nothing.
func (l Lags) MarshalJSON() ([]byte, error) {
	s := lagsJSON{Counts: []float64{}}
	for i, n := range l {
		n = math.Round(n*1000) / 1000
		if n == 0 && len(s.Counts) == 0 {
			s.First = i + 1
			continue
		}
		s.Counts = append(s.Counts, n)
	}
	for n := len(s.Counts); n > 0 && s.Counts[n-1] == 0; n-- {
		s.Counts = s.Counts[:n-1]
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote; counts that are none are left out.
func (l *Lags) UnmarshalJSON(b []byte) error {
	var s lagsJSON
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*l = Lags{}
	for i, n := range s.Counts {
		if k := s.First + i; k >= 0 && k < lagBuckets && n > 0 && n < 1e9 {
			l[k] = n
		}
	}
	return nil
}

type lagsJSON struct {
	First  int       `json:"first"`
	Counts []float64 `json:"counts"`
}
