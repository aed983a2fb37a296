package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"voicemail-relay/internal/bench"
)

// benching is what bench was asked for.
type benching struct {
	load    bench.Load
	faults  string
	rounds  int
	waiting int
	ledger  bool
	relay   string
	against string
	profile string
	asJSON  bool
}

func (a *app) benchCommand() *cobra.Command {
	b := benching{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what a call costs, beside a hand-written loop",
		Long: `Bench has the relay and a floor (the plain loop that one would write by hand: no ledger, no metrics, no budget) take turns at the same
calls, each with a NATS server and an emulator of the API in processes of their own on loopback, and proves every output. It tells CPU per
call of the relay and of the server, calls a second, peak memory, and what each is beside the floor in the same round. Leave the machine
alone meanwhile. CPU and memory are read from /proc: on Linux only. With --nats.url it uses that server, under names that begin with
bench-, and deletes what it made; that server's CPU is not told.`,
		Example: `  voicemail-relay bench
  voicemail-relay bench --rate 200 --calls 4000   latency at 200 calls a second
  voicemail-relay bench --faults 503=0.05,429=0.02
  voicemail-relay bench --waiting 100000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			switch {
			case b.load.Calls < 1:
				return usagef("--calls must be at least 1")
			case b.load.Concurrency < 1 || b.load.Concurrency > 10_000:
				return usagef("--concurrency must be from 1 to 10000")
			case !(b.load.Rate >= 0): // NaN is not
				return usagef("--rate must be at least 0")
			case b.load.Latency < 0 || b.load.Latency > 5*time.Second:
				return usagef("--latency must be from 0s to 5s")
			case b.rounds < 1:
				return usagef("--rounds must be at least 1")
			case b.waiting < 0 || b.waiting > 1_000_000:
				return usagef("--waiting must be from 0 to 1000000")
			}
			if b.load.Faults, err = bench.ParseFaults(b.faults); err != nil {
				return usagef("--faults: %v", err)
			}
			p := bench.Programs{Relay: b.relay, Against: b.against, Profile: b.profile}
			if cmd.Flags().Changed("nats.url") {
				p.NATS, _ = cmd.Flags().GetString("nats.url")
			}
			if p.Self, err = os.Executable(); err != nil {
				return err
			}
			if p.Relay == "" {
				p.Relay = p.Self
			}
			if p.Profile != "" { // its processes stand elsewhere
				if p.Profile, err = filepath.Abs(p.Profile); err != nil {
					return err
				}
			}
			return a.bench(cmd.Context(), p, b)
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.load.Calls, "calls", 20_000, "calls of each pass")
	f.IntVar(&b.load.Concurrency, "concurrency", 64, "requests at once")
	f.Float64Var(&b.load.Rate, "rate", 0, "calls a second, and their latency; 0: all stand there at the start")
	f.DurationVar(&b.load.Latency, "latency", 0, "of the API's answers")
	f.StringVar(&b.faults, "faults", "", "statuses and shares of requests, such as 503=0.05,429=0.02")
	f.IntVar(&b.rounds, "rounds", 3, "how often they take turns")
	f.IntVar(&b.waiting, "waiting", 0, "so many calls that wait meanwhile")
	f.BoolVar(&b.ledger, "ledger", false, "have a floor with the ledger's get and put take part, too")
	f.StringVar(&b.relay, "relay", "", "the build of this program that is measured; empty: this one")
	f.StringVar(&b.against, "against", "", "another build of this program to take part, too")
	f.StringVar(&b.profile, "profile", "", "write a CPU profile of the relay's last pass to this file")
	f.BoolVar(&b.asJSON, "json", false, "print the report as JSON")
	child := &cobra.Command{Use: "child CONFIG", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return bench.Child(cmd.Context(), args[0], a.stdout)
	}}
	profile := &cobra.Command{Use: "profile FILE COMMAND…", Hidden: true, DisableFlagParsing: true, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) < 2 {
			return usagef("bench profile is not for use by hand")
		}
		return a.profile(cmd.Context(), args[0], args[1:])
	}}
	cmd.AddCommand(child, profile)
	return cmd
}

// profile runs a command of this program and writes its CPU profile. The build takes default.pgo from there.
func (a *app) profile(ctx context.Context, file string, args []string) error {
	f, err := os.Create(file) // #nosec G304 -- whoever calls the program names it
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	if code := run(ctx, args, a.stdin, a.stdout, a.stderr, a.environ); code != exitDone {
		return fmt.Errorf("%s: exit code %d", strings.Join(args, " "), code)
	}
	return nil
}

func (a *app) bench(ctx context.Context, p bench.Programs, b benching) error {
	told := func(round int, name string, f bench.Figures) {
		if !b.asJSON {
			fmt.Fprintf(a.stdout, "round %d  %-20s %6.0f calls/s  %6.1f µs CPU a call  %6.1f µs of the server  %5.1f MiB\n", round, name, f.CallsPerSecond, f.CPU, f.ServerCPU, f.PeakMiB)
		}
	}
	if b.waiting > 0 {
		return a.benchWaiting(ctx, p, b)
	}
	r, err := p.Contest(ctx, b.load, b.rounds, b.ledger, told)
	if err != nil {
		return err
	}
	if b.asJSON {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.stdout, "\nmedians of %s, and beside the %s in the same round:\n", plural(r.Rounds, "round"), r.Yardstick)
	for _, e := range r.Each {
		fmt.Fprintf(a.stdout, "%-20s %6.0f calls/s %5.2f  %6.1f µs %5.2f  server %6.1f µs %5.2f  %5.1f MiB  %4.0f ms to start  %.2f requests a call  %d connections\n", e.Name, e.Median.CallsPerSecond, e.Ratio.CallsPerSecond,
			e.Median.CPU, e.Ratio.CPU, e.Median.ServerCPU, e.Ratio.ServerCPU, e.Median.PeakMiB, e.Median.StartMS, e.Median.RequestsPerCall, e.Median.Connections)
		if l := e.Median.LatencyMS; l != nil {
			fmt.Fprintf(a.stdout, "%-20s latency: median %.2f ms %5.2f, 95 %% %.2f ms, 99 %% %.2f ms, most %.1f ms\n", "", l.P50, e.Ratio.LatencyP50, l.P95, l.P99, l.Max)
		}
	}
	return nil
}

func (a *app) benchWaiting(ctx context.Context, p bench.Programs, b benching) error {
	r, err := p.Waiting(ctx, b.load, b.waiting, func(line string) {
		if !b.asJSON {
			fmt.Fprintln(a.stdout, line)
		}
	})
	if err != nil || !b.asJSON {
		return err
	}
	return a.printJSON(r)
}
