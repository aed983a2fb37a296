package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/console"
	"voicemail-relay/internal/relay"
	"voicemail-relay/internal/smartassist"
	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// Each fault of the API, of the way there and of the account.
func TestDoctorFindsFaultsOfTheAPI(t *testing.T) {
	account := "account " + testApp
	refused := func(c *clinic) { c.emu.Outage(step(emu.Unauthorized())) }
	// late is the emulator on a machine whose clock is so far ahead of this one's.
	late := func(ahead time.Duration) func(*clinic) {
		return func(c *clinic) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
				c.emu.ServeHTTP(w, r)
			}))
			c.t.Cleanup(api.Close)
			c.args["smartassist.base_url"] = api.URL
		}
	}
	outage := func(s emu.Step) func(*clinic) { return func(c *clinic) { c.emu.Outage(&s) } }
	for _, row := range []struct {
		name     string
		plant    func(*clinic)
		requests int
		want     checkup.Finding
	}{
		{"nobody listens", func(c *clinic) { c.args["smartassist.base_url"] = "http://127.0.0.1:1" }, 0, fail("api", account+", 127.0.0.1:1", "connection refused", "check smartassist.base_url")},
		{"no such host", func(c *clinic) { c.args["smartassist.base_url"] = "https://no-such-host.invalid" }, 0, fail("api", account+", no-such-host.invalid:443", "host", "check smartassist.base_url")},
		{"an unknown authority", func(c *clinic) {
			api := httptest.NewUnstartedServer(c.emu)
			api.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the handshake
			api.StartTLS()
			c.t.Cleanup(api.Close)
			c.args["smartassist.base_url"] = api.URL
		}, 0, fail("api", account, "TLS: certificate signed by an unknown authority", "system's CA certificates")},
		{"no TLS", func(c *clinic) {
			c.args["smartassist.base_url"] = strings.Replace(c.args["smartassist.base_url"], "http:", "https:", 1)
		}, 0, fail("api", account, "TLS: the other side does not speak it", "check smartassist.base_url")},
		{"it is silent", func(c *clinic) {
			c.args["smartassist.base_url"], c.args["smartassist.timeout"] = strings.Replace(silent(c.t), "nats:", "https:", 1), "300ms"
		}, 0, fail("api", account, "no connection within 300ms", "firewall")},
		{"a clock that is ahead", late(-40 * time.Second), 1, fail("api_clock", account, "s ahead of the API's: tokens are not valid yet", "NTP")},
		{"a clock that is behind", late(70 * time.Second), 1, fail("api_clock", account, "s behind the API's: tokens have expired", "NTP")},
		{"a clock that drifts", late(10 * time.Second), 1, warn("api_clock", account, "s behind the API's", "NTP")},
		{"a wrong secret", func(c *clinic) { c.args["smartassist.app_secret"] = "another" }, 1, fail("token", account, "credentials are refused, or it does not know the bot, which was made up", "--bot")},
		{"a wrong secret, a bot of the account", func(c *clinic) { refused(c); c.args["bot"] = "st-1" }, 1, fail("token", account, "HTTP 401 (code 4002): the account's credentials are refused", "check smartassist.app_id, the secret")},
		{"no scope", outage(emu.Error(401, "Permission denied. Scope is incorrect!")), 1, fail("scope", account, "HTTP 401 (code 4002): the account's credentials are good, but may not ask", "the scope 'SmartAssist Voicemail' and publish it")},
		{"forbidden", outage(emu.Error(403, "Forbidden")), 1, fail("scope", account, "HTTP 403", "the scope 'SmartAssist Voicemail'")},
		{"a bot that is not known", func(c *clinic) { outage(emu.InvalidStream())(c); c.args["bot"] = "st-1" }, 1, fail("scope", account, "does not know the bot st-1", "check --bot")},
		{"over the rate limit", outage(emu.RateLimited("")), 1, warn("token", account, "not known: HTTP 429", "who else uses the account")},
		{"trouble", outage(emu.ServerError(500)), 1, fail("token", account, "not known: HTTP 500", "API's status")},
		{"another path", func(c *clinic) { c.args["smartassist.path"] = "/other/{botId}" }, 0, fail("token", account, "not known: HTTP 404", "smartassist.path")},
		{"a redirect", outage(emu.Redirect("/api/other")), 1, fail("token", account, "a redirect within the API's host", "as it says")},
		{"a request that hangs", func(c *clinic) { outage(emu.Hang())(c); c.args["smartassist.timeout"] = "300ms" }, 1, fail("token", account, "not known: time-out after 300ms", "API's status")},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClinic(t, "")
			row.plant(c)
			c.doctor().one(t, row.want)
			if got := c.emu.Requests(); got != row.requests {
				t.Errorf("it cost %d requests, want %d", got, row.requests)
			}
		})
	}
}

func step(s emu.Step) *emu.Step { return &s }

// An answer that the made-up bot is not known is as good as any: the token was read before.
func TestDoctorTakesAnUnknownBotForAGoodToken(t *testing.T) {
	c := newClinic(t, "")
	c.emu.ScriptEvery(emu.InvalidStream())
	d := c.doctor()
	if bad := d.bad(); len(bad) > 0 || !strings.Contains(d.find("token")[0].Found, "accepted, and the made-up bot is not known") {
		t.Errorf("it finds %+v, and of the token %+v", bad, d.find("token"))
	}
}

// Doctor's request is taken out of the budget that the relays share, and not made when that has none.
func TestDoctorSpendsFromTheSharedPurse(t *testing.T) {
	ctx := context.Background()
	c := newClinic(t, "").connect("")
	c.setup()
	kv, err := c.js.KeyValue(ctx, "VOICEMAIL_BUDGET")
	if err != nil {
		t.Fatal(err)
	}
	purse := "purse." + relay.Token(testApp)
	d := c.doctor()
	if got := d.find("token")[0].Found; !strings.Contains(got, "out of the shared budget") {
		t.Errorf("it says %s", got)
	}
	if _, err := kv.Get(ctx, purse); err != nil {
		t.Errorf("the budget was not drawn on: %v", err)
	}
	for _, row := range []struct {
		name, record string
		requests     int
		want         checkup.Finding
	}{
		{"paused", `{"born":"x","at":100,"tokens":0,"pace":1,"pause":300,"calm":600}`, 0, warn("budget", "account "+testApp, "the API wants nothing for 5m0s more", "who else spends the account's budget")},
		{"slowed down", `{"born":"x","at":100,"tokens":2,"pace":0.3,"calm":0}`, 1, warn("budget", "account "+testApp, "slowed down to 30 % of 60 requests a minute", "lower rate_limit")},
		{"none", `"canary-token"`, 1, warn("budget", "account "+testApp, "holds something else than a budget", "who else writes")},
	} {
		before := c.emu.Requests()
		if _, err := kv.PutString(ctx, purse, row.record); err != nil {
			t.Fatal(err)
		}
		d := c.doctor()
		d.one(t, row.want)
		if got := c.emu.Requests() - before; got != row.requests {
			t.Errorf("%s: %d requests, want %d", row.name, got, row.requests)
		}
		if token := d.find("token")[0]; row.requests == 0 && (token.Grade != checkup.Skip || !strings.Contains(token.Found, "not asked: the API wants nothing for ")) {
			t.Errorf("%s: of the token it says %+v", row.name, token)
		}
	}
}

// Each account is looked at by itself, with a bot of its own.
func TestDoctorLooksAtEachAccount(t *testing.T) {
	c := newClinic(t, "")
	file := filepath.Join(t.TempDir(), "relay.yaml")
	yaml := fmt.Sprintf("accounts:\n  - {name: broken, bots: [st-7], base_url: %q, app_id: other, app_secret: %s}\n", c.args["smartassist.base_url"], testSecret)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c.args["config"] = file
	c.doctor().one(t, fail("token", "account broken", "HTTP 401 (code 4002): the account's credentials are refused", "check smartassist.app_id"))
	if log := c.emu.Log(); len(log) != 2 || log[0].Bot != "st-7" || log[1].Bot != nobodysBot {
		t.Errorf("asked for %+v, want st-7 and nobody's bot", log)
	}
}

// Each fault of this machine, and of the relay on it.
func TestDoctorFindsFaultsOfThisMachine(t *testing.T) {
	secret := func(t *testing.T, mode os.FileMode) string {
		name := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(name, []byte(testSecret), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// ops are a relay's endpoints.
	ops := func(ready error, state string) func(*clinic) {
		return func(c *clinic) {
			m := console.NewMetrics("test")
			m.Purse(testApp, state, 1, 0)
			s := httptest.NewServer(console.Ops{Ready: func() error { return ready }, Metrics: m}.Handler())
			c.t.Cleanup(s.Close)
			c.args["http.addr"] = s.Listener.Addr().String()
		}
	}
	for _, row := range []struct {
		name  string
		plant func(*clinic)
		want  checkup.Finding
	}{
		{"everybody may read the secret", func(c *clinic) {
			c.args["smartassist.app_secret"], c.args["smartassist.app_secret_file"] = "", secret(c.t, 0o644)
		}, warn("settings", "secret", "everybody on this machine may read it", "chmod o-r ")},
		{"everybody may read the settings with a secret", func(c *clinic) {
			file := filepath.Join(c.t.TempDir(), "relay.yaml")
			if err := os.WriteFile(file, []byte("smartassist: {app_secret: "+testSecret+"}\n"), 0o644); err != nil {
				c.t.Fatal(err)
			}
			if err := os.Chmod(file, 0o644); err != nil { // whatever the umask says
				c.t.Fatal(err)
			}
			c.args["smartassist.app_secret"], c.args["config"] = "", file
		}, warn("settings", "relay.yaml", "everybody on this machine may read it", "chmod o-r ")},
		{"the store is a file", func(c *clinic) { c.args["nats.embedded"], c.args["nats.store_dir"] = "true", secret(c.t, 0o600) }, fail("disk", "nats.store_dir ", "is no folder", "set another")},
		{"the store would be in a file", func(c *clinic) { c.args["nats.embedded"], c.args["nats.store_dir"] = "true", secret(c.t, 0o600)+"/x/y" }, fail("disk", "nats.store_dir ", "", "set another")},
		{"the relay is not ready", ops(errors.New("nats is not connected\n\x1b[31m"), "open"), fail("relay", "the relay at http://127.0.0.1:", "not ready: nats is not connected  [31m", "look at its log")},
		{"an account is refused", ops(nil, "refused"), fail("relay", "account "+testApp+" of the relay", "refuses its credentials", "app_secret")},
		{"an account is down", ops(nil, "down"), fail("relay", "account "+testApp, "one call after the other", "base_url")},
		{"an account is paused", ops(nil, "paused"), warn("relay", "account "+testApp, "wants nothing for a while", "rate_limit")},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClinic(t, "")
			row.plant(c)
			c.doctor("--no-request").one(t, row.want)
		})
	}
}

// What cannot be planted here: a full disk, a server's full store.
func TestDoctorGradesWhatIsLeft(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for _, row := range []struct {
		free, total uint64
		want        checkup.Grade
	}{{50 * mib, 10 * gib, checkup.Fail}, {500 * mib, 10 * gib, checkup.Warn}, {4 * gib, 100 * gib, checkup.Warn}, {5 * gib, 10 * gib, checkup.OK}} {
		if got := roomOn("x", row.free, row.total); got.Grade != row.want || (got.Hint == "") != (row.want == checkup.OK) {
			t.Errorf("%d of %d free: %+v, want %s", row.free, row.total, got, row.want)
		}
		used := row.total - row.free
		if got, want := stored("x", used, row.total), map[bool]checkup.Grade{true: checkup.Fail, false: checkup.OK}[row.want != checkup.OK]; got.Grade != want {
			t.Errorf("%d of %d stored: %+v, want %s", used, row.total, got, want)
		}
	}
	if got := stored("x", 85*mib, 100*mib); got.Grade != checkup.Warn {
		t.Errorf("85 of 100 MiB stored: %+v", got)
	}
	now := time.Now().Truncate(time.Second)
	if got := apiClock("x", smartassist.Probe{Date: now, At: now.Add(999 * time.Millisecond)}); got.Grade != checkup.OK {
		t.Errorf("clocks within a second: %+v", got)
	}
}

// certificate makes one for loopback that ends then, and writes it and its key as PEM files.
func certificate(t *testing.T, end time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// TLS of NATS: an authority that nobody named, a certificate that ends soon or has ended, a client's that is asked for.
func TestDoctorFindsFaultsOfTLS(t *testing.T) {
	day := 24 * time.Hour
	for _, row := range []struct {
		name   string
		end    time.Duration
		known  bool   // the authority
		verify string // of clients
		want   checkup.Finding
	}{
		{"good", 365 * day, true, "", checkup.Finding{}},
		{"an unknown authority", 365 * day, false, "", fail("nats", "127.0.0.1:", "signed by an authority that is not trusted", "set nats.tls.ca_file")},
		{"it ends soon", 5 * day, true, "", warn("nats", "127.0.0.1:", ", certificate until 20", "renew the server's certificate")},
		{"it has ended", -day, true, "", fail("nats", "127.0.0.1:", "the server's certificate has expired", "renew it")},
		{"a client's certificate is asked for", 365 * day, true, ", verify: true", fail("nats", "127.0.0.1:", "wants a client certificate", "nats.tls.cert_file")},
	} {
		t.Run(row.name, func(t *testing.T) {
			cert, key := certificate(t, time.Now().Add(row.end))
			c := newClinic(t, fmt.Sprintf("jetstream { store_dir: 'DIR', sync_interval: always }\ntls { cert_file: '%s', key_file: '%s', ca_file: '%s'%s }", cert, key, cert, row.verify))
			if row.known {
				c.args["nats.tls.ca_file"] = cert
			}
			d := c.doctor("--no-request")
			if row.want.Check != "" {
				d.one(t, row.want)
			} else if bad := d.bad(); len(bad) > 0 || !strings.Contains(d.find("nats")[0].Found, "TLS 1.3, certificate until ") {
				t.Errorf("it finds %+v, and of the way %+v", bad, d.find("nats"))
			}
		})
	}
}
