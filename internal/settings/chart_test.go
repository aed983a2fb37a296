package settings_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
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
	b, err := os.ReadFile("../../deploy/helm/voicemail-relay/values.schema.json")
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
