package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/settings"
)

// TestReadmeCommands runs what the README shows, block by block, in one shell; ports alone are replaced by free ones.
func TestReadmeCommands(t *testing.T) {
	t.Parallel() // processes
	if testing.Short() {
		t.Skip("real processes")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	natsPort, apiPort := freePort(t), freePort(t)
	var script strings.Builder
	script.WriteString("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) < 4 {
		t.Fatalf("%d blocks of commands in the README, want those that a newcomer needs", len(blocks))
	}
	for _, b := range blocks {
		text := string(b[1])
		if strings.Contains(text, "go build") { // CI builds all commands; here the command is on PATH
			continue
		}
		text = strings.NewReplacer("http://127.0.0.1:8099", "http://127.0.0.1:"+apiPort, "voicemail-relay emulate ", "voicemail-relay emulate --addr 127.0.0.1:"+apiPort+" ").Replace(text)
		script.WriteString(text)
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RELAY_NATS_URL=nats://127.0.0.1:" + natsPort, "RELAY_HTTP_ADDR=127.0.0.1:0"}
	cmd.WaitDelay = 10 * time.Second
	timer := time.AfterFunc(90*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"published on call.ended: stream CALLS, sequence 1", "my-session-1", "transcript completed", "wait.first"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the README's commands do not print %q:\n%s", want, out)
		}
	}
}

// TestReadmeIsTrue holds what the README shows and TestReadmeCommands does not run: commands and flags of ours, settings, paths, and commands of
// others, which have to stand where CI runs or checks them. (deploy/check renders what is shown for helm install.)
func TestReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	commands := 0
	for _, m := range regexp.MustCompile("(?s)\n```[a-z]*\n(.*?)\n```|`([^`\n]+)`").FindAllStringSubmatch(readme, -1) {
		code := strings.ReplaceAll(strings.ReplaceAll(m[1]+m[2], "\\\n", " "), "=false", " false")
		for line := range strings.Lines(code) {
			if strings.HasPrefix(line, "voicemail-relay ") {
				commands += checkCommands(t, "the README", line, (&app{}).root())
			}
		}
	}
	if commands < 20 {
		t.Errorf("%d commands in the README: they are not found any more", commands)
	}
	shown := 0
	for _, m := range regexp.MustCompile("`((?:nats|calls|smartassist|wait|retry|ledger|verdicts|http|log)\\.[a-z_.]+)`").FindAllStringSubmatch(readme, -1) {
		shown++
		if !slices.ContainsFunc(settings.Paths(), func(p settings.Path) bool { return p.Name == m[1] || m[1] == "wait.max:" }) {
			t.Errorf("%s is no setting", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:deploy|internal|cmd|\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_]`).FindAllString(readme, -1) {
		shown++
		if _, err := os.Stat("../../" + m); err != nil {
			t.Errorf("%s is not there", m)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([a-z-]+)\)`).FindAllStringSubmatch(readme, -1) {
		shown++
		if !regexp.MustCompile("(?mi)^## " + strings.ReplaceAll(m[1], "-", "[ -]") + "$").MatchString(readme) {
			t.Errorf("there is no heading for #%s", m[1])
		}
	}
	held := heldCommands(t)
	for _, block := range regexp.MustCompile("(?s)\n```[a-z]*\n(.*?)\n```").FindAllStringSubmatch(readme, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n ", "")) {
			if line = strings.TrimSpace(line); regexp.MustCompile(`^(docker|helm lint|buildah|goreleaser|nats-server|deploy/|apt-get|\./debian) `).MatchString(line) {
				shown++
				if !strings.Contains(held, line) {
					t.Errorf("%q stands in no script or test", line)
				}
			}
		}
	}
	if shown < 40 {
		t.Errorf("%d settings, paths, links and commands found in the README, want more", shown)
	}
}

// TestReadmeBudgetTable plays the days of the README's table that take a second or two; those of 24 hours take ten.
func TestReadmeBudgetTable(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of computing")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	space, checked := regexp.MustCompile(` {2,}`), 0
	var printed string
	for _, m := range regexp.MustCompile("(?m)^\\| (?:`(--calls [^`]*)` )?\\| (\\S.*?) \\| (.*) \\|$").FindAllStringSubmatch(string(readme), -1) {
		if m[1] != "" {
			printed = ""
		}
		if strings.Contains(m[1], "@") {
			out, errs, code := called(t, "", nil, append([]string{"simulate"}, strings.Fields(m[1])...)...)
			if code != exitDone {
				t.Fatalf("simulate %s: exit %d, %s", m[1], code, errs)
			}
			printed = out
		}
		if printed == "" {
			continue
		}
		checked++
		var has []string
		for line := range strings.Lines(printed) { // policy, requests, per call, per voicemail, delay median, 95 %, 99 %, in 5 min, …
			if c := space.Split(strings.TrimSpace(line), -1); c[0] == m[2] && len(c) > 7 {
				has = []string{c[2], c[4], c[5], c[7]}
			}
		}
		if got := strings.Join(has, " | "); got != m[3] {
			t.Errorf("%s: simulate prints %q, the README says %q", m[2], got, m[3])
		}
	}
	if checked < 6 {
		t.Errorf("%d rows of the README's budget table are checked, want 6", checked)
	}
}

// heldCommands is every script of CI, every test, and what files of deploy say of themselves.
func heldCommands(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"../../.ci", "../../deploy", "."} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, ".patch") || filepath.Base(name) == "readme_test.go" {
				return err
			}
			b, err := os.ReadFile(name)
			all.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(all.String(), `"$tools/`, ""), `helm" `, "helm ")
}
