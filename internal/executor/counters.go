package executor

import (
	"sync/atomic"

	"github.com/fdbelection/fdbelection/kv"
)

// Counters counts what went wrong with transactions. A nil *Counters counts nothing. It
// allocates nothing, so a cycle costs the same with it.
type Counters struct {
	retries, conflicts atomic.Uint64
}

// Retries returns how many attempts were not the first one of their transaction.
func (c *Counters) Retries() uint64 { return c.retries.Load() }

// Conflicts returns how many attempts of election cycles failed with a conflict.
func (c *Counters) Conflicts() uint64 { return c.conflicts.Load() }

// attempt counts a retry, unless it is the first attempt.
func (c *Counters) attempt(first bool) {
	if c != nil && !first {
		c.retries.Add(1)
	}
}

// failed counts an attempt that failed with a conflict.
func (c *Counters) failed(err error) {
	if c != nil && kv.CodeOf(err) == kv.CodeNotCommitted {
		c.conflicts.Add(1)
	}
}
