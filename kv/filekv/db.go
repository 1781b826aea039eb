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

// Open opens the store at path. If there is no file, it creates one, unless
// opts.MustExist is set. The directory must exist. Open checks the whole structure
// of an existing file and never overwrites it.
//
// The error is a StoreError that names the file. It matches one of this package's
// errors, fs.ErrNotExist, fs.ErrPermission, context.DeadlineExceeded after
// opts.OpenTimeout, or another error of the file system. Open can be retried after an
// error.
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	resolved, missing, err := locate(path, opts.MustExist)
	if err != nil {
		return nil, err
	}
	if !missing {
		if err := inspectNew(resolved); err != nil {
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

// inspectNew checks a file that has no lock file yet, so that Open does not create a
// lock file beside a file that is not a store. Without a lock file, no process uses
// the store.
func inspectNew(path string) error {
	s := &store{path: path}
	if _, err := os.Lstat(path + lockSuffix); !errors.Is(err, fs.ErrNotExist) {
		return nil // Open inspects the store with the lock held
	}
	f, err := os.Open(path)
	if err != nil {
		return s.unreadable(err)
	}
	defer func() { _ = f.Close() }()
	return s.inspect(f)
}

// locate resolves symbolic links, so that all processes use the same lock file. It
// also reports whether the file is missing.
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
			return fail("there is no store here; check the path, or create a store first", fs.ErrNotExist)
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
		return fail(problemOf(err, "cannot inspect the file"), err)
	}
	switch {
	case info.IsDir():
		return fail("it is a directory; name a file in it", ErrNotAStore)
	case !info.Mode().IsRegular():
		return fail("it is not a regular file; choose another path", ErrNotAStore)
	case info.Size() == 0:
		return fail("it is empty, so it is not a store; if it never held data, remove it and open the store again", ErrNotAStore)
	}
	return resolved, false, nil
}

// createMissing creates the store unless another process has created it. The store
// is locked.
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

// examine checks the whole file and returns the id of the store. The store is locked.
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

// checkFile checks every reachable page.
func (s *store) checkFile() error {
	// The file is opened for writing to find missing permissions early.
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

// Close ends every wait with ErrClosed, waits for the running read or write, and
// releases all resources. Watches fail with code 1025. A second call has no effect.
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

// CreateTransaction implements kv.Database. It never fails. If ctx has ended or the
// DB is closed, the first use of the transaction returns the error.
func (db *DB) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return db.begin(ctx), nil
}
