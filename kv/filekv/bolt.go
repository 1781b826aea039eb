package filekv

import (
	"errors"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// tryOnce makes bbolt answer at once where another program has its lock. It
// would wait in steps of 50 ms otherwise, and heed no context.
const tryOnce = 1

// boltFile is bbolt's handle on the store. It lives as long as one wave of
// reads or one commit: bbolt locks the file of an open handle, and a handle
// does not notice what other processes write.
type boltFile struct {
	db   *bbolt.DB
	file *os.File
}

// openBolt opens the file, which must exist and look like a bbolt file.
func (s *store) openBolt(write bool) (*boltFile, error) {
	b := &boltFile{}
	defer func() {
		if b.db == nil { // an error, or a panic that goes on from here
			b.closeFile()
		}
	}()
	db, err := bbolt.Open(s.path, 0, &bbolt.Options{
		ReadOnly:     !write,
		Timeout:      tryOnce,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, _ os.FileMode) (*os.File, error) {
			// bbolt would make a file that has gone, and so an empty store.
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

// unreadable is the error of a file that cannot be opened.
func (s *store) unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &StoreError{Path: s.path, Problem: "it does not exist; check the path", Err: fs.ErrNotExist}
	}
	return &StoreError{Path: s.path, Problem: problemOf(err, "cannot open the file"), Err: causeOf(err)}
}

// inspect looks at the beginning of the file before bbolt maps it.
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
		return &StoreError{Path: s.path, Problem: err.Error() + "; nothing was changed, choose another path or restore a copy", Err: ErrNotAStore}
	}
	if err := meta.fits(info.Size()); err != nil {
		return s.damaged("%v", err)
	}
	return nil
}

// close is safe after a panic too: the file, and with it bbolt's lock, goes in
// any case.
func (b *boltFile) close() {
	defer b.closeFile()
	_ = b.db.Close()
}

func (b *boltFile) closeFile() {
	if b.file != nil {
		_ = b.file.Close() // again, mostly
	}
}

// view calls fn in a transaction that reads.
func (s *store) view(id []byte, fn func(*buckets) error) error {
	return s.transaction(false, id, func(_ *bbolt.Tx, b *buckets) error { return fn(b) })
}

// transaction calls fn in a transaction. fn commits it; without that it is
// rolled back.
func (s *store) transaction(write bool, id []byte, fn func(*bbolt.Tx, *buckets) error) error {
	f, err := s.openBolt(write)
	if err != nil {
		return err
	}
	whole := false // until then, a panic has left bbolt's locks as they were
	defer func() {
		if whole {
			f.close()
		} else {
			f.closeFile()
		}
	}()
	tx, err := f.db.Begin(write)
	if err != nil {
		whole = true
		return s.boltProblem(err, "cannot begin a transaction")
	}
	defer func() {
		_ = tx.Rollback()
		whole = true
	}()
	b, err := s.openBuckets(tx, id)
	if err != nil {
		return err
	}
	return fn(tx, b)
}
