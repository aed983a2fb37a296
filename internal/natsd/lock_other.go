//go:build !unix

package natsd

import "os"

// lock is for systems with flock.
func lock(string) (*os.File, error) { return nil, nil }
