package filekv

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// create makes an empty store where there is no file. It is written under
// another name and gets its own when it is whole, so that a process that dies
// here leaves nothing half done. The store is locked.
func (s *store) create() error {
	fresh := s.path + newSuffix
	// One that a process left when it died. The lock says that nobody uses it.
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: fresh, Problem: problemOf(err, "cannot remove what an interrupted creation left"), Err: causeOf(err)}
	}
	defer func() { _ = os.Remove(fresh) }()
	if err := s.writeEmpty(fresh); err != nil {
		return s.boltProblem(err, "cannot create the store")
	}
	// A link never replaces a file that somebody else has put there meanwhile.
	err := os.Link(fresh, s.path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Some file systems have no links. They have the lock only.
		if _, gone := os.Lstat(s.path); errors.Is(gone, fs.ErrNotExist) {
			err = os.Rename(fresh, s.path)
		}
	}
	if err != nil {
		return &StoreError{Path: s.path, Problem: problemOf(err, "cannot create the store"), Err: causeOf(err)}
	}
	return syncDirectory(filepath.Dir(s.path))
}

// writeEmpty writes a store without keys.
func (s *store) writeEmpty(path string) error {
	var id [idSize]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	micros := s.Now().UnixMicro()
	// A store that replaces one that was lost goes on above it, as clocks go.
	first := max(micros, 1)
	st := state{version: first, micros: micros, floor: first}
	db, err := bbolt.Open(path, s.opts.Mode, &bbolt.Options{Timeout: tryOnce, FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketData, bucketLog} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(
			meta.Put(fieldMagic, []byte(magic)),
			meta.Put(fieldFormat, binary.BigEndian.AppendUint32(nil, formatVersion)),
			meta.Put(fieldID, id[:]),
			meta.Put(fieldState, st.encode()),
		)
	})
	return errors.Join(err, db.Close())
}

// syncDirectory makes a new name in a directory durable.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return &StoreError{Path: path, Problem: problemOf(err, "cannot make the new file's name durable"), Err: causeOf(err)}
	}
	return nil
}
