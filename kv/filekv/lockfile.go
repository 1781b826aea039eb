//go:build unix

package filekv

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lockFile is the file beside the store on which processes lock. It stays
// empty, it is never removed, and what happens to it harms nothing: a process
// that finds it gone makes a new one.
type lockFile struct {
	path string
	mode os.FileMode
	file *os.File
}

// openLockFile opens the lock file of a store, and creates it if need be.
func openLockFile(path string, mode os.FileMode) (*lockFile, error) {
	l := &lockFile{path: path, mode: mode}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *lockFile) open() error {
	// O_NONBLOCK: something that is not a file must not hold up the open.
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, l.mode)
	if err != nil {
		return &StoreError{Path: l.path, Problem: problemOf(err, "cannot open the lock file"), Err: causeOf(err)}
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		if err == nil {
			err = fs.ErrInvalid
		}
		return &StoreError{Path: l.path, Problem: "the lock file is not a regular file; move it away", Err: causeOf(err)}
	}
	l.file = f
	return nil
}

// refresh opens the file anew where it is no longer the one at the path, so
// that all processes meet on the same one again.
func (l *lockFile) refresh() error {
	atPath, err := os.Stat(l.path)
	if err == nil {
		mine, err := l.file.Stat()
		if err == nil && os.SameFile(atPath, mine) {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: l.path, Problem: "cannot look at the lock file", Err: causeOf(err)}
	}
	old := l.file
	if err := l.open(); err != nil {
		return err
	}
	_ = old.Close()
	return nil
}

func (l *lockFile) fd() uintptr { return l.file.Fd() }

func (l *lockFile) close() error { return l.file.Close() }
