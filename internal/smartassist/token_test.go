package smartassist

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func claimsOf(t testing.TB, token string, key any) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		t.Errorf("got a token that is refused: %v", err)
	}
	return claims
}

func rsaKey(t testing.TB, bits int) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestToken(t *testing.T) {
	key, pem := rsaKey(t, 2048)
	for _, row := range []struct {
		algorithm string
		secret    string
		verify    any
		jti       bool
		want      []string
	}{
		{"HS256", testSecret, []byte(testSecret), false, []string{"appId", "exp", "iat"}},
		{"HS512", testSecret, []byte(testSecret), true, []string{"appId", "exp", "iat", "jti"}},
		{"RS256", pem, &key.PublicKey, false, []string{"appId", "exp", "iat"}},
		{"RS512", pem, &key.PublicKey, true, []string{"appId", "exp", "iat", "jti"}},
	} {
		t.Run(row.algorithm, func(t *testing.T) {
			tk, err := newTokens(Config{AppID: "cs-Case", Secret: row.secret, Algorithm: row.algorithm, JTI: row.jti})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			token, err := tk.get(now)
			if err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, token, row.verify)
			if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, row.want) || claims["appId"] != "cs-Case" {
				t.Errorf("got claims %v of %v, want %v of cs-Case", got, claims["appId"], row.want)
			}
			exp, _ := claims.GetExpirationTime()
			iat, _ := claims.GetIssuedAt()
			if life, age := exp.Unix()-now.Unix(), now.Unix()-iat.Unix(); life != 300 || age != 30 {
				t.Errorf("got exp %d s ahead and iat %d s ago, want 300 and 30", life, age)
			}
			parsed, _, _ := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
			if got := parsed.Header["alg"]; got != row.algorithm {
				t.Errorf("got alg %v, want %s", got, row.algorithm)
			}
		})
	}
}

// A clock that was an hour fast, and is set right, must not leave a token that ends over an hour ahead.
func TestTokenAfterTheClockWasPutBack(t *testing.T) {
	tk, err := newTokens(Config{AppID: testApp, Secret: testSecret, Algorithm: "HS256"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	fast, _ := tk.get(now.Add(time.Hour))
	right, _ := tk.get(now)
	if fast == right {
		t.Error("got the token of the fast clock, want a new one")
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFileTrimsOneNewline(t *testing.T) {
	for text, want := range map[string]string{"s": "s", "s\n": "s", "s\r\n": "s", "s\n\n": "s\n", "s\r": "s\r", " s ": " s ", "\ns": "\ns"} {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, text)
		tk, err := newTokens(Config{AppID: testApp, SecretFile: file, Algorithm: "HS256"})
		if err != nil {
			t.Fatal(err)
		}
		token, _ := tk.get(time.Now())
		claimsOf(t, token, []byte(want))
	}
}

func TestSecretFileAtStart(t *testing.T) {
	_, short := rsaKey(t, 1024)
	short = strings.Replace(short, "MII", "MIJ", 1) // no key any more
	for _, row := range []struct{ name, algorithm, text, want string }{
		{"empty", "HS256", "", "must not be empty"},
		{"a newline alone", "HS256", "\n", "must not be empty"},
		{"no PEM", "RS256", "canary", "must be an RSA private key in PEM, without a password"},
		{"a broken PEM", "RS512", short, "must be an RSA private key in PEM, without a password"},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			write(t, file, row.text)
			cfg := config("https://smartassist.kore.ai")
			cfg.Secret, cfg.SecretFile, cfg.Algorithm = "", file, row.algorithm
			if _, err := New(cfg); err == nil || err.Error() != "smartassist: SecretFile "+file+" "+row.want {
				t.Errorf("got %v, want SecretFile, its name, and %s", err, row.want)
			}
		})
	}
}

func TestSecretFileIsReadAgain(t *testing.T) {
	_, pem := rsaKey(t, 2048)
	_, other := rsaKey(t, 2048)
	for _, row := range []struct {
		name      string
		algorithm string
		first     string
		change    func(t *testing.T, file string)
		after     time.Duration
		refused   bool // in between
		changed   bool // is the token signed anew?
	}{
		{"it changes", "HS256", "one", func(t *testing.T, f string) { write(t, f, "three") }, time.Second, false, true},
		{"it is not looked at twice in a second", "HS256", "one", func(t *testing.T, f string) { write(t, f, "three") }, 900 * time.Millisecond, false, false},
		{"but it is after a refusal", "HS256", "one", func(t *testing.T, f string) { write(t, f, "three") }, 0, true, true},
		{"a refusal and no change", "HS256", "one", func(*testing.T, string) {}, 0, true, false},
		{"same length and date, after a refusal", "HS256", "one", func(t *testing.T, f string) {
			info, _ := os.Stat(f)
			write(t, f, "two")
			_ = os.Chtimes(f, info.ModTime(), info.ModTime())
		}, 0, true, true},
		{"it is replaced", "HS256", "one", func(t *testing.T, f string) {
			write(t, f+".new", "two")
			if err := os.Rename(f+".new", f); err != nil {
				t.Fatal(err)
			}
		}, time.Second, false, true},
		{"it is touched", "HS256", "one", func(t *testing.T, f string) { _ = os.Chtimes(f, time.Unix(1e9, 0), time.Unix(1e9, 0)) }, time.Second, false, false},
		{"it is gone", "HS256", "one", func(t *testing.T, f string) { _ = os.Remove(f) }, time.Second, true, false},
		{"it is empty", "HS256", "one", func(t *testing.T, f string) { write(t, f, "\n") }, time.Second, true, false},
		{"it is another key", "RS256", pem, func(t *testing.T, f string) { write(t, f, other) }, time.Second, false, true},
		{"it is no key", "RS256", pem, func(t *testing.T, f string) { write(t, f, "x") }, time.Second, false, false},
		{"it is half a key", "RS256", pem, func(t *testing.T, f string) { write(t, f, other[:200]) }, time.Second, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			write(t, file, row.first)
			tk, err := newTokens(Config{AppID: testApp, SecretFile: file, Algorithm: row.algorithm})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			before, _ := tk.get(now)
			row.change(t, file)
			if row.refused {
				tk.drop()
			}
			after, err := tk.get(now.Add(row.after))
			if err != nil {
				t.Fatal(err)
			}
			if changed := signature(before) != signature(after) && tk.version > 1; changed != row.changed {
				t.Errorf("got signed anew %v, want %v", changed, row.changed)
			}
		})
	}
}

func signature(token string) string { return token[strings.LastIndexByte(token, '.'):] }

// A file that is unreadable for a while is tried again until it is a secret.
func TestSecretFileComesBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "one")
	var told []string
	tk, err := newTokens(Config{AppID: testApp, SecretFile: file, Algorithm: "HS256", OnSecret: func(err error) { told = append(told, fmt.Sprint(err)) }})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, step := range []struct{ text, want string }{{"", "one"}, {"", "one"}, {"two", "two"}, {"one", "one"}} {
		write(t, file, step.text)
		now = now.Add(2 * time.Second)
		_ = os.Chtimes(file, now, now)
		token, err := tk.get(now)
		if err != nil {
			t.Fatal(err)
		}
		if t.Run(step.text, func(t *testing.T) { claimsOf(t, token, []byte(step.want)) }); t.Failed() {
			t.Fatalf("step %d", i)
		}
	}
	_ = os.Remove(file)
	for range 2 {
		now = now.Add(2 * time.Second)
		_, _ = tk.get(now)
	}
	if want := []string{"must not be empty", "<nil>", "cannot be read: no such file or directory"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q: each once", told, want)
	}
}

// Kubernetes mounts a secret as a link to ..data/, which is a link to a dated folder, and swaps the middle one.
func TestSecretFileBehindLinks(t *testing.T) {
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for day, secret := range map[string]string{"..day1": "one", "..day2": "two"} {
		if err := os.Mkdir(filepath.Join(dir, day), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, day, "secret"), secret)
		if err := os.Chtimes(filepath.Join(dir, day, "secret"), time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil { // alike but for the inode
			t.Fatal(err)
		}
	}
	link("..day1", "..data")
	link("..data/secret", "secret")
	tk, err := newTokens(Config{AppID: testApp, SecretFile: filepath.Join(dir, "secret"), Algorithm: "HS256"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, _ := tk.get(now)
	claimsOf(t, token, []byte("one"))
	link("..day2", "..new")
	if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	token, _ = tk.get(now.Add(time.Second))
	claimsOf(t, token, []byte("two"))
}

// A refusal costs the cached token its life: the next request brings a new one, signed with what the file holds by then.
func TestRefusalRenewsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, "one")
		cfg := config("http://api.example.com")
		cfg.Secret, cfg.SecretFile = "", file
		for _, status := range []int{401, 403} {
			tokens := make(chan string, 2)
			cfg.Transport = pipes(t, answers(record(tokens, status), record(tokens, 204)))
			c := client(t, cfg)
			_, _, _ = c.Voicemail(t.Context(), testCall, yes)
			claimsOf(t, <-tokens, []byte("one"))
			write(t, file, "two")
			_, _, _ = c.Voicemail(t.Context(), testCall, yes)
			claimsOf(t, <-tokens, []byte("two"))
			write(t, file, "one")
		}
	})
}

func TestRenewedSecretSignsFromThenOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "two\n")
	cfg := config("http://127.0.0.1:1")
	cfg.Secret, cfg.SecretFile = "one", ""
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed := func() string {
		t.Helper()
		token, err := c.tokens.get(now)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	one := signed()
	if _, err := c.Renew("", file+".missing"); err == nil || signed() != one {
		t.Errorf("a secret that cannot be read was taken, with error %v", err)
	}
	put, err := c.Renew("", file)
	if err != nil || signed() != one {
		t.Fatalf("renewed before it was put, with error %v", err)
	}
	if !put() {
		t.Error("another secret is said to be the same")
	}
	two := signed()
	if signature(two) == signature(one) {
		t.Error("the old secret still signs")
	}
	if put, err := c.Renew("two", ""); err != nil || put() {
		t.Errorf("the same secret from elsewhere is said to be another, with error %v", err)
	}
	write(t, file, "three") // where it is not any more
	now = now.Add(2 * time.Second)
	if signature(signed()) != signature(two) {
		t.Error("the file of before is still read")
	}
}
