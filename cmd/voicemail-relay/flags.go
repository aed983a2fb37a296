package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"voicemail-relay/internal/settings"
)

// usesSettings marks the commands that report mistakes in flags together with all others in the settings.
const usesSettings = "settings"

// known takes the flags that no command knows, and those that lack their value, out of the arguments and keeps them for the report: pflag
// stops at the first.
func (a *app) known(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd == nil {
		cmd = root
	}
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
		return args
	}
	f := flagged{own: cmd.Flags(), settings: root.PersistentFlags(), free: !strings.Contains(cmd.Use, " ")}
	known := []string{} // without any, cobra takes the process's own where it is given nil
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			known = append(known, args[i:]...)
			break
		}
		next, hasNext := "", i+1 < len(args)
		if hasNext {
			next = args[i+1]
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, hasValue := strings.Cut(name, "=")
		switch found := f.lookup(name); {
		case !isFlag && len(arg) > 1 && arg[0] == '-' && arg != "-h":
			letter, _ := utf8.DecodeRuneInString(arg[1:])
			a.wrong = append(a.wrong, settings.Problem{Where: "-" + string(letter), What: "unknown flag"})
		case !isFlag || name == "help" || found != nil && hasValue:
			known = append(known, arg)
		case found == nil:
			p := settings.UnknownFlag(name, f.names()...)
			a.wrong = append(a.wrong, p)
			a.blind = a.blind || p.Nearest == "--config"
			if !hasValue && hasNext && f.takes(p.Nearest, next) {
				i++
			}
		case found.NoOptDefVal == "" && hasNext: // its value is no flag, whatever it looks like
			known = append(known, arg, next)
			i++
		case found.NoOptDefVal == "":
			a.wrong = append(a.wrong, settings.Problem{Where: arg, What: "lacks its value"})
		case f.settings.Lookup(name) != nil && (strings.EqualFold(next, "true") || strings.EqualFold(next, "false")): // pflag takes a boolean's value behind = alone
			known = append(known, arg+"="+next)
			i++
		default:
			known = append(known, arg)
		}
	}
	if len(a.wrong) > 0 && cmd.Annotations[usesSettings] == "" { // nothing is to be done
		cmd.Run, cmd.RunE = nil, func(*cobra.Command, []string) error { return nil }
	}
	return known
}

// flagged are the flags of a command.
type flagged struct {
	own, settings *pflag.FlagSet
	free          bool // of arguments: what stands behind an unknown flag is its value
}

func (f flagged) lookup(name string) *pflag.Flag {
	if own := f.own.Lookup(name); own != nil {
		return own
	}
	return f.settings.Lookup(name)
}

// names are those of the command's own flags.
func (f flagged) names() []string {
	names := []string{"help"}
	f.own.VisitAll(func(o *pflag.Flag) {
		if f.settings.Lookup(o.Name) == nil && !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	})
	return names
}

// takes says whether the word behind an unknown flag is its value, by what was meant, perhaps.
func (f flagged) takes(meant, next string) bool {
	if strings.HasPrefix(next, "-") && (len(next) == 1 || next[1] < '0' || next[1] > '9') { // -3s is no flag
		return false
	}
	if m := f.lookup(strings.TrimPrefix(meant, "--")); m != nil && meant != "" {
		return m.NoOptDefVal == "" || strings.EqualFold(next, "true") || strings.EqualFold(next, "false")
	}
	return f.free
}
