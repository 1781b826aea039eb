//go:build unix

package filekv

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// flockPause is the time between two attempts.
const flockPause = time.Millisecond

// flockLock is the hostLock for systems without open file description locks. It has
// no queue, so it is not fair.
type flockLock struct {
	file *lockFile
}

func (l *flockLock) acquire(ctx context.Context, stop <-chan struct{}, mode lockMode) error {
	if err := l.file.refresh(); err != nil {
		return err
	}
	how := unix.LOCK_SH
	if mode == exclusive {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(l.file.fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			if err := pause(ctx, stop, flockPause); err != nil {
				return err
			}
		default:
			return &StoreError{Path: l.file.path, Problem: "cannot lock", Err: err}
		}
	}
}

func (l *flockLock) release() { _ = unix.Flock(int(l.file.fd()), unix.LOCK_UN) }

func (l *flockLock) close() error { return l.file.close() }
