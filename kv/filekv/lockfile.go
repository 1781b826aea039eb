//go:build unix

package filekv

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lockFile is the file beside the store that processes lock. It stays empty and is
// never removed. If a user removes it, the next process creates a new one.
type lockFile struct {
	path string
	mode os.FileMode
	file *os.File
}

// openLockFile opens the lock file of a store. It creates the file if it is missing.
func openLockFile(path string, mode os.FileMode) (*lockFile, error) {
	l := &lockFile{path: path, mode: mode}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *lockFile) open() error {
	// O_NONBLOCK prevents the open from blocking on a named pipe.
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

// refresh opens the file again if the file at the path is another one, so that all
// processes lock the same file.
func (l *lockFile) refresh() error {
	atPath, err := os.Stat(l.path)
	if err == nil {
		mine, err := l.file.Stat()
		if err == nil && os.SameFile(atPath, mine) {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: l.path, Problem: "cannot inspect the lock file", Err: causeOf(err)}
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
