package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"voicemail-relay/internal/settings"
	"voicemail-relay/internal/simulation"
)

// simulating is what simulate was asked for.
type simulating struct {
	account             string
	calls               string
	callsFile, lagsFile string
	share, sigma        float64
	textSigma           float64
	media, text         time.Duration
	others              float64
	seed                uint64
	json                bool
}

func (a *app) simulateCommand() *cobra.Command {
	s := simulating{}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Will the budget do? Play a day of calls in virtual time",
		Long: `Simulate plays calls against the planner and the budget that run uses, in virtual time, and beside them the policies that are usual
elsewhere. It answers whether smartassist.rate_limit will do, and prints for each policy: requests per call and per voicemail, the delay from
the voicemail being there to its event, voicemails missed, and how long the line of calls without budget became. Nothing is asked of anybody.
The settings smartassist.rate_limit and wait.* count as they do for run.`,
		Example: `  voicemail-relay simulate --calls 1200
  voicemail-relay simulate --calls 8h@20,3h@3000,13h@100 --share 0.15 --smartassist.rate_limit 120
  voicemail-relay simulate --calls-file yesterday.txt --others 20 --json`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.load(cmd, settings.NeedNothing)
			if err != nil {
				return err
			}
			return a.simulate(e.Settings, s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.calls, "calls", "600", "calls an hour for a day, or stretches: 8h@20,3h@3000")
	f.StringVar(&s.callsFile, "calls-file", "", "file of times at which calls ended, RFC 3339 or seconds, one a line")
	f.Float64Var(&s.share, "share", 0.15, "part of the calls that leave a voicemail")
	f.DurationVar(&s.media, "media", 25*time.Second, "median lag from hang-up to the recording")
	f.Float64Var(&s.sigma, "media-sigma", 0.7, "sigma of its logarithm")
	f.DurationVar(&s.text, "text", 12*time.Second, "median lag from the recording to its text")
	f.Float64Var(&s.textSigma, "text-sigma", 0.5, "sigma of its logarithm")
	f.StringVar(&s.lagsFile, "lags-file", "", "file of lags from hang-up to the voicemail, in seconds, one a line")
	f.Float64Var(&s.others, "others", 0, "requests a minute that other programs spend of the budget")
	f.StringVar(&s.account, "account", "", "name of the account, where several are set")
	f.Uint64Var(&s.seed, "seed", 1, "of the dice: the same day again")
	f.BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func (a *app) simulate(set settings.Settings, s simulating) error {
	day, err := s.day(set)
	if err != nil {
		return err
	}
	r, err := simulation.Play(day, true)
	if err != nil {
		return usageError{err}
	}
	if s.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return printReport(a.stdout, day, r)
}

// day is what is to be played; an error is a mistake in how it was described.
func (s simulating) day(set settings.Settings) (simulation.Day, error) {
	account, err := s.of(set)
	if err != nil {
		return simulation.Day{}, err
	}
	limit := account.RateLimit
	d := simulation.Day{Policy: policy(set), Share: s.share, Media: simulation.Lag{Median: s.media, Sigma: s.sigma}, Text: simulation.Lag{Median: s.text, Sigma: s.textSigma},
		Limit: limit, Others: s.others, Seed: s.seed, Mute: !account.Transcription}
	switch {
	case !(s.share >= 0 && s.share <= 1):
		return d, usagef("--share must be from 0 to 1")
	case s.media <= 0 || s.text < 0 || !(s.sigma >= 0 && s.sigma <= 5) || !(s.textSigma >= 0 && s.textSigma <= 5):
		return d, usagef("--media must be over 0, --text at least 0, and both sigmas from 0 to 5")
	case !(s.others >= 0) || limit > 0 && s.others >= float64(limit):
		return d, usagef("--others must be from 0 to below smartassist.rate_limit (%d)", limit)
	}
	if s.lagsFile != "" {
		lags, err := times(s.lagsFile, "--lags-file", time.Time{})
		if err != nil {
			return d, err
		}
		d.Media, d.Text = simulation.Lag{Measured: lags}, simulation.Lag{}
	}
	if s.callsFile != "" {
		d.Calls, err = times(s.callsFile, "--calls-file", time.Unix(0, 0))
	} else {
		d.Calls, err = s.arrivals()
	}
	switch {
	case err != nil:
		return d, err
	case len(d.Calls) == 0:
		return d, usagef("no call ends in what --calls or --calls-file describes")
	case d.Calls[len(d.Calls)-1] > mostHours*time.Hour:
		return d, usagef("--calls-file describes more than %d hours", mostHours)
	case len(d.Calls) > mostCalls:
		return d, usagef("%d calls are more than the %d that are simulated at once: describe a shorter time", len(d.Calls), mostCalls)
	}
	return d, nil
}

// of is the account whose budget counts: the one that is named, or the only one.
func (s simulating) of(set settings.Settings) (settings.Account, error) {
	all := set.Accounts
	if set.SmartAssist.BaseURL != "" || len(all) == 0 {
		all = append(slices.Clip(all), set.SmartAssist)
	}
	var names []string
	for _, a := range all {
		if a.Name == s.account || s.account == "" && len(all) == 1 {
			return a, nil
		}
		names = append(names, a.Name)
	}
	switch {
	case set.SmartAssist.Name == "" && len(set.Accounts) == 0:
		return settings.Account{}, usagef("--account %q: no account is set", s.account)
	case s.account == "":
		return settings.Account{}, usagef("--account must say which: %s", strings.Join(names, ", "))
	}
	return settings.Account{}, usagef("--account %q is none of %s", s.account, strings.Join(names, ", "))
}

// What is simulated at once: a minute or so.
const (
	mostCalls = 200_000
	mostHours = 31 * 24
)

// arrivals draws calls by --calls.
func (s simulating) arrivals() ([]time.Duration, error) {
	bad := usagef("--calls must be calls an hour, such as 600, or stretches such as 8h@20,3h@3000; got %q", s.calls)
	if perHour, err := strconv.ParseFloat(s.calls, 64); err == nil {
		if !(perHour > 0 && perHour*24 <= mostCalls) {
			return nil, usagef("--calls must be over 0 and at most %d a day; got %s an hour", mostCalls, s.calls)
		}
		return simulation.Arrivals([]simulation.Stretch{{Hours: 24, PerHour: perHour}}, s.seed), nil
	}
	var stretches []simulation.Stretch
	all, hours := 0.0, 0.0
	for part := range strings.SplitSeq(s.calls, ",") {
		length, rate, ok := strings.Cut(strings.TrimSpace(part), "@")
		d, err1 := time.ParseDuration(length)
		perHour, err2 := strconv.ParseFloat(rate, 64)
		if !ok || err1 != nil || err2 != nil || d <= 0 || !(perHour >= 0) {
			return nil, bad
		}
		hours += d.Hours()
		all += d.Hours() * perHour
		stretches = append(stretches, simulation.Stretch{Hours: d.Hours(), PerHour: perHour})
	}
	if hours > mostHours {
		return nil, usagef("--calls describes %.0f hours, more than the %d that are simulated at once", hours, mostHours)
	}
	if all > mostCalls {
		return nil, usagef("--calls describes some %.0f calls, more than the %d that are simulated at once", all, mostCalls)
	}
	return simulation.Arrivals(stretches, s.seed), nil
}

// times reads a file of times, one a line: seconds, or, where base is one, RFC 3339 too. They are told since the first of them, or since
// nothing where base is zero, and in their order.
func times(name, flag string, base time.Time) ([]time.Duration, error) {
	b, err := os.ReadFile(name) // #nosec G304 -- whoever calls the program names it
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	var ds []time.Duration
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if s, err := strconv.ParseFloat(line, 64); err == nil && s >= 0 && s < 1e10 {
			ds = append(ds, time.Duration(s*float64(time.Second)))
			continue
		}
		t, err := time.Parse(time.RFC3339, line)
		if err != nil || base.IsZero() || t.Before(base) {
			return nil, usagef("%s: %s line %d: seconds%s belong here, got %q", flag, name, i+1, map[bool]string{false: " or a time such as 2026-11-22T10:00:00Z"}[base.IsZero()], line)
		}
		ds = append(ds, t.Sub(base))
	}
	if base.IsZero() || len(ds) == 0 {
		return ds, nil
	}
	return simulation.SinceFirst(ds), nil
}

func printReport(out io.Writer, d simulation.Day, r simulation.Report) error {
	limit := "no limit"
	if d.Limit > 0 {
		limit = plural(d.Limit, "request") + " a minute"
		if d.Others > 0 {
			limit += fmt.Sprintf(", of which others spend %g", d.Others)
		}
	}
	first := r.Results[0]
	span := d.Calls[len(d.Calls)-1].Round(time.Minute)
	fmt.Fprintf(out, "%s in %s, %d of which left a voicemail; %s.\n\n", plural(first.Calls, "call"), span, first.Voicemails, limit)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "policy\trequests\tper call\tper voicemail\tdelay median\t95 %\t99 %\tin 5 min\tmissed\tturned away\tpeak line\tlast verdict\t")
	for _, p := range r.Results {
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%.1f\t%s\t%s\t%s\t%.1f %%\t%d\t%d\t%d\t+%s\t\n", p.Policy, p.Requests, p.RequestsPerCall, p.RequestsPerFound,
			p.DelayMedian, p.Delay95, p.Delay99, 100*p.WithinFiveMinutes, p.Missed, p.Denied, p.PeakLine, p.Drained)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\ndelay: from the voicemail being there to its event. last verdict: after the last call.\n\n%s\n", r.Answer)
	return err
}
