package settings_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yamlv3 "go.yaml.in/yaml/v3"

	"voicemail-relay/internal/settings"
)

const (
	chart       = "../../deploy/helm/voicemail-relay"
	chartSchema = chart + "/values.schema.json"
)

// node is as much of a JSON Schema as the chart's needs.
type node struct {
	Type       any              `json:"type"`
	Additional any              `json:"additionalProperties"`
	Properties map[string]*node `json:"properties"`
	Items      *node            `json:"items"`
}

// leaves lists the types of what has no properties, by path.
func (n *node) leaves(t *testing.T, path string, into map[string]any) {
	t.Helper()
	if n.Type != "object" {
		into[path] = n.Type
		return
	}
	if n.Additional != false {
		t.Errorf("the chart's schema lets anything through under %q", path)
	}
	for name, child := range n.Properties {
		child.leaves(t, strings.TrimPrefix(path+"."+name, "."), into)
	}
}

// TestChartKnowsEachSetting: the chart's schema lets through what the relay reads, and nothing else. Helm refuses a mistake then, instead of a pod.
func TestChartKnowsEachSetting(t *testing.T) {
	b, err := os.ReadFile(chartSchema)
	if err != nil {
		t.Fatal(err)
	}
	var schema node
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	schema.Properties["config"].leaves(t, "", got)
	account := map[string]any{}
	schema.Properties["config"].Properties["accounts"].Items.leaves(t, "", account)
	delete(got, "accounts")

	// The chart sets these itself, or there is no place for them in a pod.
	own := []string{"nats.credentials_file", "nats.tls.ca_file", "nats.tls.cert_file", "nats.tls.key_file", "nats.embedded", "nats.store_dir",
		"smartassist.app_secret", "smartassist.app_secret_file", "shutdown_grace", "http.addr"}
	want, wantAccount := map[string]bool{}, map[string]bool{"name": false, "bots": false, "app_secret_file": false}
	for _, p := range settings.Paths() {
		if slices.Contains(own, p.Name) {
			continue
		}
		want[p.Name] = p.Bool
		if name, ok := strings.CutPrefix(p.Name, "smartassist."); ok {
			wantAccount[name] = p.Bool
		}
	}
	for _, c := range []struct {
		what string
		got  map[string]any
		want map[string]bool
	}{{"config", got, want}, {"config.accounts[]", account, wantAccount}} {
		if got, want := slices.Sorted(maps.Keys(c.got)), slices.Sorted(maps.Keys(c.want)); !slices.Equal(got, want) {
			t.Errorf("%s of the chart's schema: got %v, want %v", c.what, got, want)
		}
		for name, isBool := range c.want {
			if (c.got[name] == "boolean") != isBool {
				t.Errorf("%s.%s: got type %v, want boolean %v", c.what, name, c.got[name], isBool)
			}
		}
	}
}

// TestChartValuesFitTheirSchema: what values.yaml and the sets of values for checks hold, and each part of the schema is in values.yaml, where
// people read about it.
func TestChartValuesFitTheirSchema(t *testing.T) {
	b, err := os.ReadFile(chartSchema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got values files %v, %v", files, err)
	}
	for _, file := range append(files, chart+"/values.yaml") {
		if err := schema.Validate(valuesOf(t, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	documented := valuesOf(t, chart+"/values.yaml")
	for name := range schema.Properties {
		if _, ok := documented[name]; !ok && name != "global" { // helm's own
			t.Errorf("values.yaml says nothing of %s", name)
		}
	}
}

func valuesOf(t *testing.T, file string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := map[string]any{}
	if err := yamlv3.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// TestChartBringsRulesAndDashboards: the chart cannot read outside itself; its files are links, which helm follows, so that there is one of each.
func TestChartBringsRulesAndDashboards(t *testing.T) {
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got dashboards %v, %v", files, err)
	}
	for _, file := range append(files, "../../deploy/prometheus/rules.yml") {
		want, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.Stat(filepath.Join(chart, "files", filepath.Base(file))); err != nil || !os.SameFile(got, want) {
			t.Errorf("the chart has no link to %s: %v", file, err)
		}
	}
}
