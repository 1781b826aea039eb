package filekv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// DB is a store that is open in this process. It is safe for concurrent use.
type DB struct {
	store *store
}

var _ kv.Database = (*DB)(nil)

// Open opens the store at path, and creates it where there is no file, unless
// opts.MustExist says otherwise. The directory must exist. The whole structure
// of an existing file is checked; nothing is ever overwritten.
//
// The error is a StoreError: it names the file, and matches one of this
// package's errors, fs.ErrNotExist, fs.ErrPermission, context.DeadlineExceeded
// after opts.OpenTimeout, or whatever the file system answered. After an error
// Open may be tried again.
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	resolved, missing, err := locate(path, opts.MustExist)
	if err != nil {
		return nil, err
	}
	if !missing {
		if err := preview(resolved); err != nil {
			return nil, err
		}
	}
	s, err := newStore(resolved, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded(opts.OpenTimeout)
	defer cancel()
	if missing {
		_, err = access(ctx, s, exclusive, func(*attempt) (struct{}, error) { return struct{}{}, s.createMissing() })
	}
	if err == nil {
		s.id, err = access(ctx, s, shared, func(*attempt) ([]byte, error) { return s.examine() })
	}
	if err != nil {
		_ = s.close()
		if se, ok := errors.AsType[*StoreError](err); ok {
			return nil, se
		}
		return nil, err
	}
	return &DB{store: s}, nil
}

// preview looks at a file that has no lock file, and so is in nobody's use: beside
// something that is no store none is made.
func preview(path string) error {
	s := &store{path: path}
	if _, err := os.Lstat(path + lockSuffix); !errors.Is(err, fs.ErrNotExist) {
		return nil // it is looked at under the lock
	}
	f, err := os.Open(path)
	if err != nil {
		return s.unreadable(err)
	}
	defer func() { _ = f.Close() }()
	return s.inspect(f)
}

// locate returns the path without symbolic links, so that all processes meet
// on the same lock file, and whether there is no file yet.
func locate(path string, mustExist bool) (resolved string, missing bool, err error) {
	fail := func(problem string, err error) (string, bool, error) {
		return "", false, &StoreError{Path: path, Problem: problem, Err: causeOf(err)}
	}
	if path == "" {
		return fail("the path is empty; name a file", fs.ErrInvalid)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fail("cannot make the path absolute", err)
	}
	_, err = os.Lstat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir, err := filepath.EvalSymlinks(filepath.Dir(absolute))
		if err != nil {
			return fail(problemOf(err, "cannot find its directory "+filepath.Dir(absolute)), err)
		}
		if mustExist {
			return fail("there is no store here; check the path, or create one by opening it to write", fs.ErrNotExist)
		}
		return filepath.Join(dir, filepath.Base(absolute)), true, nil
	case err != nil:
		return fail(problemOf(err, "cannot find the file"), err)
	}
	if resolved, err = filepath.EvalSymlinks(absolute); err != nil {
		return fail(problemOf(err, "cannot follow the symbolic link"), err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return fail(problemOf(err, "cannot look at the file"), err)
	}
	switch {
	case info.IsDir():
		return fail("it is a directory; name a file in it", ErrNotAStore)
	case !info.Mode().IsRegular():
		return fail("it is not a regular file; choose another path", ErrNotAStore)
	case info.Size() == 0:
		return fail("it is empty, so it is no store; if nothing was in it, remove it and open again", ErrNotAStore)
	}
	return resolved, false, nil
}

// createMissing creates the store, unless another process was faster. The
// store is locked.
func (s *store) createMissing() error {
	_, err := os.Lstat(s.path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return s.create()
	default:
		return s.unreadable(err)
	}
}

// examine checks the whole file and returns the store's identity. The store
// is locked.
func (s *store) examine() (id []byte, err error) {
	if err := s.checkFile(); err != nil {
		return nil, err
	}
	err = s.view(nil, func(b *buckets) error {
		id = clone(b.meta.Get(fieldID))
		return nil
	})
	return id, err
}

// checkFile checks every page that can be reached.
func (s *store) checkFile() error {
	// Not only to read: a file that cannot be written is found out now.
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return s.unreadable(err)
	}
	defer func() { _ = f.Close() }()
	if err := s.inspect(f); err != nil {
		return err
	}
	meta, err := readMeta(f)
	if err == nil {
		err = checkPages(f, meta)
	}
	if err != nil {
		return s.damaged("%v", err)
	}
	return nil
}

// Path returns the file, as an absolute path without symbolic links.
func (db *DB) Path() string { return db.store.path }

// Close ends every wait with ErrClosed, waits for what is just being read or
// written, and releases everything. Watches fail with code 1025. Calling it
// again is harmless.
func (db *DB) Close() error { return db.store.close() }

// begin starts a transaction.
func (db *DB) begin(ctx context.Context) *client.Transaction {
	return client.NewTransaction(ctx, db.store, client.Options{})
}

// Transact implements kv.Database.
func (db *DB) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return kv.RetryLoop(db.begin(ctx), fn)
}

// ReadTransact implements kv.Database.
func (db *DB) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	return kv.ReadRetryLoop(db.begin(ctx), fn)
}

// CreateTransaction implements kv.Database. It never fails: where ctx has
// ended or the DB is closed, the first use of the transaction says so.
func (db *DB) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return db.begin(ctx), nil
}
