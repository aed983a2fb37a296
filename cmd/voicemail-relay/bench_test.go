package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"voicemail-relay/internal/bench"
)

// TestBench runs the benchmark as a user does, on few calls. It looks at what was measured, not at how much that was.
func TestBench(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	run := func(report any, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "voicemail-relay", append([]string{"bench", "--json", "--calls", "300", "--concurrency", "16"}, args...)...)
		cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
		cmd.Stderr = &lockedBuffer{}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, cmd.Stderr)
		}
		if err := json.Unmarshal(out, report); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	profile := filepath.Join(t.TempDir(), "cpu")
	var r bench.Report
	run(&r, "--rounds", "2", "--ledger", "--profile", profile)
	if len(r.Each) != 3 || r.Each[0].Name != "floor" || r.Each[1].Name != "relay" || r.Each[2].Name != "floor with ledger" {
		t.Fatalf("contenders: %+v", r.Each)
	}
	for _, e := range r.Each {
		m := e.Median
		if len(e.Rounds) != 2 || m.CallsPerSecond <= 0 || m.CPU <= 0 || m.PeakMiB <= 0 || m.StartMS <= 0 || m.RequestsPerCall != 1 || m.Connections < 1 || m.Connections > 17 || e.Ratio.CallsPerSecond <= 0 {
			t.Errorf("%s: %+v, ratio %+v", e.Name, m, e.Ratio)
		}
	}
	if st, err := os.Stat(profile); err != nil || st.Size() == 0 {
		t.Errorf("no profile: %v", err)
	}
	var paced bench.Report
	run(&paced, "--rounds", "1", "--rate", "300", "--latency", "5ms")
	for _, e := range paced.Each {
		if l := e.Median.LatencyMS; l == nil || l.P50 < 5 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("%s: latency %+v, want at least the API's 5 ms", e.Name, l)
		}
	}
	var faulty bench.Report
	run(&faulty, "--rounds", "1", "--faults", "503=0.2,429=0.05")
	if len(faulty.Each) != 2 || faulty.Each[0].Median.RequestsPerCall != 1 || faulty.Each[1].Median.RequestsPerCall < 1.1 {
		t.Errorf("with faults: %+v, want the relay without and with them, and there more than a request a call", faulty.Each)
	}
	var waiting bench.WaitingReport
	run(&waiting, "--waiting", "300")
	if waiting.Parked <= 0 || waiting.Alone <= 0 || waiting.Beside <= 0 || waiting.Due <= 0 || waiting.RelayMiB <= 0 {
		t.Errorf("waiting: %+v", waiting)
	}
}
