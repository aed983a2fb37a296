package settings_test

import (
	"regexp"
	"testing"

	"voicemail-relay/internal/settings"
)

func TestWhatKubernetesInjectsIsIgnored(t *testing.T) {
	load(t, settings.Source{Environ: []string{
		"RELAY_SERVICE_HOST=10.0.0.1", "RELAY_SERVICE_PORT=8088", "RELAY_SERVICE_PORT_HTTP=8088",
		"RELAY_PORT=tcp://10.0.0.1:8088", "RELAY_PORT_8088_TCP=tcp://10.0.0.1:8088", "RELAY_PORT_8088_TCP_PROTO=tcp",
		"RELAY_PORT_8088_TCP_PORT=8088", "RELAY_PORT_8088_TCP_ADDR=10.0.0.1", "RELAY_PORT_53_UDP_ADDR=10.0.0.1", "RELAY_PORT_9_SCTP=x",
		"RELAY_FOO_SERVICE_HOST=10.0.0.2", "RELAY_FOO_SERVICE_PORT_HTTP=80", "RELAY_FOO_PORT=tcp://10.0.0.2:80", "RELAY_FOO_PORT_80_TCP_ADDR=x",
	}})
	for _, name := range []string{"RELAY_SERVICE", "RELAY_PORTS", "RELAY_HOST", "RELAY_PORT_HTTP", "RELAY_SERVICE_PORTS", "RELAY_PORT_80_ICMP", "RELAY_"} {
		if got := refused(t, settings.Source{Environ: []string{name + "=1"}}); len(got) != 1 || got[0].Where != name || got[0].What != "unknown variable" {
			t.Errorf("got %v, want %v to be unknown", got, name)
		}
	}
}

func TestNoSettingLooksLikeWhatKubernetesInjects(t *testing.T) {
	// the contract's words
	injected := regexp.MustCompile(`^RELAY_(.+_)?(SERVICE_(HOST|PORT)(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_.+)?)?)$`)
	for _, p := range settings.Paths() {
		if injected.MatchString(p.Env) {
			t.Errorf("got %v, want a variable that Kubernetes never sets", p.Env)
		}
	}
}
