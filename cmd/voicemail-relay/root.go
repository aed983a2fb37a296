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
	"voicemail-relay/internal/smartassist"
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
	wrong          settings.Problems // with flags
	blind          bool              // the settings file was not read: what is required may stand there
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	out := &output{w: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr, environ: environ}
	root := a.root()
	root.SetArgs(a.known(root, args))
	err := root.ExecuteContext(ctx)
	var problems settings.Problems
	var usage usageError
	if len(a.wrong) > 0 { // not reported with the settings
		if problems = a.wrong; err != nil {
			problems = append(problems, settings.Problem{What: err.Error()})
		}
		err = problems
	}
	if err == nil {
		err = out.failure()
	}
	if err == nil {
		return exitDone
	}
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
	var printVersion bool
	root := &cobra.Command{
		Use:   "voicemail-relay",
		Short: "Turns ended calls into voicemails, over NATS JetStream and Kore.ai SmartAssist",
		Long: `Voicemail Relay takes call.ended from NATS JetStream, asks Kore.ai SmartAssist for the voicemail, and
publishes one verdict per call: voicemail.ready, voicemail.absent or voicemail.failed.`,
		Example: `  voicemail-relay demo   see it work, offline
  voicemail-relay config init relay.yaml && voicemail-relay run --config relay.yaml`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; voicemail-relay --help lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printVersion {
				return a.printVersion(false)
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&printVersion, "version", false, "print the version")
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
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { help(a.stdout, cmd) })
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.AddCommand(a.runCommand(), a.demoCommand(), a.setupCommand(), a.publishCommand(), a.watchCommand(), a.emulateCommand(),
		a.configCommand(), a.schemaCommand(), a.simulateCommand(), a.failedCommand(), a.explainCommand(), a.doctorCommand(), a.benchCommand(), a.versionCommand(), a.manCommand())
	strict(root)
	return root
}

// strict has cobra's own commands refuse arguments that they would pass over, as wrong usage.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short, c.Long, c.Example = "Tell more about a command", "", "  voicemail-relay help failed replay"
			c.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return usagef("unknown command %q; voicemail-relay --help lists them", strings.Join(args, " "))
				}
				return nil
			}
		case "completion":
			var shells []string
			for _, s := range c.Commands() {
				s.Args = noArgs
				s.Example, s.Long = "  "+completionExamples[s.Name()], s.Short+". A new shell then completes commands, flags and settings."
				shells = append(shells, s.Name())
			}
			c.Example = "  voicemail-relay completion bash --help"
			c.Long = "Completion prints a script that has a shell complete commands, flags and settings."
			c.Args = func(_ *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usagef("unknown shell %q; known are %s", args[0], strings.Join(shells, ", "))
				}
				return nil
			}
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// completionExamples say where each shell looks for such scripts.
var completionExamples = map[string]string{
	"bash":       "voicemail-relay completion bash > /etc/bash_completion.d/voicemail-relay",
	"zsh":        "voicemail-relay completion zsh > /usr/local/share/zsh/site-functions/_voicemail-relay",
	"fish":       "voicemail-relay completion fish > ~/.config/fish/completions/voicemail-relay.fish",
	"powershell": "voicemail-relay completion powershell >> $PROFILE",
}

// load reads the settings from file, environment and flags.
func (a *app) load(cmd *cobra.Command, need settings.Need) (*settings.Effective, error) {
	src := settings.Source{Environ: a.environ, Need: need, Terminal: isTerminal(a.stderr), ReadFile: os.ReadFile, Secret: smartassist.CheckSecret}
	src.File, _ = cmd.Flags().GetString("config")
	where := "--config"
	if src.File == "" {
		src.File, where = a.getenv("RELAY_CONFIG"), "RELAY_CONFIG"
	}
	if src.File != "" {
		b, err := os.ReadFile(src.File)
		if err != nil {
			a.wrong = append(a.wrong, settings.Problem{Where: where, What: err.Error() + "; voicemail-relay config init writes one"})
			src.File, a.blind = "", true
		}
		src.YAML = b
	}
	if a.blind {
		src.Need = settings.NeedNATS
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
	if len(a.wrong) > 0 {
		var problems settings.Problems
		if err != nil && !errors.As(err, &problems) {
			return nil, err
		}
		err = append(a.wrong, problems...)
		a.wrong = nil
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
	if o, ok := w.(*output); ok {
		w = o.w
	}
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
