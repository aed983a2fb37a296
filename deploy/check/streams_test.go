package check

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestStreamsAreWhatTheRelayWants makes the streams and buckets of the chart's NACK resources on a server, and has the relay's setup look at
// them: it finds nothing to create or change but its durables.
func TestStreamsAreWhatTheRelayWants(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	objects := render(t, full, "--set", "config.nats.replicas=1") // one server is all there is
	for _, r := range find[stream](t, objects) {
		retention := map[string]jetstream.RetentionPolicy{"limits": jetstream.LimitsPolicy, "workqueue": jetstream.WorkQueuePolicy}
		storage := map[string]jetstream.StorageType{"file": jetstream.FileStorage, "memory": jetstream.MemoryStorage}
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: r.Spec.Name, Description: r.Spec.Description, Subjects: r.Spec.Subjects, Retention: retention[r.Spec.Retention], Storage: storage[r.Spec.Storage],
			MaxAge: duration(t, r.Spec.MaxAge), Duplicates: duration(t, r.Spec.DuplicateWindow), Replicas: r.Spec.Replicas,
			AllowDirect: r.Spec.AllowDirect, AllowMsgTTL: r.Spec.AllowMsgTTL, AllowMsgSchedules: r.Spec.AllowMsgSchedules,
		}); err != nil {
			t.Fatalf("stream %s: %v", r.Spec.Name, err)
		}
	}
	for _, r := range find[keyValue](t, objects) {
		if _, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: r.Spec.Bucket, Description: r.Spec.Description, TTL: duration(t, r.Spec.TTL), Replicas: r.Spec.Replicas}); err != nil {
			t.Fatalf("bucket %s: %v", r.Spec.Bucket, err)
		}
	}
	// No secrets, credentials and certificates here: those settings are left out.
	var settings []string
	for _, line := range strings.Split(settingsOf(t, objects), "\n") {
		if !strings.Contains(line, "_file: ") && strings.TrimSpace(line) != "tls:" {
			settings = append(settings, line)
		}
	}
	file := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(settings, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, *relayBinary, "setup", "--config", file, "--nats.url", s.ClientURL())
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("setup: %v: %s", err, out)
	}
	durables := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		switch {
		case strings.HasPrefix(line, "durable "):
			durables++
		case strings.HasPrefix(line, "stream "), strings.HasPrefix(line, "bucket "):
			t.Errorf("setup had to mend what the chart made: %s", line)
		}
	}
	if durables == 0 {
		t.Errorf("got %s, want durables made", out)
	}
	for _, so := range find[scaledObject](t, objects) {
		m := so.Spec.Triggers[0].Metadata
		if _, err := js.Consumer(ctx, m["stream"], m["consumer"]); err != nil {
			t.Errorf("KEDA asks for consumer %s of stream %s: %v", m["consumer"], m["stream"], err)
		}
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
