package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var prometheusBinary = flag.String("prometheus", "", "a prometheus, to ask each of the dashboard's queries")

// TestPanelsShowFigures is the dashboard without Grafana: a Prometheus with the settings and rules of deploy/prometheus scrapes a relay at work,
// and answers each panel's query.
func TestPanelsShowFigures(t *testing.T) {
	if *prometheusBinary == "" {
		t.Skip("needs -prometheus, see .ci/prometheus")
	}
	emulator := begin(t, "emulate", "--addr", "127.0.0.1:0", "--script", "not_yet,ready", "--rate-limit", "0")
	api := "http://" + strings.Fields(emulator.find("on http://"))[0]
	natsURL := "nats://127.0.0.1:" + freePort(t)
	relay := begin(t, "run", "--nats.embedded", "--nats.store_dir", filepath.Join(t.TempDir(), "store"), "--nats.url", natsURL, "--http.addr", "127.0.0.1:0", "--log.format", "json",
		"--smartassist.base_url", api, "--smartassist.app_id", "cs-test", "--smartassist.app_secret", "test", "--smartassist.rate_limit", "3000", "--wait.first", "100ms", "--wait.max", "200ms")
	ops := httpAddr(t, relay)
	awaitReady(t, ops)
	base := startPrometheus(t, strings.TrimPrefix(ops, "http://"))

	var empty []string
	for end, session := time.Now().Add(40*time.Second), 0; time.Now().Before(end); session++ { // calls go on meanwhile
		if out, code := command(t, "publish", "st-1", fmt.Sprintf("s%d", session), "--nats.url", natsURL); code != 0 {
			t.Fatalf("publish: exit %d, %s", code, out)
		}
		empty = empty[:0]
		for _, p := range readDashboard(t).Panels {
			for _, target := range p.Targets {
				if n := ask(t, base, p.Title, target.Expr); n == 0 {
					empty = append(empty, p.Title)
				}
			}
		}
		// No alert fires, and no call of a budget as large as this stands in line for long.
		empty = slices.DeleteFunc(empty, func(title string) bool { return title == "Alerts that fire" || title == "Age of the oldest in line" })
		if len(empty) == 0 {
			return
		}
	}
	t.Errorf("panels that show nothing: %q", empty)
}

// startPrometheus starts one with the settings that the README shows, on a relay's address and scraping more often, and returns its own.
func startPrometheus(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	cfg, err := os.ReadFile("../../deploy/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:8088", target, "scrape_interval: 5s", "scrape_interval: 500ms", "evaluation_interval: 15s", "evaluation_interval: 500ms").Replace(string(cfg))
	if !strings.Contains(text, target) || strings.Count(text, "500ms") != 2 {
		t.Fatalf("the settings are others than this test knows: %s", text)
	}
	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	for name, content := range map[string][]byte{file: []byte(text), filepath.Join(dir, "rules.yml"): rules} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr := "127.0.0.1:" + freePort(t)
	launch(t, nil, *prometheusBinary, "--config.file", file, "--web.listen-address", addr, "--storage.tsdb.path", filepath.Join(dir, "data")).find("Server is ready")
	return "http://" + addr
}

// ask returns how many series a query of the dashboard has at this moment; all of its variables are set to All.
func ask(t *testing.T, base, title, expr string) int {
	t.Helper()
	expr = strings.NewReplacer("$__rate_interval", "10s", "$namespace", ".*", "$job", ".*", "$account", ".*").Replace(expr)
	status, body := get(t, base+"/api/v1/query?query="+url.QueryEscape(expr))
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v: %s", title, status, err, body)
	}
	return len(answer.Data.Result)
}
