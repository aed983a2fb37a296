package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsServer is the command test-nats-server: a NATS server as a process of its own, which can be killed.
func natsServer() {
	f := flag.NewFlagSet("test-nats-server", flag.ExitOnError)
	dir, port, file := f.String("dir", "", "store"), f.Int("port", 0, "for clients"), f.String("config", "", "a file of deploy/nats, instead")
	_ = f.Parse(os.Args[1:])
	o := &server.Options{ServerName: "n0", Host: "127.0.0.1", Port: *port, JetStream: true, StoreDir: *dir, NoLog: true, NoSigs: true}
	fatal := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	if *file != "" {
		var err error
		o, err = configured(*file)
		fatal(err)
	}
	s, err := server.NewServer(o)
	fatal(err)
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		fmt.Println("error: no connections")
		os.Exit(1)
	}
	fmt.Println("ready")
	s.WaitForShutdown()
}

// A node is such a process, which comes back with its store and its port.
type node struct {
	t    *testing.T
	env  []string
	args []string
	url  string
	p    *process
}

func newNode(t *testing.T) *node {
	t.Helper()
	port := freePort(t)
	n := &node{t: t, url: "nats://127.0.0.1:" + port, args: []string{"-dir", t.TempDir(), "-port", port}}
	n.start()
	return n
}

func (n *node) start() {
	n.t.Helper()
	n.p = launch(n.t, n.env, "test-nats-server", n.args...)
	n.p.find("ready")
}

// kill is kill -9.
func (n *node) kill() {
	_ = n.p.cmd.Process.Kill()
	<-n.p.done
}

// newCluster starts the three nodes of deploy/nats/cluster, on loopback.
func newCluster(t *testing.T) (nodes []*node, of *site) {
	t.Helper()
	of = newSite(t)
	routes := newAuthority(t)
	env := maps.Clone(of.env)
	env["NATS_CLUSTER_TLS_CERT"], env["NATS_CLUSTER_TLS_KEY"] = routes.issue("route", time.Now().Add(time.Hour))
	env["NATS_CLUSTER_TLS_CA"] = routes.file
	var all []string
	ports := []string{freePort(t), freePort(t), freePort(t)}
	for _, p := range ports {
		all = append(all, "nats-route://127.0.0.1:"+p)
	}
	env["NATS_ROUTES"] = "[ " + strings.Join(all, ", ") + " ]"
	for i, p := range ports {
		addr := "127.0.0.1:" + freePort(t)
		n := &node{t: t, url: "nats://" + addr, args: []string{"-config", threeServers}}
		env["NATS_NAME"], env["NATS_LISTEN"], env["NATS_CLUSTER_LISTEN"], env["NATS_STORE_DIR"] = fmt.Sprintf("n%d", i), addr, "127.0.0.1:"+p, t.TempDir()
		for k, v := range env {
			n.env = append(n.env, k+"="+v)
		}
		n.start()
		nodes = append(nodes, n)
	}
	return nodes, of
}

// client connects a test to servers, however often they come and go.
func client(t *testing.T, urls string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true))
	nc, err := nats.Connect(urls, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// eventually tries until it succeeds, at most d.
func eventually(t *testing.T, d time.Duration, what string, try func(context.Context) error) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := try(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: after %s still %v", what, d, err)
		}
		<-time.After(50 * time.Millisecond) // real servers: nothing tells
	}
}
