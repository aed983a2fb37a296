package check

import (
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

func deployment(t *testing.T, objects []object) appsv1.Deployment {
	t.Helper()
	return one[appsv1.Deployment](t, objects)
}

// settingsOf is the relay's settings file in what was rendered.
func settingsOf(t *testing.T, objects []object) string {
	t.Helper()
	for _, m := range find[corev1.ConfigMap](t, objects) {
		if s, ok := m.Data["relay.yaml"]; ok {
			return s
		}
	}
	t.Fatal("no ConfigMap holds relay.yaml")
	return ""
}

func each(t *testing.T, test func(*testing.T, []object)) {
	for _, values := range valuesFiles(t) {
		t.Run(filepath.Base(values), func(t *testing.T) { test(t, render(t, values)) })
	}
}

// TestPodsAreConfined holds pods to the restricted profile of the Pod Security Standards, and to a root that cannot be written.
func TestPodsAreConfined(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		pod := deployment(t, objects).Spec.Template.Spec
		s := pod.SecurityContext
		switch {
		case s == nil, s.RunAsNonRoot == nil || !*s.RunAsNonRoot, s.RunAsUser == nil || *s.RunAsUser != 65532, s.RunAsGroup == nil || *s.RunAsGroup != 65532,
			s.FSGroup == nil || *s.FSGroup != 65532, s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
			t.Errorf("got security context %v, want user, group and fsGroup 65532, non-root, seccomp RuntimeDefault", s)
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Error("the pod shares a namespace of the host")
		}
		for _, v := range pod.Volumes {
			if v.HostPath != nil {
				t.Errorf("volume %s is a folder of the host", v.Name)
			}
		}
		containers := append(slices.Clone(pod.InitContainers), pod.Containers...)
		if len(containers) != 1 {
			t.Errorf("got %d containers, want one", len(containers))
		}
		for _, c := range containers {
			s := c.SecurityContext
			switch {
			case s == nil, s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem,
				s.RunAsNonRoot == nil || !*s.RunAsNonRoot, s.Privileged != nil && *s.Privileged,
				s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
				t.Errorf("container %s: got security context %v, want non-root, no escalation, root read-only, all capabilities dropped", c.Name, s)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("container %s: got resources %v, want requests, and a limit of memory", c.Name, c.Resources)
			}
		}
	})
}

func TestNoTokenOfTheClusterIsMounted(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		pod := deployment(t, objects).Spec.Template.Spec
		if a := pod.AutomountServiceAccountToken; a == nil || *a {
			t.Error("the pod mounts a token")
		}
		accounts := find[corev1.ServiceAccount](t, objects)
		for _, a := range accounts {
			if a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
				t.Errorf("service account %s mounts a token", a.Name)
			}
			if pod.ServiceAccountName != a.Name {
				t.Errorf("got service account %s, want %s", pod.ServiceAccountName, a.Name)
			}
		}
		if len(accounts) == 0 && pod.ServiceAccountName != "default" {
			t.Errorf("got service account %s, which the chart does not make", pod.ServiceAccountName)
		}
		if l := pod.EnableServiceLinks; l == nil || *l {
			t.Error("the pod gets variables of Services")
		}
	})
}

func TestProbesAskWhatTheRelayServes(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		c := deployment(t, objects).Spec.Template.Spec.Containers[0]
		for _, p := range []struct {
			name, path string
			probe      *corev1.Probe
		}{{"liveness", "/livez", c.LivenessProbe}, {"readiness", "/readyz", c.ReadinessProbe}} {
			if p.probe == nil || p.probe.HTTPGet == nil || p.probe.HTTPGet.Path != p.path {
				t.Errorf("got %s probe %v, want one at %s", p.name, p.probe, p.path)
				continue
			}
			if port(c, p.probe.HTTPGet.Port.StrVal) != 8088 {
				t.Errorf("%s is asked at port %s, which is not 8088", p.path, p.probe.HTTPGet.Port.String())
			}
		}
		service := one[corev1.Service](t, objects)
		if got := port(c, service.Spec.Ports[0].TargetPort.StrVal); got != 8088 {
			t.Errorf("the Service leads to port %d, want 8088", got)
		}
	})
}

func port(c corev1.Container, name string) int32 {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// TestShutdownFits: a pod is killed no sooner than the relay has handed back what it holds.
func TestShutdownFits(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		var s struct {
			Grace string `json:"shutdown_grace"`
		}
		if err := yaml.Unmarshal([]byte(settingsOf(t, objects)), &s); err != nil {
			t.Fatal(err)
		}
		grace, err := time.ParseDuration(s.Grace)
		if err != nil {
			t.Fatal(err)
		}
		pod := deployment(t, objects).Spec.Template.Spec
		if got := pod.TerminationGracePeriodSeconds; got == nil || time.Duration(*got)*time.Second < grace+5*time.Second {
			t.Errorf("got %v s until the pod is killed, want shutdown_grace (%v) and 5 s", got, grace)
		}
	})
}

func TestSelectorsFindThePods(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		d := deployment(t, objects)
		pod := labels.Set(d.Spec.Template.Labels)
		selects := func(what string, s *metav1.LabelSelector) {
			selector, err := metav1.LabelSelectorAsSelector(s)
			if err != nil || selector.Empty() || !selector.Matches(pod) {
				t.Errorf("%s: %v does not select the pods (%v), %v", what, s, pod, err)
			}
		}
		selects("Deployment", d.Spec.Selector)
		for _, p := range find[policyv1.PodDisruptionBudget](t, objects) {
			selects("PodDisruptionBudget", p.Spec.Selector)
		}
		for _, p := range find[networkingv1.NetworkPolicy](t, objects) {
			selects("NetworkPolicy", &p.Spec.PodSelector)
		}
		for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
			selects("topology spread", c.LabelSelector)
		}
		service := one[corev1.Service](t, objects)
		if s := labels.SelectorFromSet(service.Spec.Selector); s.Empty() || !s.Matches(pod) {
			t.Errorf("Service: %v does not select the pods", s)
		}
		for _, m := range find[monitoringv1.ServiceMonitor](t, objects) {
			s, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
			if err != nil || s.Empty() || !s.Matches(labels.Set(service.Labels)) {
				t.Errorf("ServiceMonitor: %v does not select the Service (%v), %v", s, service.Labels, err)
			}
			if e := m.Spec.Endpoints[0]; e.Port != service.Spec.Ports[0].Name || e.Path != "/metrics" {
				t.Errorf("got endpoint %s%s, want /metrics at the Service's port", e.Port, e.Path)
			}
		}
		scaled := find[scaledObject](t, objects)
		if (d.Spec.Replicas == nil) != (len(scaled) == 1) {
			t.Errorf("got replicas %v and %d ScaledObjects, want either", d.Spec.Replicas, len(scaled))
		}
		for _, s := range scaled {
			if s.Spec.ScaleTargetRef.Name != d.Name {
				t.Errorf("got scale target %s, want %s", s.Spec.ScaleTargetRef.Name, d.Name)
			}
		}
	})
}

// TestSecretsStayInSecrets: in none of what is rendered but a Secret, nor as a literal in the environment.
func TestSecretsStayInSecrets(t *testing.T) {
	var given struct {
		Secret struct {
			Data map[string]string `json:"data"`
		} `json:"secret"`
	}
	objects := render(t, full)
	if err := yaml.Unmarshal(read(t, full), &given); err != nil || len(given.Secret.Data) != 2 {
		t.Fatalf("got secrets %d, %v, want two in %s", len(given.Secret.Data), err, full)
	}
	kept := one[corev1.Secret](t, objects)
	for key, value := range given.Secret.Data {
		if string(kept.Data[key]) != value {
			t.Errorf("the Secret does not hold %s", key)
		}
		for _, o := range objects {
			if o.kind != "v1/Secret" && strings.Contains(string(o.yaml), value) {
				t.Errorf("%s %s holds the secret %s", o.kind, o.name, key)
			}
		}
	}
	private := regexp.MustCompile(`SECRET|PASSWORD|TOKEN|CREDENTIALS|_URL$`)
	each(t, func(t *testing.T, objects []object) {
		for _, e := range deployment(t, objects).Spec.Template.Spec.Containers[0].Env {
			if e.Value != "" && private.MatchString(e.Name) && !strings.HasSuffix(e.Name, "_FILE") {
				t.Errorf("%s is a literal in the pod", e.Name)
			}
		}
	})
}

// TestFilesAreMounted: every file that the settings name lies in a volume that is there, and the chart's own volumes refer to what it makes.
func TestFilesAreMounted(t *testing.T) {
	each(t, func(t *testing.T, objects []object) {
		pod := deployment(t, objects).Spec.Template.Spec
		c := pod.Containers[0]
		volumes, mounts := map[string]corev1.Volume{}, map[string]string{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
		}
		for _, m := range c.VolumeMounts {
			if _, ok := volumes[m.Name]; !ok || m.SubPath != "" {
				t.Errorf("mount %v: no such volume, or only a part of it, which is not renewed", m)
			}
			mounts[m.MountPath] = m.Name
		}
		var settings any
		if err := yaml.Unmarshal([]byte(settingsOf(t, objects)), &settings); err != nil {
			t.Fatal(err)
		}
		files := append(named(settings), c.Args[slices.Index(c.Args, "--config")+1])
		if len(files) < 2 {
			t.Errorf("got files %v, want the settings and a secret at least", files)
		}
		secrets := find[corev1.Secret](t, objects)
		for _, f := range files {
			v, ok := volumes[mounts[path.Dir(f)]]
			if !ok {
				t.Errorf("%s lies in no volume", f)
				continue
			}
			if v.Secret != nil && len(secrets) == 1 && v.Secret.SecretName == secrets[0].Name && secrets[0].Data[path.Base(f)] == nil {
				t.Errorf("the Secret %s has no %s", secrets[0].Name, path.Base(f))
			}
			if v.ConfigMap != nil && v.ConfigMap.Name != one[corev1.Service](t, objects).Name {
				t.Errorf("got ConfigMap %s, which the chart does not make", v.ConfigMap.Name)
			}
		}
	})
}

// named lists the values of settings that name files.
func named(settings any) []string {
	var files []string
	switch s := settings.(type) {
	case map[string]any:
		for k, v := range s {
			if f, ok := v.(string); ok && strings.HasSuffix(k, "_file") {
				files = append(files, f)
			}
			files = append(files, named(v)...)
		}
	case []any:
		for _, v := range s {
			files = append(files, named(v)...)
		}
	}
	return files
}

// TestPolicyLetsTheRelayWork: DNS, and every port that the settings name.
func TestPolicyLetsTheRelayWork(t *testing.T) {
	for _, row := range []struct {
		values string
		want   []string
	}{
		{minimal, []string{"53/UDP", "53/TCP", "4222/TCP", "443/TCP"}},
		{full, []string{"53/UDP", "53/TCP", "4222/TCP", "5222/TCP", "443/TCP", "8443/TCP", "4318/TCP"}},
	} {
		p := one[networkingv1.NetworkPolicy](t, render(t, row.values))
		var got []string
		for _, e := range p.Spec.Egress {
			for _, port := range e.Ports {
				got = append(got, port.Port.String()+"/"+string(*port.Protocol))
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got egress %v, want %v", row.values, got, row.want)
		}
		if in := p.Spec.Ingress; len(in) != 1 || len(in[0].Ports) != 1 || in[0].Ports[0].Port.StrVal != "http" {
			t.Errorf("%s: got ingress %v, want the ops port alone", row.values, in)
		}
		if !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
			t.Errorf("%s: got policy types %v, want both", row.values, p.Spec.PolicyTypes)
		}
	}
}

// TestRulesAndDashboards: what the chart brings are the files of deploy/prometheus and deploy/grafana, all of them.
func TestRulesAndDashboards(t *testing.T) {
	objects := render(t, full)
	var want []monitoringv1.RuleGroup
	for _, file := range glob(t, "../prometheus/*.y*ml") {
		var rules monitoringv1.PrometheusRuleSpec
		if yaml.UnmarshalStrict(read(t, file), &rules) == nil { // tests of rules and settings of Prometheus have other fields
			want = append(want, rules.Groups...)
		}
	}
	got := one[monitoringv1.PrometheusRule](t, objects).Spec.Groups
	slices.SortFunc(want, byName)
	slices.SortFunc(got, byName)
	if len(want) == 0 || text(t, got) != text(t, want) {
		t.Errorf("got rules\n%s\nwant\n%s", text(t, got), text(t, want))
	}
	boards := 0
	for _, m := range find[corev1.ConfigMap](t, objects) {
		if m.Labels["grafana_dashboard"] == "" {
			continue
		}
		for _, file := range glob(t, "../grafana/*.json") {
			boards++
			if m.Data[filepath.Base(file)] != string(read(t, file)) {
				t.Errorf("%s is not in the ConfigMap as it is", file)
			}
		}
		if len(m.Data) != boards {
			t.Errorf("got %d dashboards, want %d", len(m.Data), boards)
		}
	}
	if boards == 0 {
		t.Error("no dashboard is rendered")
	}
}

func byName(a, b monitoringv1.RuleGroup) int { return strings.Compare(a.Name, b.Name) }

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
