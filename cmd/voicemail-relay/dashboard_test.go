package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A panel is one of deploy/grafana/voicemail-relay.json.
type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ Expr, LegendFormat string }
}

type dashboard struct {
	UID         string
	Panels      []panel
	Annotations struct{ List []struct{ Name, Expr string } }
	Templating  struct {
		List []struct{ Name, Type, Definition string }
	}
}

var (
	legend      = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// TestDashboardNamesWhatIsExposed: a metric that is renamed or loses a label would leave a panel empty, at the worst of times.
func TestDashboardNamesWhatIsExposed(t *testing.T) {
	d, e, rules := readDashboard(t), scrape(t), readRules(t)
	e.record(t, rules)
	for _, r := range rules { // what Prometheus makes of the alerts
		if r.Alert != "" {
			e.merge("ALERTS", e.check(t, r.Alert, r.Expr))
			e.add("ALERTS", `alertstate="firing",alertname="`+r.Alert+`",severity="`+r.Labels["severity"]+`"`)
		}
	}
	used := map[string]bool{}
	for _, p := range d.Panels {
		e.checkProse(t, p.Title, p.Description)
		for _, target := range p.Targets {
			names := e.check(t, p.Title, target.Expr)
			for _, l := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !e.labelled(names, l[1]) {
					t.Errorf("%s: the legend tells %s, which is a label of none of %v", p.Title, l[1], names)
				}
			}
			for _, n := range names {
				used[n] = true
			}
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			e.check(t, a.Name, a.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("variable %s is asked for by %q, want label_values", v.Name, v.Definition)
		} else if names := e.check(t, "variable "+v.Name, m[1]); !e.labelled(names, m[2]) {
			t.Errorf("variable %s: %v have no label %s", v.Name, names, m[2])
		}
	}
	for name := range e { // a metric that nobody sees helps nobody
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if strings.HasPrefix(name, "voicemail_relay_") && !used[name] && !used[base+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// TestDashboardCanBeRead: panels stand beside one another, each says what it shows, and the source of data is the reader's choice.
func TestDashboardCanBeRead(t *testing.T) {
	d := readDashboard(t)
	rules := readRules(t)
	root := (&app{}).root()
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s has an id that another panel has", p.Title)
		}
		ids[p.ID] = true
		if p.Title == "" || p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %d %q lacks a title, a description or a query", p.ID, p.Title)
		}
		if g := p.GridPos; g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s does not fit: %+v", p.Title, g)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies upon %s", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		for _, name := range alertNamed.FindAllString(p.Description, -1) {
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.Alert == name }) {
				t.Errorf("%s names %s, which is no alert", p.Title, name)
			}
		}
		checkCommands(t, p.Title, p.Description, root)
	}
	raw, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	sources := regexp.MustCompile(`"type": "(prometheus|grafana)",\s+"uid": "([^"]*)"`).FindAllSubmatch(raw, -1)
	if len(sources) < len(d.Panels) {
		t.Errorf("%d sources for %d panels", len(sources), len(d.Panels))
	}
	for _, m := range sources {
		if want := map[string]string{"prometheus": "${datasource}", "grafana": "-- Grafana --"}[string(m[1])]; string(m[2]) != want {
			t.Errorf("a panel reads from %s, want the variable datasource", m[2])
		}
	}
}

const dashboardFile = "../../deploy/grafana/voicemail-relay.json"

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	b, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || len(d.Panels) < 30 {
		t.Fatalf("%d panels in a dashboard %q, want all", len(d.Panels), d.UID)
	}
	return d
}
