package settings

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// read reads a file that a setting names, and reports one that cannot be read or is empty.
func (l *loader) read(path, name string) (b []byte, ok bool) {
	if name == "" || l.readFile == nil || l.need == NeedNothing {
		return nil, false
	}
	b, err := l.readFile(name)
	var p *fs.PathError
	if errors.As(err, &p) { // it names the file, too
		err = p.Err
	}
	switch {
	case err != nil:
		l.wrongf(path, "%s cannot be read: %v", shownFile(name), err)
	case strings.TrimSpace(string(b)) == "":
		l.wrongf(path, "%s is empty", quote(name))
	default:
		return b, true
	}
	return nil, false
}

// shownFile is what may be shown of the name of a file that cannot be read: a secret that was put where its file's name belongs is long, and
// hardly begins as a path does, or ends as a file's name.
func shownFile(name string) string {
	const longestExt = len(".secret")
	ext := len(filepath.Ext(name))
	if len(name) < 16 || filepath.IsAbs(name) || strings.HasPrefix(name, ".") || ext > 1 && ext <= longestExt {
		return quote(name)
	}
	return "what it names (not shown, as it may be a secret itself)"
}

// checkFiles looks at the files that it takes to reach NATS.
func (l *loader) checkFiles(s NATS) {
	if b, ok := l.read("nats.credentials_file", s.CredentialsFile); ok && !holdsSeed(b) {
		l.wrongf("nats.credentials_file", "%s holds neither a user's credentials (.creds) nor the seed of a user's nkey (SU…)", quote(s.CredentialsFile))
	}
	if ca, ok := l.read("nats.tls.ca_file", s.TLS.CAFile); ok && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		l.wrongf("nats.tls.ca_file", "%s holds no certificate in PEM", quote(s.TLS.CAFile))
	}
	cert, ok := l.read("nats.tls.cert_file", s.TLS.CertFile)
	key, both := l.read("nats.tls.key_file", s.TLS.KeyFile)
	if !ok || !both {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.wrongf("nats.tls.cert_file", "and key_file are no certificate and its key in PEM: %v", err)
	}
}

// holdsSeed says whether a line is the seed of a user's nkey, as both kinds of file have it.
func holdsSeed(b []byte) bool {
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(strings.TrimSpace(line), "SU") {
			return true
		}
	}
	return false
}

// checkSecret looks at an account's secret, wherever it is.
func (l *loader) checkSecret(a *Account, path string) {
	if l.need != NeedAccount || l.secret == nil {
		return
	}
	secret, path := a.AppSecret, path+".app_secret"
	if a.AppSecretFile != "" {
		path += "_file"
		b, ok := l.read(path, a.AppSecretFile)
		if !ok {
			return
		}
		secret = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	}
	if secret == "" {
		return
	}
	if err := l.secret(a.Algorithm, secret); err != nil {
		l.wrongf(path, "%v", err)
	}
}
