package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"voicemail-relay/internal/checkup"
	"voicemail-relay/internal/settings"
)

// settings tells where the settings came from; that they passed every check is known. Files with secrets are for the relay alone.
func (d *doctor) settings(rows []settings.Row) {
	const check = "settings"
	file, set := "", 0
	secrets := []string{d.s.NATS.CredentialsFile, d.s.NATS.TLS.KeyFile}
	for _, r := range rows {
		if r.Origin == "default" {
			continue
		}
		set++
		if at, ok := strings.CutPrefix(r.Origin, "file "); ok {
			file = at[:max(0, strings.LastIndexByte(at, ':'))]
			if strings.HasSuffix(r.Path, ".app_secret") {
				secrets = append(secrets, file)
			}
		}
	}
	of := "flags and variables"
	if file != "" {
		of = file + ", " + of
	}
	d.tell(checkup.Good(check, of, "%s set, all accepted; %s", plural(set, "value"), plural(len(d.accounts()), "account")))
	for _, acct := range d.accounts() {
		secrets = append(secrets, acct.AppSecretFile)
	}
	slices.Sort(secrets)
	for _, name := range slices.Compact(secrets) {
		if st, err := os.Stat(name); name != "" && err == nil && st.Mode().Perm()&0o004 != 0 {
			d.tell(checkup.Warning(check, name, "it holds a secret, and everybody on this machine may read it", "chmod o-r "+name))
		}
	}
}

// disk looks at the place where an embedded server keeps its streams.
func (d *doctor) disk() {
	const check = "disk"
	if !d.s.NATS.Embedded {
		return
	}
	dir := d.s.NATS.StoreDir
	of := "nats.store_dir " + dir
	st, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err): // run makes it: what counts is where
		for dir = filepath.Dir(dir); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if st, err = os.Stat(dir); err == nil {
				break
			}
		}
	case err != nil:
		d.tell(checkup.Failure(check, of, "it cannot be looked at", "let the relay's user into it, or set another"))
		return
	}
	if st != nil && !st.IsDir() {
		d.tell(checkup.Failure(check, of, dir+" is no folder", "set another, or move that file away"))
		return
	}
	if !writable(dir) {
		d.tell(checkup.Failure(check, of, "this user may not write to "+dir, "give it to the relay's user (chown), or set another"))
		return
	}
	free, total, err := diskOf(dir)
	if err != nil {
		d.tell(checkup.Skipped(check, of, "how much room is left cannot be told here"))
		return
	}
	d.tell(roomOn(of, free, total))
}

// roomOn tells whether a disk has room for streams.
func roomOn(of string, free, total uint64) checkup.Finding {
	const check, hint = "disk", "make room, or set nats.store_dir to a larger disk: when it is full, no call is stored"
	text := fmt.Sprintf("%d MiB of %d MiB are free", free>>20, total>>20)
	switch {
	case free < 100<<20:
		return checkup.Failure(check, of, text, hint)
	case free < 1<<30 || free < total/20:
		return checkup.Warning(check, of, text, hint)
	}
	return checkup.Good(check, of, "%s", text)
}
