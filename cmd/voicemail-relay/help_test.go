package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all that people see, the root first.
func commands() (all []*cobra.Command) {
	var add func(*cobra.Command)
	add = func(c *cobra.Command) {
		all = append(all, c)
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				add(sub)
			}
		}
	}
	add((&app{}).root())
	return all
}

// A screen of old has 24 lines of 80 characters; what nobody can read at 100 is cut off at every width. Two have a dozen flags, one four words to explain.
func TestHelpFitsAScreen(t *testing.T) {
	longer := map[string]int{"voicemail-relay bench": 30, "voicemail-relay simulate": 30, "voicemail-relay doctor": 30}
	for _, c := range commands() {
		out, _, code := called(t, "", nil, append(strings.Fields(c.CommandPath())[1:], "--help")...)
		most := max(24, longer[c.CommandPath()])
		if n := strings.Count(out, "\n"); code != 0 || n > most {
			t.Errorf("%s --help has %d lines, more than %d:\n%s", c.CommandPath(), n, most, out)
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
				t.Errorf("%s --help has a line of %d characters: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "completion" && sub.Name() != "help" && !strings.Contains(out, "\n  "+sub.Name()+" ") {
				t.Errorf("%s --help does not list %s", c.CommandPath(), sub.Name())
			}
		}
	}
}

var remark = regexp.MustCompile(`   .*$`)

// examplesOf are the lines of a command's examples, without remarks: what stands behind three spaces.
func examplesOf(c *cobra.Command) (lines []string) {
	for line := range strings.Lines(c.Example) {
		lines = append(lines, strings.TrimSpace(remark.ReplaceAllString(strings.TrimSpace(line), "")))
	}
	return lines
}

func TestEveryCommandHasExamplesThatParse(t *testing.T) {
	for _, c := range commands() {
		own := 0
		for _, line := range examplesOf(c) {
			line, _, _ = strings.Cut(line, " >")
			for _, part := range strings.Split(line, " && ") {
				words := strings.Fields(part)
				for len(words) > 0 && strings.HasPrefix(words[0], "RELAY_") {
					words = words[1:]
				}
				if len(words) == 0 || words[0] != "voicemail-relay" {
					t.Errorf("%s: the example %q does not call the program", c.CommandPath(), part)
					continue
				}
				a := &app{}
				root := a.root()
				cmd, args, err := root.Find(a.known(root, words[1:]))
				if err != nil {
					t.Errorf("%s: the example %q: %v", c.CommandPath(), part, err)
					continue
				}
				if cmd.CommandPath() == c.CommandPath() || c.HasSubCommands() || c.Name() == "help" {
					own++
				}
				if err := cmd.ParseFlags(args); err != nil && !errors.Is(err, pflag.ErrHelp) || len(a.wrong) > 0 {
					t.Errorf("%s: the example %q: %v %v", c.CommandPath(), part, err, a.wrong)
				} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
					t.Errorf("%s: the example %q: %v", c.CommandPath(), part, err)
				}
			}
		}
		if own == 0 {
			t.Errorf("%s has no example of itself", c.CommandPath())
		}
	}
}

// These are run elsewhere, or write where tests have no business.
var notRun = map[string]string{
	"voicemail-relay demo":       "TestDemoShowsEveryKindAndEnds",
	"voicemail-relay bench":      "takes minutes: bench_test.go",
	"voicemail-relay simulate":   "a day takes half a minute: simulate.txtar",
	"voicemail-relay completion": "writes into the shell's own folders: usage.txtar",
	"voicemail-relay":            "its examples are those of other commands",
}

// TestExamplesOfHelpRun runs what --help shows, word by word, before a relay with its server. What does not end by itself has to be there after a
// while, and to end well when it is told to.
func TestExamplesOfHelpRun(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	s := beginPlace(t)
	dir := t.TempDir()
	const session = "67aa38026e199c8f470e0001"
	for range 14 { // letters 1 to 14
		if _, err := s.js.Publish(t.Context(), "call.ended", []byte("no call")); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := command(t, "publish", "st-1a2b", session, "--nats.url", s.url); code != 0 {
		t.Fatalf("publish: exit %d, %s", code, out)
	}
	if out, code := command(t, "watch", "--all", "--count", "15", "--nats.url", s.url); code != 0 {
		t.Fatalf("watch: exit %d, %s", code, out)
	}
	for name, text := range map[string]string{"yesterday.txt": "2026-11-24T10:00:00Z\n2026-11-24T10:01:00Z\n", "event.json": `{"botId":"st-1","sessionId":"s1"}`, "secret": "test\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := command(t, "config", "init", filepath.Join(dir, "relay.yaml")); code != 0 {
		t.Fatal(out)
	}
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RELAY_HTTP_ADDR=127.0.0.1:0", "RELAY_SMARTASSIST_BASE_URL=" + s.api, "RELAY_SMARTASSIST_APP_ID=cs-test",
		"RELAY_SMARTASSIST_APP_SECRET_FILE=" + filepath.Join(dir, "secret")}
	all := commands()
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name() != "purge" && all[j].Name() == "purge" }) // it leaves no letters to the others
	for _, c := range all {
		if _, ok := notRun[c.CommandPath()]; ok || strings.HasPrefix(c.CommandPath(), "voicemail-relay completion ") {
			continue
		}
		for _, line := range examplesOf(c) {
			url, script := s.url, line
			switch {
			case strings.HasSuffix(line, "config init relay.yaml"): // it is there already, and that is refused
				script = strings.ReplaceAll(line, "relay.yaml", c.Name()+".yaml")
			case strings.Contains(line, "--nats.embedded"):
				url = "nats://127.0.0.1:" + freePort(t)
				script = strings.ReplaceAll(line, "/var/lib", dir)
			case strings.Contains(line, " --monitor"): // the server inside has no such port
				script, _, _ = strings.Cut(line, " --monitor")
			case strings.Contains(line, "--nats.url nats://127.0.0.1:4222"):
				script = strings.ReplaceAll(line, "nats://127.0.0.1:4222", s.url)
			}
			t.Run(line, func(t *testing.T) {
				limit := "30"
				if endless.MatchString(line) {
					t.Parallel() // after the others, all at once
					limit = "1"
				}
				cmd := exec.Command("bash", "-c", "timeout --foreground --preserve-status "+limit+" "+script)
				if strings.HasPrefix(script, "RELAY_") {
					cmd.Args[2] = script
				}
				cmd.Dir, cmd.Env = dir, append(environ, "RELAY_NATS_URL="+url)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("it ends with %v:\n%s", err, out)
				}
			})
		}
	}
}

// endless are commands that end when they are told to: well, if they were at work by then.
var endless = regexp.MustCompile(`^voicemail-relay (run|watch|emulate)\b`)
