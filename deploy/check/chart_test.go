package check

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

var (
	helmBinary  = flag.String("helm", "helm", "helm, v3")
	relayBinary = flag.String("relay", "voicemail-relay", "the relay")
)

const (
	chart   = "../helm/voicemail-relay"
	release = "test"
	minimal = chart + "/ci/minimal-values.yaml"
	full    = chart + "/ci/full-values.yaml"
)

// valuesFiles are the sets of values that the chart is rendered with.
func valuesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("got values files %v, %v, want at least three", files, err)
	}
	return files
}

// object is one rendered document.
type object struct {
	kind, name string
	yaml       []byte
}

// helm runs helm; the text is what it printed, errors included.
func helm(args ...string) (string, error) {
	out, err := exec.Command(*helmBinary, args...).CombinedOutput()
	return string(out), err
}

// render is what the chart makes of values; args are further flags for helm.
func render(t *testing.T, values string, args ...string) []object {
	t.Helper()
	cmd := exec.Command(*helmBinary, append([]string{"template", release, chart, "--namespace", "voice", "--kube-version", "1.34.0", "--values", values}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("helm template: %v: %s", err, &errs)
	}
	var objects []object
	for _, doc := range regexp.MustCompile(`(?m)^---\n`).Split(out.String(), -1) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if strings.TrimSpace(doc) == "" {
			continue
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		objects = append(objects, object{kind: head.APIVersion + "/" + head.Kind, name: head.Metadata.Name, yaml: []byte(doc)})
	}
	return objects
}

// find decodes the objects of T's kind.
func find[T any](t *testing.T, objects []object) []T {
	t.Helper()
	var found []T
	for _, o := range objects {
		if v, ok := decode(t, o).(*T); ok {
			found = append(found, *v)
		}
	}
	return found
}

// one decodes the object of T's kind that has to be there once.
func one[T any](t *testing.T, objects []object) T {
	t.Helper()
	found := find[T](t, objects)
	if len(found) != 1 {
		t.Fatalf("got %d of %T, want one", len(found), *new(T))
	}
	return found[0]
}

func TestLint(t *testing.T) {
	for _, values := range append(valuesFiles(t), chart+"/values.yaml") {
		if out, err := helm("lint", "--strict", chart, "--values", values); err != nil {
			t.Errorf("helm lint --strict --values %s: %v: %s", values, err, out)
		}
	}
}

// TestSettingsFile has the relay itself read the settings that the chart writes.
func TestSettingsFile(t *testing.T) {
	for _, values := range valuesFiles(t) {
		file := filepath.Join(t.TempDir(), "relay.yaml")
		if err := os.WriteFile(file, []byte(settingsOf(t, render(t, values))), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(*relayBinary, "config", "--config", file)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: the relay refuses its settings: %v: %s", values, err, out)
		}
		if !regexp.MustCompile(`(?m)^http\.addr +:8088 `).Match(out) {
			t.Errorf("%s: got\n%s\nwant http.addr :8088, which probes and metrics are asked at", values, out)
		}
	}
}

// TestRefused shows that values are refused that the chart does not know, or that would have a pod fail only later.
func TestRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		values string
		set    []string
		want   string
	}{
		{"nothing set", chart + "/values.yaml", nil, "config.smartassist.app_id is required"},
		{"no secret", minimal, []string{"secret.existingSecret="}, "secret.existingSecret is required"},
		{"secret without the key", full, []string{"secret.appSecretKey=other"}, "secret.data has no other"},
		{"unknown value", minimal, []string{"replicaCount=3"}, "replicaCount"},
		{"unknown setting", minimal, []string{"config.wait.frist=1s"}, "frist"},
		{"unknown value of a part", minimal, []string{"networkPolicy.enable=true"}, "enable"},
		{"secret among the settings", minimal, []string{"config.smartassist.app_secret=made-up"}, "app_secret"},
		{"account's secret among the settings", full, []string{"config.accounts[0].app_secret=made-up"}, "app_secret"},
		{"password in a URL", minimal, []string{"config.nats.url=nats://user:made-up@nats:4222"}, "/config/nats/url"},
		{"no duration", minimal, []string{"config.wait.first=15"}, "/config/wait/first"},
		{"listening elsewhere", minimal, []string{"config.http.addr=:9000"}, "http"},
		{"embedded server", minimal, []string{"config.nats.embedded=true"}, "embedded"},
		{"grace that the pod is not given", minimal, []string{"config.shutdown_grace=1m"}, "shutdown_grace"},
		{"digest that is none", minimal, []string{"image.digest=latest"}, "/image/digest"},
		{"old cluster", minimal, []string{"--kube-version=1.26.0"}, "kubeVersion"},
	} {
		args := []string{"template", release, chart, "--kube-version", "1.34.0", "--values", row.values}
		for _, s := range row.set {
			if !strings.HasPrefix(s, "--") {
				s = "--set=" + s
			}
			args = append(args, s)
		}
		out, err := helm(args...)
		if err == nil || !strings.Contains(out, row.want) {
			t.Errorf("%s: got %v: %s, want a refusal that names %q", row.name, err, out, row.want)
		}
	}
}

// TestRestarts: new settings replace the pods, a new secret does not: the relay reads it by itself.
func TestRestarts(t *testing.T) {
	template := func(args ...string) string {
		out, err := yaml.Marshal(deployment(t, render(t, full, args...)).Spec.Template)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := template()
	if template("--set", "config.wait.first=20s") == before {
		t.Error("pods stay as they are when settings change")
	}
	if template("--set", "secret.data.app-secret=another") != before {
		t.Error("pods are replaced when a secret changes")
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestReadmesInstall renders the chart with the flags that the README shows, and looks for the secret that it has made before.
func TestReadmesInstall(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(readme), "\\\n", " ")
	install := regexp.MustCompile(`(?m)^helm install voicemail-relay deploy/helm/voicemail-relay (.*)$`).FindStringSubmatch(text)
	secret := regexp.MustCompile(`(?m)^kubectl create secret generic (\S+) --from-file=(\S+)=FILE$`).FindStringSubmatch(text)
	if install == nil || secret == nil {
		t.Fatal("the README shows no helm install with a secret made before")
	}
	objects := render(t, chart+"/values.yaml", strings.Fields(install[1])...)
	for _, o := range objects {
		decode(t, o)
	}
	d := one[appsv1.Deployment](t, objects)
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName == secret[1] {
			return
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.Secret != nil && s.Secret.Name == secret[1] {
					return
				}
			}
		}
	}
	t.Errorf("the pod mounts no secret %s: %+v", secret[1], d.Spec.Template.Spec.Volumes)
}
