package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"voicemail-relay/internal/settings"
)

// hangups tells of each SIGHUP; where a system knows none, of nothing.
func hangups() (asked <-chan os.Signal, forget func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGHUP)
	return ch, func() { signal.Stop(ch) }
}

// A reloader reads the settings again when SIGHUP asks for it, and takes over what may change in a running relay: the log's level, accounts'
// secrets, and what the files hold that it takes to reach NATS. It is all or nothing: secrets may belong to what changes beside them.
type reloader struct {
	load    func() (*settings.Effective, error)
	running *settings.Effective
	daemon  *daemon
	nc      *nats.Conn
	keys    [sha256.Size]byte // of the files for NATS, as far as they are in use
	level   zap.AtomicLevel
	log     *zap.Logger
}

// run reloads as often as it is asked to, until ctx ends.
func (r *reloader) run(ctx context.Context, asked <-chan os.Signal) {
	r.daemon.metrics.Reloaded(true, time.Now())
	for {
		select {
		case <-asked:
			r.daemon.metrics.Reloaded(r.reload(ctx), time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// reload says whether what was read is in effect.
func (r *reloader) reload(ctx context.Context) bool {
	next, err := r.load()
	var problems settings.Problems
	switch {
	case errors.As(err, &problems):
		r.log.Error("settings are not reloaded, since they are wrong; what runs stays as it is", zap.Strings("problems", oneEach(problems)))
		return false
	case err != nil:
		r.log.Error("settings are not reloaded; what runs stays as it is", zap.Error(err))
		return false
	}
	c := settings.Changed(r.running, next)
	if len(c.Fixed) > 0 {
		r.log.Error("settings are not reloaded, since some that have changed need a restart; what runs stays as it is", zap.Strings("need_restart", c.Fixed))
		return false
	}
	secrets, err := r.secrets(next)
	if err != nil {
		r.log.Error("settings are not reloaded; what runs stays as it is", zap.Error(err))
		return false
	}
	keys := natsKeys(next.NATS)
	if err := r.try(ctx, next.Settings, keys); err != nil {
		r.log.Error("settings are not reloaded, since nats cannot be reached with the files as they are now; the connection stays as it is", zap.Error(err))
		return false
	}

	changed := append(c.Live, secrets()...)
	if keys != r.keys {
		changed = append(changed, "nats (its files)")
		_ = r.nc.ForceReconnect() // the error: it is closed
	}
	for _, p := range r.daemon.purses {
		p.Renewed()
	}
	say := func() { r.log.Info("settings reloaded", zap.Strings("changed", changed)) }
	if told := r.level.Enabled(zap.InfoLevel); told { // before it is not any more
		say()
		say = func() {}
	}
	r.level.SetLevel(level(next.Log).Level())
	say()
	r.running, r.keys = next, keys
	return true
}

func oneEach(ps settings.Problems) (lines []string) {
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return lines
}

// secrets reads every account's secret. What it returns puts them in place, and names those that are others.
func (r *reloader) secrets(next *settings.Effective) (put func() (changed []string), err error) {
	puts := map[string]func() bool{}
	for i, a := range served(next.Settings) {
		if puts[a.Name], err = r.daemon.clients[i].Renew(a.AppSecret, a.AppSecretFile); err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
	}
	return func() (changed []string) {
		for _, a := range served(next.Settings) {
			if puts[a.Name]() {
				changed = append(changed, "the secret of account "+a.Name)
			}
		}
		return changed
	}, nil
}

// try connects once with files that are new, so that a working connection is not given up for one that cannot be. Where there is none, there is
// nothing to lose: the client reads them at each attempt.
func (r *reloader) try(ctx context.Context, s settings.Settings, keys [sha256.Size]byte) error {
	if s.NATS.Embedded || keys == r.keys || !r.nc.IsConnected() {
		return nil
	}
	nc, err := connect(ctx, s, "reload")
	if err != nil {
		return err
	}
	nc.Close()
	return nil
}

// natsKeys stands for what the files hold that it takes to reach NATS.
func natsKeys(s settings.NATS) [sha256.Size]byte {
	var all strings.Builder
	for _, name := range []string{s.CredentialsFile, s.TLS.CAFile, s.TLS.CertFile, s.TLS.KeyFile} {
		b, err := os.ReadFile(name) // #nosec G304 -- a settings file or secret that settings name
		fmt.Fprintf(&all, "%s %v %d\n%s", name, err == nil, len(b), b)
	}
	return sha256.Sum256([]byte(all.String()))
}
