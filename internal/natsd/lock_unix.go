//go:build unix

package natsd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps other processes out of a store until it is closed, or the process ends: two servers in one lose what they confirm.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("natsd: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "voicemail-relay.lock"), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- nats.store_dir is the operator's to choose
	if err != nil {
		return nil, fmt.Errorf("natsd: %w", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); { // #nosec G115 -- a descriptor fits
	case errors.Is(err, syscall.EWOULDBLOCK):
		_ = f.Close()
		return nil, fmt.Errorf("natsd: nats.store_dir %s is in use by another process: stop it, or choose another directory", dir)
	case err != nil && !errors.Is(err, syscall.ENOSYS) && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK): // some network file systems have no locks
		_ = f.Close()
		return nil, fmt.Errorf("natsd: lock %s: %w", dir, err)
	}
	return f, nil
}
