package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide a help text may be, in characters.
const helpWidth = 98

// help writes a command's help so that it fits a screen: cobra's own takes half as many lines again.
func help(w io.Writer, cmd *cobra.Command) {
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", wrapped(long, helpWidth), usage(cmd))
	names := 0
	for _, c := range shownCommands(cmd) {
		names = max(names, len(c.Name()))
	}
	for _, c := range shownCommands(cmd) {
		fmt.Fprintf(w, "  %-*s  %s\n", names, c.Name(), c.Short)
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if f := ownFlags(cmd); f.HasAvailableFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", f.FlagUsagesWrapped(helpWidth))
	}
	switch {
	case !cmd.HasParent():
		fmt.Fprintf(w, "\nCOMMAND --help tells more; the output of completion SHELL has a shell complete all of this.\n")
	case cmd.Annotations[usesSettings] != "":
		fmt.Fprintf(w, "\nSettings by --config FILE, RELAY_… or flags such as --nats.url; '%s config' lists them.\n", cmd.Root().Name())
	}
}

func usage(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

// shownCommands are those that a command's help lists: the root's own help says what those of cobra are for.
func shownCommands(cmd *cobra.Command) (cs []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "completion" {
			cs = append(cs, c)
		}
	}
	return cs
}

// ownFlags are those of the command itself, without --help.
func ownFlags(cmd *cobra.Command) *pflag.FlagSet {
	own := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if cmd.HasParent() && f.Name != "help" {
			own.AddFlag(f)
		}
	})
	return own
}

// wrapped breaks paragraphs anew; lines that are indented stay as they are.
func wrapped(text string, width int) string {
	var out []string
	line := ""
	flush := func() {
		if line != "" {
			out = append(out, line)
		}
		line = ""
	}
	for _, l := range strings.Split(text, "\n") {
		if l == "" || strings.HasPrefix(l, " ") {
			flush()
			out = append(out, l)
			continue
		}
		for _, word := range strings.Fields(l) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
	}
	flush()
	return strings.Join(out, "\n")
}
