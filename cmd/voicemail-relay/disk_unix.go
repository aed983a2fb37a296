//go:build linux || darwin

package main

import "syscall"

// diskOf is how many bytes of a folder's disk this user may still write, and how many it has.
func diskOf(dir string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	block := uint64(st.Bsize) // #nosec G115 -- over 0; its type differs by system
	return uint64(st.Bavail) * block, st.Blocks * block, nil
}

// writable says whether this user may make files in a folder.
func writable(dir string) bool { return syscall.Access(dir, 2|1) == nil } // W_OK, X_OK
