package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"voicemail-relay/internal/settings"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write man pages, one for each command, for packages",
		Example: "  voicemail-relay man /usr/share/man/man1",
		Hidden:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("man takes one DIR, got %s", plural(len(args), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// #nosec G301 -- man pages are for everybody
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writeMan(args[0], cmd.Root())
		},
	}
}

// writeMan writes the page of a command and of those under it.
func writeMan(dir string, cmd *cobra.Command) error {
	if cmd.Hidden || cmd.Name() == "help" {
		return nil
	}
	file := filepath.Join(dir, pageName(cmd)+".1")
	// #nosec G306 -- man pages are for everybody
	if err := os.WriteFile(file, []byte(page(cmd)), 0o644); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if err := writeMan(dir, c); err != nil {
			return err
		}
	}
	return nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page is a command's man page. It holds no date, so that the same program writes the same page.
func page(cmd *cobra.Command) string {
	var p roff
	p.macro("TH", strings.ToUpper(pageName(cmd)), "1", "", "voicemail-relay "+version(), "Voicemail Relay")
	p.section("NAME")
	p.text(pageName(cmd) + ` \- ` + escaped(cmd.Short))
	p.section("SYNOPSIS")
	p.macro("B", usage(cmd))
	p.section("DESCRIPTION")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	for i, paragraph := range strings.Split(long, "\n\n") {
		if i > 0 {
			p.macro("PP")
		}
		p.text(escaped(paragraph))
	}
	if f := ownFlags(cmd); f.HasAvailableFlags() {
		p.section("OPTIONS")
		f.VisitAll(func(f *pflag.Flag) { p.option(f) })
	}
	if !cmd.HasParent() {
		p.section("SETTINGS")
		p.text(escaped("Each is a key of the YAML file that --config (or RELAY_CONFIG) names, a variable, and a flag. Flags win over variables, those over the file."))
		for _, s := range settings.Paths() {
			p.macro("TP")
			p.macro("BR", "--"+s.Name, ", ", s.Env)
			help := s.Help
			if s.Default != "" {
				help += "; " + s.Default + " by default"
			}
			p.text(escaped(help))
		}
		p.section("EXIT STATUS")
		p.text(escaped("0 when the work is done, 1 when it could not be done, 2 when the program was called wrong or a setting is wrong."))
	}
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.macro("nf")
		p.text(escaped(cmd.Example))
		p.macro("fi")
	}
	p.section("SEE ALSO")
	var also []string
	if cmd.HasParent() {
		also = append(also, pageName(cmd.Parent()))
	}
	for _, c := range shownCommands(cmd) {
		if c.Name() != "help" {
			also = append(also, pageName(c))
		}
	}
	for i, name := range also {
		end := ","
		if i == len(also)-1 {
			end = ""
		}
		p.macro("BR", name, "(1)"+end)
	}
	return string(p.buf)
}

// roff writes the language of man pages.
type roff struct{ buf []byte }

// macro writes one request with its arguments, each quoted.
func (p *roff) macro(name string, args ...string) {
	p.buf = append(p.buf, "."+name...)
	for _, arg := range args {
		p.buf = append(p.buf, ` "`+strings.ReplaceAll(escaped(arg), `"`, `\(dq`)+`"`...)
	}
	p.buf = append(p.buf, '\n')
}

func (p *roff) section(title string) { p.macro("SH", title) }

// text writes what is escaped already. A line must not begin with what roff takes for a request.
func (p *roff) text(text string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		p.buf = append(p.buf, strings.TrimSuffix(line, "\n")+"\n"...)
	}
}

func (p *roff) option(f *pflag.Flag) {
	kind, help := pflag.UnquoteUsage(f)
	p.macro("TP")
	p.macro("BI", "--"+f.Name, strings.TrimRight(" "+kind, " "))
	if def := f.DefValue; def != "" && def != "false" && def != "0" && def != "0s" && def != "[]" {
		help += " (default " + def + ")"
	}
	p.text(escaped(help))
}

// escaped writes a text so that roff shows it as it is; a hyphen would else become a typographic one, which nobody can paste.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`).Replace(text)
}
