package check

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose reads the compose file as docker compose does, which refuses what it does not know.
func compose(t *testing.T) *types.Project {
	t.Helper()
	file, err := filepath.Abs("../docker/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: filepath.Dir(file), ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: map[string]string{},
	}, loader.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeConfines(t *testing.T) {
	p := compose(t)
	for _, name := range []string{"relay", "emulator"} {
		s, err := p.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s: got read_only %v, cap_drop %v, security_opt %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
	}
	for name, s := range p.Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the network", name, port.Published)
			}
		}
	}
}

// TestComposeFits: the relay takes the settings, finds NATS, the emulator and the secret where they are, and is given the time to stop.
func TestComposeFits(t *testing.T) {
	p := compose(t)
	relay, err := p.GetService("relay")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(*relayBinary, "config")
	cmd.Env = []string{}
	for k, v := range relay.Environment {
		cmd.Env = append(cmd.Env, k+"="+*v)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the relay refuses its settings: %v: %s", err, out)
	}
	if got := *relay.Environment["RELAY_NATS_URL"]; p.Services["nats"].Name == "" || got != "nats://nats:4222" {
		t.Errorf("got NATS at %s, want it at the service's name", got)
	}
	if got := time.Duration(*relay.StopGracePeriod); got < 15*time.Second {
		t.Errorf("got stop_grace_period %v, want shutdown_grace (10s) and 5s", got)
	}
	emulator, err := p.GetService("emulator")
	if err != nil {
		t.Fatal(err)
	}
	if emulator.NetworkMode != "service:relay" || *relay.Environment["RELAY_SMARTASSIST_BASE_URL"] != "http://127.0.0.1:8099" {
		t.Errorf("got network mode %s and API at %s, want the emulator's loopback", emulator.NetworkMode, *relay.Environment["RELAY_SMARTASSIST_BASE_URL"])
	}
	secret := *relay.Environment["RELAY_SMARTASSIST_APP_SECRET_FILE"]
	if len(relay.Secrets) != 1 || secret != "/run/secrets/"+relay.Secrets[0].Source {
		t.Errorf("got secrets %v, want the one at %s", relay.Secrets, secret)
	}
	if got := strings.TrimSpace(string(read(t, p.Secrets[relay.Secrets[0].Source].File))); got != "test" {
		t.Error("the secret is not the one that emulate takes unless it is told another")
	}
	if emulator.Image != relay.Image || relay.Build == nil {
		t.Errorf("got images %s and %s, want one that is built", emulator.Image, relay.Image)
	}
	for _, f := range []string{filepath.Join(relay.Build.Context, relay.Build.Dockerfile), filepath.Join(relay.Build.Context, "go.mod")} {
		read(t, f)
	}
}
