package check

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// LateWrite returns the hooks of a store that sends the first commit that sets the key on the channel
// instead of applying it. Its client learns that it may still arrive.
func LateWrite(key []byte) (*memkv.Hooks, <-chan *memkv.LateCommit) {
	var seen atomic.Bool
	late := make(chan *memkv.LateCommit, 1)
	return &memkv.Hooks{Before: func(_ context.Context, c *memkv.Call) error {
		if !Sets(c, key) || seen.Swap(true) {
			return nil
		}
		late <- c.Detach()
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	}}, late
}

// Sets reports whether a call is a commit that sets the key.
func Sets(c *memkv.Call, key []byte) bool {
	if c.Kind != memkv.CallCommit {
		return false
	}
	for _, m := range c.Commit.Mutations {
		if m.Kind == memkv.MutationSet && bytes.Equal(m.Key, key) {
			return true
		}
	}
	return false
}
