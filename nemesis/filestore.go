package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/kv/filekv"
)

// fileStore is a store in one file, if possible on a file system of its own that can be full.
type fileStore struct {
	dir     string // of the file
	missing string // why the mount of that failed
}

// diskSize is the size of the file system when it is not full, for mount.
const diskSize = "size=4g"

func newFileStore(dir string) (backing, error) {
	s := &fileStore{dir: filepath.Join(dir, "store")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", s.dir, "tmpfs", 0, diskSize); err != nil {
		s.missing = fmt.Sprintf("full disk (mount a tmpfs: %v)", err)
	}
	db, err := filekv.Open(s.path(), filekv.Options{})
	if err != nil {
		return nil, err
	}
	return s, db.Close()
}

func (s *fileStore) path() string { return filepath.Join(s.dir, "election.db") }

func (s *fileStore) name() string { return "file:" + s.path() }

func (s *fileStore) inside(_ int, argv []string) []string { return argv }

func (s *fileStore) faults(*nemesis) (possible []fault, missing []string) {
	if s.missing != "" {
		return nil, []string{s.missing}
	}
	return []fault{{name: "full disk", weight: 1, begin: s.fill}}, nil
}

// fill makes the file system as small as what is in it, until it is made larger again.
func (s *fileStore) fill(k *stroke) (end func() bool, ok bool) {
	var stat unix.Statfs_t
	if err := unix.Statfs(s.dir, &stat); err != nil {
		return nil, false
	}
	used := (stat.Blocks - stat.Bfree) * uint64(stat.Bsize)
	if err := unix.Mount("tmpfs", s.dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", used)); err != nil {
		k.nemesis.say("the disk cannot be filled: %v", err)
		return nil, false
	}
	return func() bool {
		err := unix.Mount("tmpfs", s.dir, "tmpfs", unix.MS_REMOUNT, diskSize)
		if err != nil {
			k.nemesis.say("the disk stays full: %v", err)
		}
		return err == nil
	}, true
}

func (s *fileStore) tend() error { return nil }

func (s *fileStore) stop(keep bool) error {
	if s.missing != "" {
		return nil
	}
	var err error
	if keep {
		err = os.CopyFS(s.dir+"-kept", os.DirFS(s.dir))
	}
	return errors.Join(err, unix.Unmount(s.dir, unix.MNT_DETACH))
}
