package fdbkv

import (
	"context"
	"runtime"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// Database is a kv.Database over FoundationDB: all of it or one tenant. It is
// safe for concurrent use.
type Database struct {
	conn *connection
	// source is the binding's database or tenant.
	source interface {
		CreateTransaction() (fdb.Transaction, error)
	}
	opts *Options
}

var _ kv.Database = (*Database)(nil)

// FromDatabase returns a Database over one that the caller has opened, and that
// the caller closes. Close of the result does nothing to it.
func FromDatabase(db fdb.Database) *Database {
	return &Database{conn: &connection{db: db}, source: db, opts: &Options{}}
}

// FromTenant returns a Database over a tenant that the caller has opened.
func FromTenant(tenant fdb.Tenant) *Database {
	return &Database{conn: &connection{}, source: tenant, opts: &Options{}}
}

// With returns a Database over the same connection whose transactions have
// other options: renewals with a priority of their own, for example. It fails
// where the options are not valid.
func (d *Database) With(opts Options) (*Database, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	return &Database{conn: d.conn, source: d.source, opts: &opts}, nil
}

// Tenant returns a Database over the tenant of that name, with the same options.
// Whether there is such a tenant shows when it is used: Ping fails with code
// 2131 (tenant_not_found) where there is none.
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

// CreateTransaction implements kv.Database. When ctx ends, the transaction is
// cancelled, and whoever waits for it learns of it at once.
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

// Transact implements kv.Database. A panic of fn with an fdb.Error, as from the
// binding's MustGet, counts as an error that fn returned.
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

// ReadTransact implements kv.Database. Panics count as in Transact.
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

// Ping reads a key. It is how to find out at start-up that a cluster cannot be
// reached, that it is locked, or that there is no such tenant: the client itself
// would try for ever, so give ctx an end.
func (d *Database) Ping(ctx context.Context) error {
	return d.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		_, err := tr.Snapshot().Get(nil).Get()
		return err
	})
}

// Close closes what Open opened. Transactions under way go on; later ones fail
// with ErrClosed. Closing again is harmless.
func (d *Database) Close() error { return d.conn.close() }

// returnPanic turns a panic with one of the binding's errors into an error.
// Any other panic is somebody's bug, and goes on.
func returnPanic(err *error) { //nolint:gocritic // deferred, it changes what its caller returns
	switch p := recover().(type) {
	case nil:
	case fdb.Error:
		*err = convert(p)
	default:
		panic(p)
	}
}
