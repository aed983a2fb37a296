package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// called runs the program in this process.
func called(t *testing.T, stdin string, environ []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &out, &err, environ)
	return out.String(), err.String(), code
}

func TestMistakesInHowItIsCalled(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("wait:\n  frist: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const account = "--smartassist.base_url=http://127.0.0.1:1"
	rows := []struct {
		name string
		args string
		says []string
		not  []string
	}{
		{"a hyphen", "run --shutdown-grace 5s --wait.max 15", []string{"--shutdown-grace: unknown flag; did you mean --shutdown_grace?", "--wait.max: \"15\"", "smartassist.app_id: is required"}, []string{"takes no arguments"}},
		{"two unknown ones with values", "run --http_addr 127.0.0.1:0 --wait.frist 3s", []string{"--http_addr: unknown flag; did you mean --http.addr?", "--wait.frist: unknown flag; did you mean --wait.first?"}, []string{"takes no arguments"}},
		{"the settings file's flag", "run --conifg " + wrong + " --wait.first -3s", []string{"--conifg: unknown flag; did you mean --config?", "--wait.first: must be at least 0s"}, []string{"takes no arguments", "is required"}},
		{"a value that begins with a minus", "run --wait.frist -3s " + account, []string{"--wait.frist: unknown flag", "smartassist.app_id"}, []string{"shorthand"}},
		{"arguments stay arguments", "publish --frist.x st-1 s1 --wait.max 15", []string{"--frist.x: unknown flag", "--wait.max"}, []string{"BOT and SESSION"}},
		{"a value before arguments", "publish --wait.frist 3s st-1 s1", []string{"--wait.frist: unknown flag"}, []string{"BOT and SESSION"}},
		{"a word too many beside it", "run --wait.frist 3s extra", []string{"--wait.frist: unknown flag", `takes no arguments, got "extra"`}, nil},
		{"a command without settings", "version --loud extra", []string{"--loud: unknown flag"}, nil},
		{"nothing is begun", "demo --spede 3", []string{"--spede: unknown flag; did you mean --speed?"}, nil},
		{"alone", "--loud", []string{"--loud: unknown flag"}, []string{"unknown flag: --loud", "shorthand"}},
		{"less than no rate", "emulate --rate-limit -1", []string{"--rate-limit must be at least 0"}, nil},
		{"no number for a share", "emulate --share NaN", []string{"--share must be from 0 to 1"}, nil},
		{"no number for a speed", "emulate --speed NaN", []string{"--speed must be over 0"}, nil},
		{"no number for demo's speed", "demo --speed NaN", []string{"--speed must be from 1 to 100"}, nil},
		{"no number for a rate", "bench --calls 1 --rounds 1 --rate NaN", []string{"--rate must be at least 0"}, nil},
		{"an account where there is none", "simulate --account sales", []string{`--account "sales": no account is set`}, nil},
		{"a command's own flag", "watch --jsn", []string{"--jsn: unknown flag; did you mean --json?"}, nil},
		{"a letter", "run -x " + account, []string{"-x: unknown flag", "smartassist.app_id"}, nil},
		{"a value that is not there", "run --wait.max 15 --wait.first", []string{"--wait.first: lacks its value", "--wait.max", "smartassist.app_id"}, nil},
		{"a file that is not there", "run --config nowhere.yaml --wait.max 15 --wait.frist 1s", []string{"--config: open nowhere.yaml: no such file", "--wait.max", "--wait.frist"}, []string{"is required"}},
		{"a file out of the environment", "run --wait.max 15 RELAY_CONFIG=nowhere.yaml", []string{"RELAY_CONFIG: open nowhere.yaml: no such file", "--wait.max"}, nil},
		{"a boolean that is neither", "run --nats.embedded=maybe " + account, []string{`"maybe" is neither true nor false`}, nil},
		{"a shell that is none", "completion nosuch", []string{`unknown shell "nosuch"; known are bash`}, nil},
		{"a word behind the shell", "completion bash extra", []string{`takes no arguments, got "extra"`}, nil},
		{"help on nothing", "help nosuch", []string{`unknown command "nosuch"`}, nil},
		{"help on nothing of a group", "help failed nosuch", []string{`unknown command "failed nosuch"`}, nil},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var args, environ []string
			for _, word := range strings.Fields(r.args) {
				if strings.HasPrefix(word, "RELAY_") {
					environ = append(environ, word)
					continue
				}
				args = append(args, word)
			}
			stdout, stderr, code := called(t, "", environ, args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit %d, want 2; it prints %s", code, stdout)
			}
			for _, want := range r.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("it does not say %q:\n%s", want, stderr)
				}
			}
			for _, not := range r.not {
				if strings.Contains(stderr, not) {
					t.Errorf("it says %q:\n%s", not, stderr)
				}
			}
		})
	}
}

func TestWhatIsCalledRight(t *testing.T) {
	for args, want := range map[string]string{
		"config --nats.embedded true --nats.store_dir d": "nats.embedded                true ",
		"config --nats.provision FALSE --wait.first 3s":  "nats.provision               false",
		"config --nats.embedded --nats.store_dir d":      "nats.embedded                true ",
		"completion bash --no-descriptions":              "__completeNoDesc",
		"--version":                                      "embedded nats-server",
		"completion":                                     "zsh",
		"help failed list":                               "oldest first",
		"__complete failed ":                             "purge",
		"schema call.ended --check -":                    "a valid call.ended",
	} {
		stdout, stderr, code := called(t, `{"botId":"st-1","sessionId":"s1"}`, nil, strings.Split(args, " ")...)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit %d, %s%s, want %q", args, code, stdout, stderr, want)
		}
	}
}
