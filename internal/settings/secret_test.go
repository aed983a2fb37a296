package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"voicemail-relay/internal/settings"
)

// canary stands where a secret does; numeric is one that could pass for a port.
const canary, numeric = "canary7Zq", "8675309"

func TestSecretsAreNeverShown(t *testing.T) {
	secret := "smartassist.app_secret"
	for _, tt := range []struct {
		name string
		src  settings.Source
	}{
		{"a secret in the file", file(secret, canary)},
		{"a secret in the environment", env(secret, canary)},
		{"a secret as a flag", flag(secret, canary)},
		{"a secret of a further account", yaml("accounts: [{app_id: a, bots: a, app_secret: " + canary + "}]")},
		{"two secrets", yaml("smartassist: {app_secret: " + canary + ", app_secret_file: f}")},
		{"two secrets of a further account", yaml("accounts: [{app_secret: " + canary + ", app_secret_file: f}]")},
		{"a secret that is no key", yaml("smartassist: {algorithm: RS256, app_secret: " + canary + "}")},
		{"a secret given twice", yaml("smartassist: {app_secret: " + canary + ", app_secret: " + canary + "}")},
		{"a secret in a list", yaml("smartassist: {app_secret: [" + canary + "]}")},
		{"a secret for the account", yaml("smartassist: " + canary)},
		{"a secret for a further account", yaml("accounts: [" + canary + "]")},
		{"a secret that reads as an alias", yaml("smartassist:\n  app_secret: *" + canary)},
		{"a secret that reads as a tag", yaml("smartassist:\n  app_secret: !" + canary + "!x y")},
		{"a secret that reads as an anchor", yaml("smartassist:\n  app_secret: &" + canary)},
		{"a secret that begins with a percent sign", yaml("smartassist:\n  app_secret: %" + canary)},
		{"a secret that is cut off", yaml(`smartassist: {app_secret: "` + canary)},
		{"a secret by a wrong name", flag("smartassist.secret", canary)},
		{"a secret by a wrong variable", settings.Source{Environ: []string{"RELAY_APP_SECRET=" + canary}}},
		{"a secret without a space before it", yaml("smartassist: {app_secret:" + canary + "}")},
		{"a secret of a further account without a space before it", yaml("accounts: [{app_secret=" + canary + ": }]")},
		{"a secret stuck to its flag", flag("smartassist.app_secret:"+canary, "")},
		{"a secret stuck to its variable", settings.Source{Environ: []string{"RELAY_SMARTASSIST_APP_SECRET:" + canary + "=x"}}},
		{"a password", env("nats.url", "nats://me:"+canary+"@127.0.0.1:4222")},
		{"a token without a scheme", flag("nats.url", canary+"@127.0.0.1")},
		{"a password without a scheme", flag("nats.url", "me:"+canary+"@127.0.0.1:4222")},
		{"a password in a list", file("nats.url", "nats://a, tls://me:"+canary+"@b")},
		{"a password with @", flag("nats.url", "nats://me:"+canary+"@"+canary+"@b")},
		{"a password with a slash", flag("nats.url", "nats://me:"+canary+"/@b")},
		{"a password of digits with a slash", flag("nats.url", "nats://me:"+numeric+"/@b")},
		{"a password with a scheme in it", flag("nats.url", "nats://me@a,"+canary+"://b@c")},
		{"a password and a wrong port", flag("nats.url", "nats://me:"+canary+"@b:x")},
		{"a password and a port too high", flag("nats.url", "nats://me:"+canary+"@b:70000")},
		{"a password and a wrong scheme", flag("nats.url", "http://me:"+canary+"@b")},
		{"a password and a wrong escape", flag("nats.url", "nats://me:"+canary+"%zz@b")},
		{"a password and no host", flag("nats.url", "nats://me:"+canary+"@")},
		{"a password for the server inside", yaml("nats: {embedded: true, url: 'nats://me:" + canary + "@b'}")},
		{"a password for the API", flag("smartassist.base_url", "https://me:"+canary+"@kore.ai")},
		{"a password for the API, and a wrong port", flag("smartassist.base_url", "https://me:"+canary+"@kore.ai:x")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := settings.Load(tt.src)
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprint(e.Rows())
			}
			for _, s := range []string{canary, strings.ToLower(canary), numeric} {
				if strings.Contains(got, s) {
					t.Errorf("got %v, want nothing of %v", got, s)
				}
			}
		})
	}
}

func TestServersAreShownWithoutPasswords(t *testing.T) {
	for in, want := range map[string]string{
		"nats://a:1,tls://me:pass@b:2": "nats://a:1,tls://********@b:2",
		"token@a:1":                    "nats://********@a:1",
		"a:1":                          "a:1",
	} {
		if got := load(t, flag("nats.url", in)).Rows()[0].Value; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
