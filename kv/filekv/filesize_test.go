//go:build unix

package filekv_test

import (
	"os/signal"
	"syscall"
)

// limitFileSize makes writes beyond a size fail, as on a full disk.
func limitFileSize(size uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size})
}

// ignoreFileSizeSignal makes such a write return an error instead of a signal.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
