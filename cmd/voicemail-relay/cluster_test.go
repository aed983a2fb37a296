package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The three nodes of deploy/nats/cluster, three replicas of every stream: leaders are killed and step down, the quorum is lost and comes back. All
// come by TLS and with what they need, as the files have it.
func testClusterLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	nodes, of := newCluster(t)
	var all []string
	for _, n := range nodes {
		all = append(all, n.url)
	}
	urls := strings.Join(all, ",")
	s := newStormAs(t, urls, client(t, urls, of.options("test")...), client(t, urls, of.options("publisher")...),
		append(of.flags("relay"), "--nats.replicas", "3", "--nats.provision=false")...)
	eventually(t, 30*time.Second, "a leader of the cluster", func(ctx context.Context) error {
		_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: 3})
		return err
	})
	if out, code := command(t, append(of.flags("setup"), "setup", "--nats.url", urls, "--nats.replicas", "3", "--smartassist.app_id", testApp)...); code != 0 {
		t.Fatalf("setup: exit %d, %s", code, out)
	}
	start := time.Now()
	s.relays = []*process{s.relay(), s.relay()}
	killed, lost := 0, 0
	load := func() chan struct{} {
		done := make(chan struct{})
		go func() { s.publish(*stormCalls / *stormRounds); close(done) }()
		<-time.After(200 * time.Millisecond)
		return done
	}
	for round := range *stormRounds {
		stream := []string{"VOICEMAILS", "VOICEMAIL_WORK", "KV_VOICEMAIL_LEDGER", "CALLS"}[round%4]
		done := load()
		switch {
		case round%4 == 1:
			s.stepDown("STREAM.LEADER.STEPDOWN." + stream)
			s.stepDown("CONSUMER.LEADER.STEPDOWN.CALLS.voicemail-relay")
		case round%4 == 3: // two nodes of three are gone for a while
			nodes[0].kill()
			nodes[1].kill()
			<-time.After(3 * time.Second)
			nodes[0].start()
			nodes[1].start()
			killed, lost = killed+2, lost+1
		default:
			n := nodes[s.leader(stream)]
			n.kill()
			killed++
			<-time.After(time.Second)
			n.start()
		}
		<-done
	}
	s.settle(2 * time.Minute)
	for _, p := range s.relays {
		awaitReady(t, httpAddr(t, p))
	}
	t.Logf("%d calls, %d kills of nodes, quorum lost %d times, %d requests, %s", len(s.want), killed, lost, s.api.Requests(), time.Since(start).Round(time.Millisecond))
}

// leader is the number of the node that leads a stream.
func (s *storm) leader(stream string) (n int) {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the leader of "+stream, func(ctx context.Context) error {
		st, err := s.js.Stream(ctx, stream)
		if err != nil {
			return err
		}
		c := st.CachedInfo().Cluster
		if c == nil || c.Leader == "" {
			return errors.New("no leader")
		}
		n, err = strconv.Atoi(strings.TrimPrefix(c.Leader, "n"))
		return err
	})
	return n
}

func (s *storm) stepDown(api string) {
	s.t.Helper()
	eventually(s.t, 30*time.Second, api, func(ctx context.Context) error {
		m, err := s.js.Conn().RequestWithContext(ctx, "$JS.API."+api, nil)
		if err == nil && !strings.Contains(string(m.Data), `"success":true`) {
			err = fmt.Errorf("%s", m.Data)
		}
		return err
	})
}
