package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"voicemail-relay/internal/settings"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // the work failed
	exitUsage  = 2 // wrong usage or settings
)

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// app is one invocation: where it reads and writes.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	unknown        settings.Problems // flags that nobody knows
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := a.root()
	root.SetArgs(a.known(root, args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && len(a.unknown) > 0 { // a command without settings
		err = a.unknown
	}
	if err == nil {
		return exitDone
	}
	var problems settings.Problems
	var usage usageError
	switch {
	case errors.As(err, &problems):
		fmt.Fprintf(stderr, "voicemail-relay: wrong settings:\n%v\n", problems)
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "voicemail-relay: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "voicemail-relay: %v\n", err)
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "voicemail-relay",
		Short: "Turns ended calls into voicemails, over NATS JetStream and Kore.ai SmartAssist",
		Long: `Voicemail Relay takes call.ended events from NATS JetStream, asks Kore.ai SmartAssist for the recording and transcript, and
publishes exactly one verdict per call: voicemail.ready, voicemail.absent or voicemail.failed.

Every setting of 'voicemail-relay config' can be given in a YAML file (--config), as a RELAY_… variable or as a --flag.`,
		Example: `  voicemail-relay demo                 see it work, offline
  voicemail-relay config init > relay.yaml
  voicemail-relay run --config relay.yaml`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; voicemail-relay --help lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.String("config", "", "YAML file with settings (RELAY_CONFIG)")
	for _, p := range settings.Paths() {
		flags.String(p.Name, "", p.Help)
		f := flags.Lookup(p.Name)
		f.Hidden = true // some fifty: 'config' lists them
		if p.Bool {
			f.NoOptDefVal = "true"
		}
	}
	root.AddCommand(a.runCommand(), a.demoCommand(), a.setupCommand(), a.publishCommand(), a.watchCommand(), a.emulateCommand(),
		a.configCommand(), a.schemaCommand(), a.simulateCommand(), a.failedCommand(), a.explainCommand(), a.versionCommand())
	return root
}

// usesSettings marks the commands that report unknown flags together with all other mistakes in the settings.
const usesSettings = "settings"

// known takes the flags that no command knows out of the arguments and keeps them for the report: pflag stops at the first.
func (a *app) known(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd == nil {
		cmd = root
	}
	lookup := func(name string) *pflag.Flag {
		if f := cmd.Flags().Lookup(name); f != nil {
			return f
		}
		return root.PersistentFlags().Lookup(name)
	}
	var known []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(known, args[i:]...)
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, hasValue := strings.Cut(name, "=")
		if !isFlag || name == "help" || cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == "help" {
			known = append(known, arg)
			continue
		}
		if f := lookup(name); f != nil {
			known = append(known, arg)
			if !hasValue && f.NoOptDefVal == "" && i+1 < len(args) { // its value is no flag, whatever it looks like
				i++
				known = append(known, args[i])
			}
			continue
		}
		a.unknown = append(a.unknown, settings.UnknownFlag(name))
		if !hasValue && strings.Contains(name, ".") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++ // looks like a setting with its value
		}
	}
	if len(a.unknown) > 0 && cmd.Annotations[usesSettings] == "" {
		return []string{"version", "--quiet"} // nothing is to be done; run reports them
	}
	return known
}

// load reads the settings from file, environment and flags.
func (a *app) load(cmd *cobra.Command, need settings.Need) (*settings.Effective, error) {
	src := settings.Source{Environ: a.environ, Need: need, Terminal: isTerminal(a.stderr)}
	src.File, _ = cmd.Flags().GetString("config")
	if src.File == "" {
		src.File = a.getenv("RELAY_CONFIG")
	}
	if src.File != "" {
		b, err := os.ReadFile(src.File)
		if err != nil {
			return nil, usagef("config: %w; voicemail-relay config init writes one", err)
		}
		src.YAML = b
	}
	paths := map[string]bool{}
	for _, p := range settings.Paths() {
		paths[p.Name] = true
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if paths[f.Name] {
			src.Flags = append(src.Flags, settings.Flag{Path: f.Name, Value: f.Value.String()})
		}
	})
	e, err := settings.Load(src)
	if len(a.unknown) > 0 {
		var problems settings.Problems
		if err != nil && !errors.As(err, &problems) {
			return nil, err
		}
		err = append(a.unknown, problems...)
		a.unknown = nil
	}
	return e, err
}

func (a *app) getenv(name string) string {
	for _, kv := range a.environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// noArgs refuses arguments as wrong usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
