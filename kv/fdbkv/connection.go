package fdbkv

import (
	"errors"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

var errNoDatabase = errors.New("fdbkv: this Database is a tenant, or its fdb.Database was never opened")

// connection is a database of the binding. The Databases that are made from it share
// it. If a closed database is used, the binding crashes, but a connection returns an
// error.
type connection struct {
	db     fdb.Database
	shared *shared // nil if the caller opened the database

	mu     sync.RWMutex
	closed bool
}

// use runs a call of the binding while the database is open. It converts errors and
// panics to a kv.Error.
func (c *connection) use(call func() error) (err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return kv.Error{Code: kv.CodeInvalidOperation, Err: ErrClosed}
	}
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	if err := call(); err != nil {
		return convert(err)
	}
	return nil
}

func (c *connection) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.shared == nil {
		return nil
	}
	c.closed = true
	c.shared.release()
	return nil
}
