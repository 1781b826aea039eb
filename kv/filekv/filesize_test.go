//go:build unix

package filekv_test

import (
	"os/signal"
	"syscall"
)

// limitFileSize makes writes beyond a size fail, as on a disk that is full.
func limitFileSize(size uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size})
}

// ignoreFileSizeSignal lets such a write return its error.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
