package check

import (
	"path/filepath"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are all that the chart may render, as types that know each field.
var kinds = map[string]func() any{
	"v1/ConfigMap":                            func() any { return new(corev1.ConfigMap) },
	"v1/Secret":                               func() any { return new(corev1.Secret) },
	"v1/Service":                              func() any { return new(corev1.Service) },
	"v1/ServiceAccount":                       func() any { return new(corev1.ServiceAccount) },
	"apps/v1/Deployment":                      func() any { return new(appsv1.Deployment) },
	"policy/v1/PodDisruptionBudget":           func() any { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1/NetworkPolicy":      func() any { return new(networkingv1.NetworkPolicy) },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return new(monitoringv1.ServiceMonitor) },
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return new(monitoringv1.PrometheusRule) },
	"keda.sh/v1alpha1/ScaledObject":           func() any { return new(scaledObject) },
	"jetstream.nats.io/v1beta2/Stream":        func() any { return new(stream) },
	"jetstream.nats.io/v1beta2/KeyValue":      func() any { return new(keyValue) },
}

// scaledObject is as much of KEDA's as the chart uses; its module brings every cloud's client.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int32 `json:"minReplicaCount"`
		MaxReplicaCount int32 `json:"maxReplicaCount"`
		PollingInterval int32 `json:"pollingInterval"`
		CooldownPeriod  int32 `json:"cooldownPeriod"`
		Triggers        []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"` // KEDA takes strings alone
		} `json:"triggers"`
	} `json:"spec"`
}

// stream and keyValue are as much of NACK's resources as the chart uses.
type stream struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Account           string   `json:"account"`
		PreventDelete     bool     `json:"preventDelete"`
		Name              string   `json:"name"`
		Description       string   `json:"description"`
		Subjects          []string `json:"subjects"`
		Retention         string   `json:"retention"`
		Storage           string   `json:"storage"`
		MaxAge            string   `json:"maxAge"`
		DuplicateWindow   string   `json:"duplicateWindow"`
		Replicas          int      `json:"replicas"`
		AllowDirect       bool     `json:"allowDirect"`
		AllowMsgTTL       bool     `json:"allowMsgTtl"`
		AllowMsgSchedules bool     `json:"allowMsgSchedules"`
	} `json:"spec"`
}

type keyValue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Account       string `json:"account"`
		PreventDelete bool   `json:"preventDelete"`
		Bucket        string `json:"bucket"`
		Description   string `json:"description"`
		Storage       string `json:"storage"`
		TTL           string `json:"ttl"`
		Replicas      int    `json:"replicas"`
	} `json:"spec"`
}

// decode decodes strictly: a field that its kind does not have is an error.
func decode(t *testing.T, o object) any {
	t.Helper()
	make, ok := kinds[o.kind]
	if !ok {
		t.Fatalf("%s %s: a kind that the checks do not know", o.kind, o.name)
	}
	v := make()
	if err := yaml.UnmarshalStrict(o.yaml, v); err != nil {
		t.Fatalf("%s %s: %v", o.kind, o.name, err)
	}
	return v
}

func TestTemplatesDecode(t *testing.T) {
	for _, values := range valuesFiles(t) {
		t.Run(filepath.Base(values), func(t *testing.T) {
			names := map[string]bool{}
			for _, o := range render(t, values) {
				m := decode(t, o).(metav1.Object)
				if names[o.kind+o.name] {
					t.Errorf("%s %s is there twice", o.kind, o.name)
				}
				names[o.kind+o.name] = true
				for _, label := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
					if m.GetLabels()[label] == "" {
						t.Errorf("%s %s has no label %s", o.kind, o.name, label)
					}
				}
			}
		})
	}
}

// TestEachKindIsRendered: with everything on, everything is there, so that no template is left unchecked.
func TestEachKindIsRendered(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range render(t, full) {
		seen[o.kind] = true
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("no %s with %s", kind, full)
		}
	}
}
