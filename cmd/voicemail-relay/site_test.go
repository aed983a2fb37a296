package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// A site is what deploy/nats asks of its surroundings: keys and certificates, by variables.
type site struct {
	t       *testing.T
	env     map[string]string
	keys    map[string]nkeys.KeyPair
	clients *authority
	tls     settingsTLS // of any client
}

// settingsTLS are the files of nats.tls.
type settingsTLS struct{ ca, cert, key string }

// parties are the users of accounts.conf; the test's own is added, and may do everything.
var parties = []string{"publisher", "relay", "subscriber", "operator", "setup", "test"}

const (
	oneServer    = "../../deploy/nats/nats-server.conf"
	threeServers = "../../deploy/nats/cluster/nats-server.conf"
)

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, env: map[string]string{}, keys: map[string]nkeys.KeyPair{}, clients: newAuthority(t)}
	for _, who := range parties {
		kp, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		s.keys[who] = kp
		s.env["NATS_KEY_"+strings.ToUpper(who)] = s.public(who)
	}
	hour := time.Now().Add(time.Hour)
	s.env["NATS_TLS_CERT"], s.env["NATS_TLS_KEY"] = s.clients.issue("server", hour)
	s.env["NATS_TLS_CA"] = s.clients.file
	s.tls.ca = s.clients.file
	s.tls.cert, s.tls.key = s.clients.issue("client", hour)
	return s
}

func (s *site) public(who string) string {
	pub, err := s.keys[who].PublicKey()
	if err != nil {
		s.t.Fatal(err)
	}
	return pub
}

// seed is the file with somebody's key.
func (s *site) seed(who string) string {
	s.t.Helper()
	seed, err := s.keys[who].Seed()
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.clients.dir, who+".nk")
	if err := os.WriteFile(file, append(seed, '\n'), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// flags are how somebody's commands reach the servers.
func (s *site) flags(who string) []string {
	s.t.Helper()
	return []string{"--nats.credentials_file", s.seed(who), "--nats.tls.ca_file", s.tls.ca, "--nats.tls.cert_file", s.tls.cert, "--nats.tls.key_file", s.tls.key}
}

// options are how somebody's client does.
func (s *site) options(who string) []nats.Option {
	return append(s.signs(who), nats.RootCAs(s.tls.ca), nats.ClientCert(s.tls.cert, s.tls.key))
}

// signs is who somebody is.
func (s *site) signs(who string) []nats.Option {
	opts := []nats.Option{nats.Nkey(s.public(who), s.keys[who].Sign)}
	if who == "subscriber" {
		opts = append(opts, nats.CustomInboxPrefix("_INBOX_voicemail_subscriber"))
	}
	return opts
}

// configured reads a file of deploy/nats by the environment, and adds the test's own user to it.
func configured(file string) (*server.Options, error) {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return nil, err
	}
	for _, a := range o.Accounts {
		if a.Name == "VOICEMAIL" {
			o.Nkeys = append(o.Nkeys, &server.NkeyUser{Nkey: os.Getenv("NATS_KEY_TEST"), Account: a})
			o.NoLog, o.NoSigs = true, true
			return o, nil
		}
	}
	return nil, fmt.Errorf("%s has no account VOICEMAIL", file)
}
