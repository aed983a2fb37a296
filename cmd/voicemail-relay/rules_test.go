package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"voicemail-relay/internal/settings"
)

// A rule is one of deploy/prometheus/rules.yml.
type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels, Annotations map[string]string
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	readYAML(t, "../../deploy/prometheus/rules.yml", &file)
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) < 40 {
		t.Fatalf("%d rules, want all", len(rules))
	}
	return rules
}

// record adds what the rules record to what is exposed.
func (e exposed) record(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules { // each after those that it is made of
		if r.Record != "" {
			e.merge(r.Record, e.check(t, r.Record, r.Expr))
		}
	}
}

var templated = regexp.MustCompile(`\$labels\.([a-z_]+)`)

// TestRulesNameWhatIsExposed: a metric that is renamed or loses a label would leave an alert silent for ever.
func TestRulesNameWhatIsExposed(t *testing.T) {
	e, rules := scrape(t), readRules(t)
	e.record(t, rules)
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		names := e.check(t, r.Alert, r.Expr)
		for what, text := range r.Annotations {
			e.checkProse(t, r.Alert+": "+what, text)
			for _, l := range templated.FindAllStringSubmatch(text, -1) {
				if !e.labelled(names, l[1]) {
					t.Errorf("%s: %s tells a label %s, which its metrics do not have", r.Alert, what, l[1])
				}
			}
		}
	}
}

var (
	alertTested = regexp.MustCompile(`^ALERTS\{alertname="(\w+)", alertstate="firing"\}$`)
	alertNamed  = regexp.MustCompile(`\bVoicemailRelay[A-Z]\w+`)
)

// TestEveryAlertIsSeenToFire: promtool proves that the tests hold; this, that there are some.
func TestEveryAlertIsSeenToFire(t *testing.T) {
	var file struct {
		Files    []string `yaml:"rule_files"`
		Interval string   `yaml:"evaluation_interval"`
		Order    []string `yaml:"group_eval_order"`
		Tests    []struct {
			Name     string
			Interval string
			Series   []struct{ Series, Values string } `yaml:"input_series"`
			Exprs    []struct {
				Time    string `yaml:"eval_time"`
				Expr    string
				Samples []struct {
					Labels string
					Value  float64
				} `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	readYAML(t, "../../deploy/prometheus/rules_test.yml", &file)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, x := range test.Exprs {
			m := alertTested.FindStringSubmatch(x.Expr)
			if m == nil || m[1] != test.Name {
				t.Errorf("the test of %s looks at %s", test.Name, x.Expr)
				continue
			}
			fires[m[1]] = fires[m[1]] || len(x.Samples) > 0
			silent[m[1]] = silent[m[1]] || len(x.Samples) == 0
		}
	}
	alerts := map[string]bool{}
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s is tested to fire: %t, to be silent: %t; want both in rules_test.yml", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
	for name := range silent {
		if !alerts[name] {
			t.Errorf("there is a test of %s, and no such alert", name)
		}
	}
}

var (
	commandShown = regexp.MustCompile(`voicemail-relay ([a-z].*)`)
	path         = regexp.MustCompile(`\b(?:nats|calls|ready|smartassist|wait|retry|ledger|verdicts|http|log)\.[a-z_]+(?:\.[a-z_]+)*`)
)

// TestRunbooksAreTrue: whoever is woken finds the commands, settings and other alerts that a runbook names.
func TestRunbooksAreTrue(t *testing.T) {
	rules := readRules(t)
	root := (&app{}).root()
	commands := 0
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has severity %q", r.Alert, s)
		}
		for _, what := range []string{"summary", "description", "runbook"} {
			if r.Annotations[what] == "" {
				t.Errorf("%s has no %s", r.Alert, what)
			}
		}
		book := r.Annotations["runbook"]
		for _, part := range []string{"Means: ", "\nLook: ", "\nDo: "} {
			if !strings.Contains(book, part) {
				t.Errorf("the runbook of %s lacks %q", r.Alert, strings.TrimSpace(part))
			}
		}
		for _, name := range alertNamed.FindAllString(book, -1) {
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.Alert == name }) {
				t.Errorf("the runbook of %s names %s, which is no alert", r.Alert, name)
			}
		}
		for _, p := range path.FindAllString(book, -1) {
			if !slices.ContainsFunc(settings.Paths(), func(s settings.Path) bool { return s.Name == p }) {
				t.Errorf("the runbook of %s names %s, which is no setting", r.Alert, p)
			}
		}
		commands += checkCommands(t, "the runbook of "+r.Alert, book, root)
	}
	if commands < 20 {
		t.Errorf("%d commands in all runbooks: they are not found any more", commands)
	}
}

// checkCommands holds each voicemail-relay … in a text to commands and flags that there are, and returns how many it has found.
func checkCommands(t *testing.T, where, text string, root *cobra.Command) (n int) {
	t.Helper()
	for ; ; n++ {
		at := commandShown.FindStringSubmatchIndex(text)
		if at == nil {
			return n
		}
		line := text[at[2]:at[3]]
		text = text[at[2]:]
		cmd, args := root, false
		for w := range strings.FieldsSeq(line) {
			bare := strings.TrimRight(w, ",.;:)")
			if flag, ok := strings.CutPrefix(bare, "--"); ok {
				if cmd.Flags().Lookup(flag) == nil && root.PersistentFlags().Lookup(flag) == nil {
					t.Errorf("%s shows %s with --%s, which it does not have", where, cmd.CommandPath(), flag)
				}
			} else if i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == bare }); i >= 0 && !args {
				cmd = cmd.Commands()[i]
			} else {
				args = true
			}
			if bare != w {
				break
			}
		}
		if cmd == root || cmd.HasSubCommands() && cmd.Name() == "failed" {
			t.Errorf("%s shows 'voicemail-relay %.40s…', which is no command", where, line)
		}
	}
}
