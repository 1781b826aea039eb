package fdbkv

import (
	"context"
	"runtime"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// Database is a kv.Database on a FoundationDB database or tenant. It is safe for
// concurrent use.
type Database struct {
	conn *connection
	// source is a database or tenant of the binding.
	source interface {
		CreateTransaction() (fdb.Transaction, error)
	}
	opts *Options
}

var _ kv.Database = (*Database)(nil)

// FromDatabase returns a Database on a database that the caller has opened. The caller
// also closes it. Close of the result does not.
func FromDatabase(db fdb.Database) *Database {
	return &Database{conn: &connection{db: db}, source: db, opts: &Options{}}
}

// FromTenant returns a Database on a tenant that the caller has opened.
func FromTenant(tenant fdb.Tenant) *Database {
	return &Database{conn: &connection{}, source: tenant, opts: &Options{}}
}

// With returns a Database on the same connection with other options for its
// transactions, for example another priority. It fails if the options are not valid.
func (d *Database) With(opts Options) (*Database, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	return &Database{conn: d.conn, source: d.source, opts: &opts}, nil
}

// Tenant returns a Database on the tenant with that name, with the same options. It does
// not check that the tenant exists. If it does not, every use fails with code 2131
// (tenant_not_found). Ping finds that out.
func (d *Database) Tenant(name []byte) (*Database, error) {
	if d.conn.db == (fdb.Database{}) {
		return nil, kv.Error{Code: kv.CodeInvalidOperation, Err: errNoDatabase}
	}
	var tenant fdb.Tenant
	err := d.conn.use(func() (err error) {
		k := key(name)
		tenant, err = d.conn.db.OpenTenant(&k)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Database{conn: d.conn, source: tenant, opts: d.opts}, nil
}

// CreateTransaction implements kv.Database. When ctx ends, the transaction is cancelled
// and all waits for it return immediately.
func (d *Database) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return d.create(ctx)
}

func (d *Database) create(ctx context.Context) (t *ownedTransaction, err error) {
	defer runtime.KeepAlive(d.source)
	err = d.conn.use(func() error {
		if err := versionSelected(); err != nil {
			return err
		}
		tr, err := d.source.CreateTransaction()
		if err != nil {
			return err
		}
		t, err = begin(ctx, tr, d.opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Transact implements kv.Database. If fn panics with an fdb.Error, as the binding's
// MustGet does, that is treated as an error that fn returned.
func (d *Database) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	tr, err := d.create(ctx)
	if err != nil {
		return err
	}
	return kv.RetryLoop(tr, func(tr kv.Transaction) (err error) {
		defer returnPanic(&err)
		return fn(tr)
	})
}

// ReadTransact implements kv.Database. It treats panics as Transact does.
func (d *Database) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	tr, err := d.create(ctx)
	if err != nil {
		return err
	}
	return kv.ReadRetryLoop(tr, func(tr kv.ReadTransaction) (err error) {
		defer returnPanic(&err)
		return fn(tr)
	})
}

// Ping reads a key. Use it at start-up to find out if the cluster is unreachable or
// locked, or if the tenant does not exist. The client itself retries for ever, so ctx
// needs a deadline.
func (d *Database) Ping(ctx context.Context) error {
	return d.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		_, err := tr.Snapshot().Get(nil).Get()
		return err
	})
}

// Close closes a database that Open opened. Running transactions continue. New ones fail
// with ErrClosed. A second call has no effect.
func (d *Database) Close() error { return d.conn.close() }

// returnPanic converts a panic with an error of the binding to an error. Any other panic
// is a bug of the caller and continues.
func returnPanic(err *error) { //nolint:gocritic // deferred, it changes what its caller returns
	switch p := recover().(type) {
	case nil:
	case fdb.Error:
		*err = convert(p)
	default:
		panic(p)
	}
}
