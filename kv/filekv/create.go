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

// create creates an empty store if there is no file. It writes the file under a
// temporary name and renames it when it is complete, so a process that dies in
// between does not leave an incomplete store. The store is locked.
func (s *store) create() error {
	temporary := s.path + newSuffix
	// A process may have left one when it died. The lock is held, so it is not in use.
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: temporary, Problem: problemOf(err, "cannot remove the temporary file of an interrupted creation"), Err: causeOf(err)}
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := s.writeEmpty(temporary); err != nil {
		return s.boltProblem(err, "cannot create the store")
	}
	// A link never replaces a file that was created there in the meantime.
	err := os.Link(temporary, s.path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Some file systems do not support links. There, only the lock protects a file
		// that another process creates.
		if _, gone := os.Lstat(s.path); errors.Is(gone, fs.ErrNotExist) {
			err = os.Rename(temporary, s.path)
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
	// Versions start at the time, so that a store that replaces a lost one continues
	// above its versions.
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
			meta.Put(fieldFormat, binary.BigEndian.AppendUint32(nil, FormatVersion)),
			meta.Put(fieldID, id[:]),
			meta.Put(fieldState, st.encode()),
		)
	})
	return errors.Join(err, db.Close())
}

// syncDirectory makes a new directory entry durable.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return &StoreError{Path: path, Problem: problemOf(err, "cannot sync the directory"), Err: causeOf(err)}
	}
	return nil
}
