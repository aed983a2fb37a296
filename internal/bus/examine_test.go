package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
)

func TestCopiesThatAreAwayAreTold(t *testing.T) {
	peer := func(name string, current, offline bool) *jetstream.PeerInfo {
		return &jetstream.PeerInfo{Name: name, Current: current, Offline: offline}
	}
	for _, row := range []struct {
		name string
		c    *jetstream.ClusterInfo
		want checkup.Grade // "": nothing is told
		says string
	}{
		{"no cluster", nil, "", ""},
		{"all are there", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", true, false), peer("c", true, false)}}, "", ""},
		{"one is offline", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", true, false), peer("c", true, true)}}, checkup.Warn, "copies that are away or behind: c"},
		{"two are behind", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", false, false), peer("c", false, false)}}, checkup.Warn, "copies that are away or behind: b, c"},
		{"no leader", &jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{peer("b", true, false)}}, checkup.Fail, "it has no leader: too few of its nodes are there"},
	} {
		if f, ok := copies("stream X", row.c); ok != (row.want == "") || f.Grade != row.want || f.Found != row.says {
			t.Errorf("%s: %+v", row.name, f)
		}
	}
}

func TestClocksOfServersAreTold(t *testing.T) {
	for _, row := range []struct {
		ahead time.Duration
		want  checkup.Grade
		says  string
	}{
		{-3 * time.Second, checkup.OK, "its clock and this machine's differ by 3s"},
		{time.Minute, checkup.Warn, "its clock is 1m0s ahead of this machine's"},
		{-time.Hour, checkup.Warn, "its clock is 1h0m0s behind this machine's"},
	} {
		if f := skew("x", row.ahead); f.Grade != row.want || f.Found != row.says {
			t.Errorf("%s: %+v", row.ahead, f)
		}
	}
}

func TestDurationsAreSpoken(t *testing.T) {
	for d, want := range map[time.Duration]string{168 * time.Hour: "168h", 90 * time.Minute: "1h30m", 2 * time.Minute: "2m", 10 * time.Second: "10s", 70 * time.Second: "1m10s", time.Hour + 5*time.Second: "1h0m5s", 0: "0s"} {
		if got := spoken(d); got != want {
			t.Errorf("%s is spoken as %s, want %s", d, got, want)
		}
	}
}
