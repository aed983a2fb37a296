package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
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
	dir, name := f.String("dir", "", "store"), f.String("name", "n0", "server's name")
	port, clusterPort, routes := f.Int("port", 0, "for clients"), f.Int("cluster_port", 0, "for routes; 0: no cluster"), f.String("routes", "", "ports of all nodes, separated by commas")
	_ = f.Parse(os.Args[1:])
	o := &server.Options{ServerName: *name, Host: "127.0.0.1", Port: *port, JetStream: true, StoreDir: *dir, NoLog: true, NoSigs: true}
	if *clusterPort > 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: *clusterPort}
		for p := range strings.SplitSeq(*routes, ",") {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: "127.0.0.1:" + p})
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
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
	args []string
	url  string
	p    *process
}

func newNode(t *testing.T, args ...string) *node {
	t.Helper()
	port := freePort(t)
	n := &node{t: t, url: "nats://127.0.0.1:" + port, args: append([]string{"-dir", t.TempDir(), "-port", port}, args...)}
	n.start()
	return n
}

func (n *node) start() {
	n.t.Helper()
	n.p = launch(n.t, "test-nats-server", n.args...)
	n.p.find("ready")
}

// kill is kill -9.
func (n *node) kill() {
	_ = n.p.cmd.Process.Kill()
	<-n.p.done
}

// newCluster starts three nodes that know one another.
func newCluster(t *testing.T) (nodes []*node, urls string) {
	t.Helper()
	ports := []string{freePort(t), freePort(t), freePort(t)}
	var all []string
	for i, p := range ports {
		n := newNode(t, "-name", fmt.Sprintf("n%d", i), "-cluster_port", p, "-routes", strings.Join(ports, ","))
		nodes, all = append(nodes, n), append(all, n.url)
	}
	return nodes, strings.Join(all, ",")
}

// client connects a test to servers, however often they come and go.
func client(t *testing.T, urls string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(urls, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true))
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
