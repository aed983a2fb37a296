package bench

import (
	"context"
	"fmt"
	"slices"
)

// A Report is what a contest came to.
type Report struct {
	Load   Load `json:"load"`
	Rounds int  `json:"rounds"`
	// What the others are held against: the floor, or the relay without faults.
	Yardstick string   `json:"yardstick"`
	Each      []Result `json:"contenders"`
}

// A Result is a contender's: every round, the medians, and the median of what each round's figures were beside the yardstick's.
type Result struct {
	Name   string    `json:"name"`
	Median Figures   `json:"median"`
	Ratio  Ratio     `json:"to_yardstick"`
	Rounds []Figures `json:"rounds"`
}

// A Ratio is to the yardstick in the same round; 0 where there is none.
type Ratio struct {
	CallsPerSecond float64 `json:"calls_per_second,omitempty"`
	CPU            float64 `json:"cpu,omitempty"`
	ServerCPU      float64 `json:"server_cpu,omitempty"`
	LatencyP50     float64 `json:"latency_p50,omitempty"`
}

// Contest has floor and relay take turns at a load, in rounds; each told is called with what a pass came to.
func (p Programs) Contest(ctx context.Context, l Load, rounds int, ledger bool, told func(round int, name string, f Figures)) (Report, error) {
	all := []contender{{name: "floor"}}
	if len(l.Faults) > 0 { // the floor has no answer to trouble: the relay is its own yardstick
		all[0] = contender{name: "relay without faults", binary: p.Relay, calm: true}
	}
	all = append(all, contender{name: "relay", binary: p.Relay})
	if ledger {
		all = append(all, contender{name: "floor with ledger", ledger: true})
	}
	if p.Against != "" {
		all = append(all, contender{name: "against", binary: p.Against})
	}
	r := Report{Load: l, Rounds: rounds, Yardstick: all[0].name}
	for _, c := range all {
		r.Each = append(r.Each, Result{Name: c.name})
	}
	for round := range rounds {
		for i := range all {
			if round%2 == 1 { // nobody always goes first
				i = len(all) - 1 - i
			}
			f, err := p.pass(ctx, all[i], l)
			if err != nil {
				return r, fmt.Errorf("bench: round %d, %s: %w", round+1, all[i].name, err)
			}
			r.Each[i].Rounds = append(r.Each[i].Rounds, f)
			told(round+1, all[i].name, f)
		}
	}
	for i := range r.Each {
		r.Each[i].sum(r.Each[0])
	}
	return r, nil
}

// sum fills in medians and ratios.
func (r *Result) sum(floor Result) {
	over := func(get func(Figures) float64) float64 {
		var v []float64
		for _, f := range r.Rounds {
			v = append(v, get(f))
		}
		return median(v)
	}
	r.Median = Figures{CallsPerSecond: over(func(f Figures) float64 { return f.CallsPerSecond }), CPU: over(func(f Figures) float64 { return f.CPU }),
		ServerCPU: over(func(f Figures) float64 { return f.ServerCPU }), PeakMiB: over(func(f Figures) float64 { return f.PeakMiB }),
		StartMS: over(func(f Figures) float64 { return f.StartMS }), RequestsPerCall: over(func(f Figures) float64 { return f.RequestsPerCall }),
		Connections: int(over(func(f Figures) float64 { return float64(f.Connections) }))}
	if r.Rounds[0].LatencyMS != nil {
		r.Median.LatencyMS = &Latency{over(func(f Figures) float64 { return f.LatencyMS.P50 }), over(func(f Figures) float64 { return f.LatencyMS.P95 }),
			over(func(f Figures) float64 { return f.LatencyMS.P99 }), over(func(f Figures) float64 { return f.LatencyMS.Max })}
	}
	to := func(get func(Figures) float64) float64 {
		var v []float64
		for i, f := range r.Rounds {
			if below := get(floor.Rounds[i]); below > 0 {
				v = append(v, get(f)/below)
			}
		}
		return median(v)
	}
	r.Ratio = Ratio{CallsPerSecond: to(func(f Figures) float64 { return f.CallsPerSecond }), CPU: to(func(f Figures) float64 { return f.CPU }),
		ServerCPU: to(func(f Figures) float64 { return f.ServerCPU })}
	if r.Median.LatencyMS != nil {
		r.Ratio.LatencyP50 = to(func(f Figures) float64 { return f.LatencyMS.P50 })
	}
}

// median is 0 of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
