package settings_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

func TestFilesThatSettingsNameAreLookedAt(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	der, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
		"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"some": "text\r\n", "empty": "\n", "seed": "# the relay's\n SUno-real-one\n",
	}
	read := func(name string) ([]byte, error) {
		b, ok := files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not there")}
		}
		return []byte(b), nil
	}
	var secrets []string
	secret := func(algorithm, secret string) error {
		if secrets = append(secrets, algorithm+" "+secret); secret == "bad" {
			return errors.New("is bad")
		}
		return nil
	}
	const long = "canary/7Zq+canary7Zqcanary7Zqcanary7Zq="
	const whole = "smartassist: {base_url: 'https://a', app_id: a, app_secret_file: some}\n"
	for _, r := range []struct {
		name, yaml string
		need       settings.Need
		want       string
	}{
		{"all is well", whole + "nats: {credentials_file: seed, tls: {ca_file: cert, cert_file: cert, key_file: key}}", settings.NeedAccount, ""},
		{"no credentials", "nats: {credentials_file: none}", settings.NeedNATS, `nats.credentials_file: "none" cannot be read: not there`},
		{"credentials for their file", "nats: {credentials_file: SU" + long + "}", settings.NeedNATS, "nats.credentials_file: what it names (not shown"},
		{"nothing in them", "nats: {credentials_file: empty}", settings.NeedNATS, `"empty" is empty`},
		{"something else in them", "nats: {credentials_file: some}", settings.NeedNATS, `"some" holds neither a user's credentials (.creds) nor the seed of a user's nkey`},
		{"nobody needs them", "nats: {credentials_file: none}", settings.NeedNothing, ""},
		{"no CA", "nats: {tls: {ca_file: some}}", settings.NeedNATS, "holds no certificate in PEM"},
		{"a key of no certificate", "nats: {tls: {cert_file: cert, key_file: some}}", settings.NeedNATS, "nats.tls.cert_file: and key_file are no certificate and its key"},
		{"no secret", strings.Replace(whole, "some", "none", 1), settings.NeedAccount, `smartassist.app_secret_file: "none" cannot be read`},
		{"a secret for its file", strings.Replace(whole, "some", long, 1), settings.NeedAccount, "smartassist.app_secret_file: what it names (not shown"},
		{"a long path", strings.Replace(whole, "some", "/"+long, 1), settings.NeedAccount, `app_secret_file: "/` + long},
		{"a file's name", strings.Replace(whole, "some", "secrets/"+long+".txt", 1), settings.NeedAccount, `app_secret_file: "secrets/` + long + `.txt"`},
		{"no secret, and none needed", strings.Replace(whole, "some", "none", 1), settings.NeedNATS, ""},
		{"a secret that cannot sign", strings.Replace(whole, "app_secret_file: some", "app_secret: bad", 1), settings.NeedAccount, "smartassist.app_secret: is bad"},
		{"another account's", whole + "accounts: [{base_url: 'https://b', app_id: b, bots: b, app_secret_file: none}]", settings.NeedAccount, `accounts[0].app_secret_file: "none" cannot be read`},
	} {
		t.Run(r.name, func(t *testing.T) {
			src := yaml(r.yaml)
			src.Need, src.ReadFile, src.Secret = r.need, read, secret
			_, err := settings.Load(src)
			switch {
			case r.want == "" && err != nil:
				t.Errorf("got %v, want nothing", err)
			case r.want != "" && (err == nil || !strings.Contains(err.Error(), r.want) || strings.Count(err.Error(), "\n") != 0 || strings.Contains(err.Error(), long) && !strings.Contains(r.want, long)):
				t.Errorf("got %v, want %s alone", err, r.want)
			}
		})
	}
	if secrets[0] != "HS256 text" {
		t.Errorf("looked at %q, want the file's text without its newline", secrets[0])
	}
}
