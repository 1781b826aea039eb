package fdbkv

import (
	"errors"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

var errNoDatabase = errors.New("fdbkv: this Database stands for a tenant, or for an fdb.Database that was never opened")

// connection is a database of the binding's, shared by the Databases made from
// it. The binding crashes where a closed one is used; a connection refuses.
type connection struct {
	db     fdb.Database
	shared *shared // nil where the caller opened it

	mu     sync.RWMutex
	closed bool
}

// use runs a call of the binding's while the database is open, and makes a
// kv.Error of what it answers or panics with.
func (c *connection) use(call func() error) (err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return kv.Error{Code: kv.CodeInvalidOperation, Err: ErrClosed}
	}
	defer func() {
		if p := recover(); p != nil {
			err = caught(p)
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
