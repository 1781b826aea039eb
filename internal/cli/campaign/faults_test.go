package campaign_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

type hook = func(ctx context.Context, c *memkv.Call) error

// countReads counts waves of reads by client.
func countReads(reads map[string]int) hook {
	var mu sync.Mutex
	return func(_ context.Context, c *memkv.Call) error {
		if c.Kind == memkv.CallRead {
			mu.Lock()
			defer mu.Unlock()
			reads[c.Client]++
		}
		return nil
	}
}

// failWatches fails every watch, and counts them.
func failWatches(watches *atomic.Int64) hook {
	return func(_ context.Context, c *memkv.Call) error {
		if c.Kind != memkv.CallWatch {
			return nil
		}
		watches.Add(1)
		return kv.Error{Code: kv.CodeTooManyWatches}
	}
}

// fireWatches fires every watch at once, and counts them.
func fireWatches(watches *atomic.Int64) hook {
	return func(_ context.Context, c *memkv.Call) error {
		if c.Kind == memkv.CallWatch {
			watches.Add(1)
			w := c.Watch
			time.AfterFunc(1, func() { w.Notify(nil) }) // not at once: see atOnce
		}
		return nil
	}
}

// on restricts a hook to one kind of call of one client.
func on(kind memkv.CallKind, client string, h hook) hook {
	return func(ctx context.Context, c *memkv.Call) error {
		if c.Kind != kind || c.Client != client {
			return nil
		}
		return h(ctx, c)
	}
}
