package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// listening starts a server on loopback, in this process.
func listening(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s
}

// at is a server's URL.
func at(s *server.Server) string { return "nats://" + s.Addr().String() }

// open is deploy/nats/nats-server.conf on loopback.
func (s *site) open() *server.Server {
	s.t.Helper()
	for k, v := range s.env {
		s.t.Setenv(k, v)
	}
	s.t.Setenv("NATS_LISTEN", "127.0.0.1:4222")
	s.t.Setenv("NATS_STORE_DIR", s.t.TempDir())
	o, err := configured(oneServer)
	if err != nil {
		s.t.Fatal(err)
	}
	return listening(s.t, o)
}

// relay is how the relay of a site reaches a server.
func (s *site) relay(url string) bus.Dialing {
	s.t.Helper()
	return bus.Dialing{URL: url, CredentialsFile: s.seed("relay"), CAFile: s.tls.ca, CertFile: s.tls.cert, KeyFile: s.tls.key, Inbox: bus.Inbox, Name: "test", Log: zap.NewNop()}
}

// What keeps a relay out is told with the setting to mend, and what to do.
func TestWhoIsKeptOutIsToldWhy(t *testing.T) {
	s := newSite(t)
	guarded := at(s.open())
	stranger := newAuthority(t)
	hour := time.Now().Add(time.Hour)
	with := func(cert *tls.Config) string {
		return at(listening(t, &server.Options{TLSConfig: cert, TLSTimeout: 5}))
	}
	served := func(a *authority, name string, until time.Time) string {
		crt, key := a.issue(name, until)
		pair, err := tls.LoadX509KeyPair(crt, key)
		if err != nil {
			t.Fatal(err)
		}
		return with(&tls.Config{Certificates: []tls.Certificate{pair}})
	}
	plain := at(listening(t, &server.Options{}))
	rows := []struct {
		name, url string
		change    func(*bus.Dialing)
		want      string // "": it is let in
	}{
		{"all is right", guarded, nil, ""},
		{"another authority's certificate", guarded, func(d *bus.Dialing) { d.CAFile = stranger.file }, "not trusted: set nats.tls.ca_file"},
		{"no authority", guarded, func(d *bus.Dialing) { d.CAFile = "" }, "not trusted: set nats.tls.ca_file"},
		{"no client certificate", guarded, func(d *bus.Dialing) { d.CertFile, d.KeyFile = "", "" }, "set nats.tls.cert_file and nats.tls.key_file"},
		{"an expired one", guarded, func(d *bus.Dialing) { d.CertFile, d.KeyFile = s.clients.issue("old", time.Now().Add(-time.Minute)) }, "the client certificate has expired: renew nats.tls.cert_file"},
		{"one of another authority", guarded, func(d *bus.Dialing) { d.CertFile, d.KeyFile = stranger.issue("strange", hour) }, "set nats.tls.cert_file and nats.tls.key_file to one that the server's ca_file has signed"},
		{"a key that the server does not know", guarded, func(d *bus.Dialing) { d.CredentialsFile = newSite(t).seed("relay") }, "refuses the credentials: check nats.credentials_file"},
		{"no key", guarded, func(d *bus.Dialing) { d.CredentialsFile = "" }, "refuses the credentials: check nats.credentials_file"},
		{"a file without a key", guarded, func(d *bus.Dialing) { d.CredentialsFile = s.tls.cert }, "put a user's credentials (.creds) or the seed of its nkey (SU…) into nats.credentials_file"},
		{"a server without TLS", plain, func(d *bus.Dialing) { d.CredentialsFile = "" }, "does not speak it: write nats:// in nats.url and leave nats.tls out"},
		{"a server without keys", plain, func(d *bus.Dialing) { d.CAFile, d.CertFile, d.KeyFile = "", "", "" }, "leave nats.credentials_file out"},
		{"a server whose certificate has expired", served(s.clients, "expired", time.Now().Add(-time.Minute)), func(d *bus.Dialing) { d.CredentialsFile = "" }, "server's certificate has expired or is not valid yet"},
		{"a server of another name", strings.Replace(served(s.clients, "nameless", hour), "127.0.0.1", "localhost.localdomain", 1), func(d *bus.Dialing) {
			d.CredentialsFile = ""
			d.Options = []nats.Option{nats.SetCustomDialer(loopback{})}
		}, "is for another host: write the host in nats.url as the certificate has it"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			d := s.relay(r.url)
			if r.change != nil {
				r.change(&d)
			}
			nc, err := bus.Dial(d)
			if err == nil {
				nc.Close()
			}
			switch {
			case r.want == "" && err != nil:
				t.Errorf("it is kept out: %v", err)
			case r.want != "" && (err == nil || !strings.Contains(err.Error(), r.want)):
				t.Errorf("it is told %v, want %q", err, r.want)
			}
		})
	}
}

// A server that refuses a certificate may hang up without a word.
func TestExpiredCertificateIsSeenWithoutTheServersWord(t *testing.T) {
	a := newAuthority(t)
	for until, want := range map[time.Duration]string{-time.Minute: "the client certificate has expired: renew nats.tls.cert_file", time.Hour: "set nats.tls.cert_file and nats.tls.key_file to one that"} {
		d := bus.Dialing{}
		d.CertFile, d.KeyFile = a.issue("client", time.Now().Add(until))
		if err := d.Refused(fmt.Errorf("%w: EOF", nats.ErrTLS)); !errors.Is(err, nats.ErrTLS) || !strings.Contains(err.Error(), want) {
			t.Errorf("with a certificate of %s it is told %v, want %q", until, err, want)
		}
	}
}

// A relay that loses its key's place finds its way back by itself when the file holds the new one, and says meanwhile what is wrong.
func TestRotatedKeyNeedsNoRestart(t *testing.T) {
	s := newSite(t)
	guarded := s.open()
	d := s.relay(at(guarded))
	d.Wait = true
	nc := dialed(t, d)
	s.keys["relay"], _ = nkeys.CreateUser()
	t.Setenv("NATS_KEY_RELAY", s.public("relay"))
	o, err := configured(oneServer)
	if err != nil {
		t.Fatal(err)
	}
	o.Host = "127.0.0.1"
	o.Port = server.RANDOM_PORT
	out := nc.StatusChanged(nats.RECONNECTING)
	if err := guarded.ReloadOptions(o); err != nil {
		t.Fatal(err)
	}
	<-out
	keptOut(t, nc, d, "refuses the credentials: check nats.credentials_file")
	back := nc.StatusChanged(nats.CONNECTED)
	s.seed("relay") // the same file
	awaitStatus(t, nc, back)
}

// Each command works under the user that it is for, over TLS.
func TestCommandsUnderTheirUsers(t *testing.T) {
	s := newSite(t)
	url := at(s.open())
	api := httptest.NewServer(emu.New(emu.Config{AppID: testApp, Secret: testSecret}))
	defer api.Close()
	for _, row := range []struct {
		who, args, out, err string
		code                int
	}{
		{"setup", "setup", "stream VOICEMAILS created", "", exitDone},
		{"publisher", "publish st-1 s1", "published on call.ended: stream CALLS, sequence 1", "", exitDone},
		{"relay", "doctor --no-request --nats.provision=false --smartassist.base_url " + api.URL + " --smartassist.app_secret " + testSecret, " 0 fail", "", exitDone},
		{"operator", "failed list", "", "no letters", exitDone},
		{"operator", "explain st-1 s1", "", "among the calls in stream CALLS", exitFailed},
		{"operator", "publish st-1 s1 --again", "sequence 2", "", exitDone},
		{"setup", "setup", "nothing to change", "", exitDone},
	} {
		args := append(strings.Fields(row.args), append(s.flags(row.who), "--nats.url", url, "--smartassist.app_id", testApp)...)
		out, errs, code := called(t, "", nil, args...)
		if code != row.code || !strings.Contains(out, row.out) || !strings.Contains(errs, row.err) {
			t.Errorf("%s under the %s: exit %d, %s%s; want %d, %q and %q", row.args, row.who, code, out, errs, row.code, row.out, row.err)
		}
	}
}

// jwtServer is a server whose accounts are an operator's: it knows users by what their account has signed.
func jwtServer(t *testing.T) (url string, user func(until time.Time) (creds []byte)) {
	t.Helper()
	operator, account := keyPair(t, nkeys.CreateOperator), keyPair(t, nkeys.CreateAccount)
	oc := jwt.NewOperatorClaims(public(t, operator))
	word, err := oc.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := jwt.DecodeOperatorClaims(word)
	if err != nil {
		t.Fatal(err)
	}
	ac := jwt.NewAccountClaims(public(t, account))
	accountWord, err := ac.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(public(t, account), accountWord); err != nil {
		t.Fatal(err)
	}
	s := listening(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{trusted}, AccountResolver: resolver})
	return at(s), func(until time.Time) []byte {
		kp := keyPair(t, nkeys.CreateUser)
		uc := jwt.NewUserClaims(public(t, kp))
		uc.Expires = until.Unix()
		word, err := uc.Encode(account)
		if err != nil {
			t.Fatal(err)
		}
		seed, err := kp.Seed()
		if err != nil {
			t.Fatal(err)
		}
		creds, err := jwt.FormatUserConfig(word, seed)
		if err != nil {
			t.Fatal(err)
		}
		return creds
	}
}

func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	kp, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

func public(t *testing.T, kp nkeys.KeyPair) string {
	t.Helper()
	pub, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// The same with credentials that expire.
func TestRotatedCredentialsNeedNoRestart(t *testing.T) {
	t.Parallel() // it waits for the end of the first ones
	url, user := jwtServer(t)
	_, stranger := jwtServer(t)
	file := filepath.Join(t.TempDir(), "relay.creds")
	write := func(creds []byte) {
		t.Helper()
		if err := os.WriteFile(file, creds, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := bus.Dialing{URL: url, CredentialsFile: file, Inbox: bus.Inbox, Name: "test", Log: zap.NewNop(), Wait: true}
	for _, row := range []struct {
		name  string
		creds []byte
		want  string
	}{
		{"expired", user(time.Now().Add(-time.Minute)), "have expired: put new ones into nats.credentials_file"},
		{"another operator's", stranger(time.Now().Add(time.Hour)), "refuses the credentials: check nats.credentials_file"},
	} {
		write(row.creds)
		once := d
		once.Wait = false
		if nc, err := bus.Dial(once); err == nil || !strings.Contains(err.Error(), row.want) {
			if err == nil {
				nc.Close()
			}
			t.Errorf("with credentials that are %s: %v, want %q", row.name, err, row.want)
		}
	}
	write(user(time.Now().Add(2 * time.Second)))
	nc := dialed(t, d)
	<-nc.StatusChanged(nats.RECONNECTING)
	keptOut(t, nc, d, "have expired: put new ones into nats.credentials_file")
	back := nc.StatusChanged(nats.CONNECTED)
	write(user(time.Now().Add(time.Hour)))
	awaitStatus(t, nc, back)
}

// A key's seed may be replaced by credentials with a JWT, and the other way round, as when a site moves to accounts of an operator.
func TestCredentialsOfTheOtherKindNeedNoRestart(t *testing.T) {
	kp := keyPair(t, nkeys.CreateUser)
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	before := at(listening(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public(t, kp)}}}))
	after, user := jwtServer(t)
	file := filepath.Join(t.TempDir(), "relay")
	var nc *nats.Conn
	for i, kind := range []struct {
		name string
		file []byte
		at   string // the server that knows it
	}{{"a seed", seed, before}, {"a JWT", user(time.Now().Add(time.Hour)), after}, {"a seed again", seed, before}} {
		if err := os.WriteFile(file, kind.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			nc = dialed(t, bus.Dialing{URL: before + "," + after, CredentialsFile: file, Inbox: bus.Inbox, Name: "test", Log: zap.NewNop(), Wait: true})
		} else {
			back := nc.StatusChanged(nats.CONNECTED)
			if err := nc.ForceReconnect(); err != nil {
				t.Fatal(err)
			}
			awaitStatus(t, nc, back)
		}
		if got := nc.ConnectedUrl(); got != kind.at {
			t.Errorf("with %s it is connected to %q, want %q", kind.name, got, kind.at)
		}
	}
}

// dialed is a connection that is there.
func dialed(t *testing.T, d bus.Dialing) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := bus.Connected(ctx, nc); err != nil {
		t.Fatalf("%v: %v", err, nc.LastError())
	}
	return nc
}

// keptOut waits until a connection's error says why it is not let in.
func keptOut(t *testing.T, nc *nats.Conn, d bus.Dialing, want string) {
	t.Helper()
	eventually(t, 10*time.Second, "the reason", func(context.Context) error {
		err := nc.LastError()
		if err == nil {
			return errors.New("no error")
		}
		if err := d.Refused(err); !strings.Contains(err.Error(), want) {
			return err
		}
		return nil
	})
}

func awaitStatus(t *testing.T, nc *nats.Conn, status <-chan nats.Status) {
	t.Helper()
	select {
	case <-status:
	case <-time.After(10 * time.Second):
		t.Errorf("it does not come back: %v", nc.LastError())
	}
}

// The loopback is where every name leads.
type loopback struct{}

func (loopback) Dial(network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return net.Dial(network, net.JoinHostPort("127.0.0.1", port))
}

func (loopback) SkipTLSHandshake() bool { return false }
