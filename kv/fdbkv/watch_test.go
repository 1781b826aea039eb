package fdbkv_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestWatchEndsWithARetry: a watch always fails if its transaction is retried. The client
// alone would keep a watch whose value is being read at that time, and it would fire with
// the next attempt.
func TestWatchEndsWithARetry(t *testing.T) {
	key := append(prefix(t), "k"...)
	db := open(t, fdbkv.Options{})
	for range 10 {
		var first, last kv.Watch
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			last = tr.Watch(key)
			if first == nil {
				first = last
				return kv.Error{Code: kv.CodeNotCommitted}
			}
			return nil
		}))
		ended(t, first)
		require.ErrorIs(t, first.Err(), kv.Error{Code: kv.CodeTransactionCancelled})
		require.NoError(t, last.Err())
		last.Cancel()
		require.ErrorIs(t, last.Err(), kv.Error{Code: kv.CodeWatchCancelled})
	}
}

// TestWatchEndsWithItsContext: a watch fails when the context ends, if its transaction has
// not committed.
func TestWatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	tr, err := open(t, fdbkv.Options{}).CreateTransaction(ctx)
	require.NoError(t, err)
	defer tr.Cancel()
	watch := tr.Watch(append(prefix(t), "k"...))
	cancel(errStopped)
	require.ErrorIs(t, tr.Commit(), errStopped)
	ended(t, watch)
	require.ErrorIs(t, watch.Err(), errStopped)
}

// TestWatchOutlivesItsContext: the end of the context does not affect a watch whose
// transaction has committed.
func TestWatchOutlivesItsContext(t *testing.T) {
	key := append(prefix(t), "k"...)
	db := open(t, fdbkv.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var watch kv.Watch
	require.NoError(t, db.Transact(ctx, func(tr kv.Transaction) error {
		watch = tr.Watch(key)
		return nil
	}))
	done := watch.Done()
	cancel()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set(key, []byte("new"))
		return nil
	}))
	require.NoError(t, await(t, background(func() error { <-done; return watch.Err() })))
}

// TestWatchCostsNoGoroutineWithoutDone: a watch does not use a goroutine if Done was not called
// or if it was cancelled.
func TestWatchCostsNoGoroutineWithoutDone(t *testing.T) {
	const watches = 50
	key := append(prefix(t), "k"...)
	db := open(t, fdbkv.Options{})
	before := runtime.NumGoroutine()
	all := make([]kv.Watch, watches)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		for i := range all {
			all[i] = tr.Watch(key)
		}
		return nil
	}))
	require.Less(t, runtime.NumGoroutine(), before+watches/2)
	for _, watch := range all {
		watch.Done()
	}
	for _, watch := range all {
		watch.Cancel()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+watches/2 }, patience, time.Millisecond)
}

// ended waits for the end of a watch.
func ended(t testing.TB, watch kv.Watch) {
	t.Helper()
	select {
	case <-watch.Done():
	case <-time.After(patience):
		t.Fatalf("the watch did not end within %v", patience)
	}
}
