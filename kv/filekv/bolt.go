package filekv

import (
	"errors"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// tryOnce is a timeout of bbolt.Open so short that it fails immediately if another
// program has the lock. bbolt would otherwise wait in steps of 50 ms, without a
// context.
const tryOnce = 1

// boltFile is bbolt's handle on the store. It is open only during one batch of
// reads or one commit, because bbolt locks the file while a handle is open, and an
// open handle does not see the writes of other processes.
type boltFile struct {
	db   *bbolt.DB
	file *os.File
}

// openBolt opens the file, which must exist and be a bbolt file.
func (s *store) openBolt(write bool) (*boltFile, error) {
	b := &boltFile{}
	defer func() {
		if b.db == nil { // after an error or a panic
			b.closeFile()
		}
	}()
	db, err := bbolt.Open(s.path, 0, &bbolt.Options{
		ReadOnly:     !write,
		Timeout:      tryOnce,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, _ os.FileMode) (*os.File, error) {
			// With O_CREATE, bbolt would create an empty file if the store was removed.
			f, err := os.OpenFile(name, flag&^os.O_CREATE, 0)
			if err != nil {
				return nil, s.unreadable(err)
			}
			b.file = f
			if err := s.inspect(f); err != nil {
				return nil, err
			}
			return f, nil
		},
	})
	if err != nil {
		return nil, s.boltProblem(err, "cannot open the file")
	}
	b.db = db
	return b, nil
}

// unreadable returns the error of a file that cannot be opened.
func (s *store) unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: s.path, Problem: "it does not exist; check the path", Err: fs.ErrNotExist}
	}
	return &StoreError{Path: s.path, Problem: problemOf(err, "cannot open the file"), Err: causeOf(err)}
}

// inspect checks the meta pages of the file before bbolt maps it.
func (s *store) inspect(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return s.unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return &StoreError{Path: s.path, Problem: "it is not a regular file; choose another path", Err: ErrNotAStore}
	}
	meta, err := readMeta(f)
	if err != nil {
		return &StoreError{Path: s.path, Problem: err.Error() + "; nothing was changed; choose another path or restore a copy", Err: ErrNotAStore}
	}
	if err := meta.fits(info.Size()); err != nil {
		return s.damaged("%v", err)
	}
	return nil
}

// close can also be called after a panic. It always closes the file, which releases
// bbolt's lock.
func (b *boltFile) close() {
	defer b.closeFile()
	_ = b.db.Close()
}

func (b *boltFile) closeFile() {
	if b.file != nil {
		_ = b.file.Close() // bbolt has usually closed it already
	}
}

// view calls fn in a read-only transaction.
func (s *store) view(id []byte, fn func(*buckets) error) error {
	return s.transaction(false, id, func(_ *bbolt.Tx, b *buckets) error { return fn(b) })
}

// transaction calls fn in a transaction. It rolls the transaction back unless fn has
// committed it.
func (s *store) transaction(write bool, id []byte, fn func(*bbolt.Tx, *buckets) error) error {
	f, err := s.openBolt(write)
	if err != nil {
		return err
	}
	finished := false // false after a panic, when bbolt's own locks may still be held
	defer func() {
		if finished {
			f.close()
		} else {
			f.closeFile()
		}
	}()
	tx, err := f.db.Begin(write)
	if err != nil {
		finished = true
		return s.boltProblem(err, "cannot begin a transaction")
	}
	defer func() {
		_ = tx.Rollback()
		finished = true
	}()
	b, err := s.openBuckets(tx, id)
	if err != nil {
		return err
	}
	return fn(tx, b)
}
