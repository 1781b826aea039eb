package elector_test

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// errDisk is an error of the store. A commit that fails with it has not committed.
var errDisk = kv.Error{Code: kv.CodeIOError}

// on restricts a hook to one kind of call of one client.
func on(kind memkv.CallKind, client string, h hook) hook {
	return func(ctx context.Context, c *memkv.Call) error {
		if c.Kind != kind || c.Client != client {
			return nil
		}
		return h(ctx, c)
	}
}

// of restricts a hook to one client.
func of(client string, h hook) hook {
	return func(ctx context.Context, c *memkv.Call) error {
		if c.Client != client {
			return nil
		}
		return h(ctx, c)
	}
}

// fail returns an error for each call.
func fail(err error) hook { return func(context.Context, *memkv.Call) error { return err } }

// hang waits until the caller gives up.
func hang(ctx context.Context, _ *memkv.Call) error {
	<-ctx.Done()
	return ctx.Err()
}

// delayed delays each call.
func delayed(d time.Duration) hook {
	return func(ctx context.Context, _ *memkv.Call) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once runs a hook for the first call that matches. The function that it returns reports
// whether there was one.
func once(matches func(c *memkv.Call) bool, h hook) (hook, func() bool) {
	var done atomic.Bool
	return func(ctx context.Context, c *memkv.Call) error {
		if !matches(c) || done.Swap(true) {
			return nil
		}
		return h(ctx, c)
	}, done.Load
}

// commits returns a function that reports whether a call is a commit of a client that writes
// a record of the election.
func (tc *cluster) commits(client string, record string) func(c *memkv.Call) bool {
	key := tc.election.Subspace().Sub(record).Bytes()
	return func(c *memkv.Call) bool {
		if c.Kind != memkv.CallCommit || c.Client != client {
			return false
		}
		for i := range c.Commit.Mutations {
			if bytes.HasPrefix(c.Commit.Mutations[i].Key, key) {
				return true
			}
		}
		return false
	}
}

// counter counts calls of the store by client.
type counter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *counter) hook(kind memkv.CallKind) hook {
	return func(_ context.Context, call *memkv.Call) error {
		if call.Kind != kind {
			return nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.calls == nil {
			c.calls = make(map[string]int)
		}
		c.calls[call.Client]++
		return nil
	}
}

func (c *counter) of(client string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[client]
}

// everyFifth returns an error for every fifth call, one code after the other.
func everyFifth(codes ...int) hook {
	var calls atomic.Int64
	return func(context.Context, *memkv.Call) error {
		if n := calls.Add(1); n%5 == 0 {
			return kv.Error{Code: codes[int(n/5)%len(codes)]}
		}
		return nil
	}
}
