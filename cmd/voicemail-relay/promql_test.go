package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// exposed are metrics as a scrape shows them: by name, each label's values.
type exposed map[string]map[string][]string

var (
	sampleLine = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// scrape reads what a relay with a limited account exposes that has done a bit of everything.
func scrape(t *testing.T) exposed {
	t.Helper()
	e := exposed{}
	inWorld(t, []string{"smartassist.rate_limit=60", "wait.first=1s"}, func(w *world) {
		w.emu.ScriptEvery(emu.NotYet(), emu.Ready("x"))
		w.session("s1")
		w.one(time.Hour)
		w.levels(func() {
			for _, m := range sampleLine.FindAllStringSubmatch(metricsText(t, w.daemon), -1) {
				e.add(m[1], m[2])
			}
		})
	})
	if len(e) < 60 {
		t.Fatalf("%d metrics in a scrape, want all of the relay's, go_* and process_*", len(e))
	}
	for name := range e { // the scrape's own labels
		e.add(name, `job="voicemail-relay",instance="relay:8088",namespace="calls"`)
	}
	e.add("up", `job="voicemail-relay",instance="relay:8088",namespace="calls"`)
	return e
}

func (e exposed) add(name, labels string) {
	if e[name] == nil {
		e[name] = map[string][]string{}
	}
	for _, l := range labelPair.FindAllStringSubmatch(labels, -1) {
		if !slices.Contains(e[name][l[1]], l[2]) {
			e[name][l[1]] = append(e[name][l[1]], l[2])
		}
	}
}

// merge has a metric that is made out of others: their labels may be its own.
func (e exposed) merge(name string, from []string) {
	for _, f := range from {
		for label, values := range e[f] {
			for _, v := range values {
				e.add(name, fmt.Sprintf("%s=%q", label, v))
			}
		}
	}
}

var (
	selector  = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcher   = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"`)
	grouping  = regexp.MustCompile(`\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	bracketed = regexp.MustCompile(`\[[^\]]*\]|"(?:[^"\\]|\\.)*"`)
	word      = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	operators = []string{"and", "or", "unless", "offset", "bool", "by", "on", "group_left"}
)

// check holds a PromQL expression to metrics that are exposed, with the labels that it selects and groups by, and the values that it looks for.
// It returns the metrics that it names.
func (e exposed) check(t *testing.T, where, expr string) (names []string) {
	t.Helper()
	rest := selector.ReplaceAllStringFunc(expr, func(s string) string {
		m := selector.FindStringSubmatch(s)
		if e[m[1]] != nil {
			e.checkMatchers(t, where, m[1], m[2])
		}
		return m[1] + " "
	})
	var groups []string
	rest = grouping.ReplaceAllStringFunc(rest, func(s string) string {
		for g := range strings.SplitSeq(grouping.FindStringSubmatch(s)[1], ",") {
			groups = append(groups, strings.TrimSpace(g))
		}
		return " "
	})
	for _, m := range word.FindAllString(bracketed.ReplaceAllString(rest, " "), -1) {
		if strings.HasSuffix(m, "(") || slices.Contains(operators, strings.TrimSpace(m)) { // promtool knows the functions
			continue
		}
		if m = strings.TrimSpace(m); e[m] == nil {
			t.Errorf("%s: nobody exposes %s", where, m)
		}
		names = append(names, m)
	}
	if len(names) == 0 {
		t.Errorf("%s names no metric: %s", where, expr)
	}
	for _, g := range groups {
		if !e.labelled(names, g) {
			t.Errorf("%s groups by %s, which is a label of none of %v", where, g, names)
		}
	}
	return names
}

func (e exposed) checkMatchers(t *testing.T, where, name, matchers string) {
	t.Helper()
	if left := strings.Trim(matcher.ReplaceAllString(matchers, ""), ", "); left != "" {
		t.Errorf("%s: cannot read the matcher %q", where, left)
	}
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, op, value := m[1], m[2], m[3]
		values, known := e[name][label]
		if !known {
			t.Errorf("%s: %s has no label %s, but %v", where, name, label, slices.Sorted(maps.Keys(e[name])))
			continue
		}
		if strings.Contains(value, "$") { // a variable of the dashboard
			continue
		}
		plain, err := strconv.Unquote(`"` + value + `"`)
		if err != nil {
			t.Errorf("%s: %s: %v", where, value, err)
		}
		wanted := []string{regexp.QuoteMeta(plain)}
		if op == "=~" || op == "!~" {
			wanted = strings.Split(plain, "|")
		}
		for _, want := range wanted {
			if re := regexp.MustCompile("^(?:" + want + ")$"); !slices.ContainsFunc(values, re.MatchString) {
				t.Errorf("%s: no %s has %s %q; there are %q", where, name, label, want, values)
			}
		}
	}
}

// labelled says whether one of the metrics has a label.
func (e exposed) labelled(names []string, label string) bool {
	return slices.ContainsFunc(names, func(n string) bool { _, ok := e[n][label]; return ok })
}

var mentioned = regexp.MustCompile(`\bvoicemail_relay_[a-z0-9_]+`)

// checkProse holds a text for people to metrics that are exposed.
func (e exposed) checkProse(t *testing.T, where, text string) {
	t.Helper()
	for _, name := range mentioned.FindAllString(text, -1) {
		if e[name] == nil && e[name+"_count"] == nil {
			t.Errorf("%s speaks of %s, which nobody exposes", where, name)
		}
	}
}
