package kvtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// watchFailureCases cover how a watch fails.
var watchFailureCases = []Case{
	{
		Name:  "WatchFailure/Reset",
		Shows: "Reset before the commit fails the watch with 1025",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.NoError(t, watch.Err())
			tr.Reset()
			t.watchFails(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/TransactionCancelled",
		Shows: "Cancel and then Reset of the transaction fails the watch with 1025",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.Cancel()
			tr.Reset()
			t.watchFails(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/Retry",
		Shows: "a retry by OnError fails the watch with 1025",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			t.watchFails(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/Cancel",
		Shows: "Cancel fails the watch with 1029 before and after the commit, and a second Cancel does nothing",
		run: func(t *env) {
			committed := t.committedWatch("k")
			committed.Cancel()
			committed.Cancel()
			t.watchFails(committed, kv.CodeWatchCancelled)

			tr := t.begin()
			pending := tr.Watch(t.key("k"))
			pending.Cancel()
			t.watchFails(pending, kv.CodeWatchCancelled)
			tr.Set(t.key("k"), []byte("new"))
			t.commit(tr)
			t.fails(pending.Err(), kv.CodeWatchCancelled, "Err after the commit")
		},
	},
	{
		Name:  "WatchFailure/FailedRead",
		Shows: "if the commit never begins because a read failed, the watch fails only at Reset",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.SetVersionstampedValue(t.key("stamped"), stampTemplate("", ""))
			t.getFails(tr, "stamped", kv.CodeAccessedUnreadable)
			t.commitFails(tr, kv.CodeAccessedUnreadable)
			tr.Reset()
			t.watchFails(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/CommitConflicts",
		Shows: "if the commit conflicts, the watch fails with the error of the commit",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			t.get(tr, "k")
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
			t.watchFails(watch, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "WatchFailure/CommitTooLarge",
		Shows: "if the client rejects the commit, the watch fails with the error of the commit",
		run: func(t *env) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			t.setMany(tr, 102)
			t.commitFails(tr, kv.CodeTransactionTooLarge)
			t.watchFails(watch, kv.CodeTransactionTooLarge)
		},
	},
	{
		Name:  "WatchFailure/TooMany",
		Shows: "a watch beyond the limit of 10,000 fails with 1032, and cancelling another makes room for it",
		Needs: []Capability{WatchLimit},
		run:   tooManyWatches,
	},
	{
		Name:  "WatchFailure/ContextEndsBeforeCommit",
		Shows: "if the context ends before the commit, the watch fails",
		run: func(t *env) {
			ctx, cancel := context.WithCancel(t.ctx)
			tr := t.beginIn(ctx)
			watch := tr.Watch(t.key("k"))
			cancel()
			require.Error(t, tr.Commit())
			t.await(watch.Done(), "the watch should fail")
			require.ErrorIs(t, watch.Err(), context.Canceled)
		},
	},
	{
		Name:  "WatchFailure/FunctionFails",
		Shows: "if the function of Transact fails or panics, its watches fail with 1025",
		run: func(t *env) {
			var watch kv.Watch
			err := t.Transact(t.ctx, func(tr kv.Transaction) error {
				t.get(tr, "k")
				watch = tr.Watch(t.key("k"))
				return failure
			})
			require.Same(t, failure, err)
			t.watchFails(watch, kv.CodeTransactionCancelled)

			require.Panics(t, func() {
				_ = t.Transact(t.ctx, func(tr kv.Transaction) error {
					watch = tr.Watch(t.key("k"))
					panic("application error")
				})
			})
			t.watchFails(watch, kv.CodeTransactionCancelled)
		},
	},
}

func tooManyWatches(t *env) {
	const limit = 10_000
	const portion = 500 // a larger transaction might expire on a busy machine
	watches := make([]kv.Watch, 0, limit)
	defer func() {
		for _, watch := range watches {
			watch.Cancel()
		}
	}()
	for len(watches) < limit {
		tr := t.begin()
		for range portion {
			watches = append(watches, tr.Watch(t.key("k")))
		}
		t.commit(tr)
	}
	for _, watch := range watches {
		require.NoError(t, watch.Err())
	}
	beyond := t.begin()
	watch := beyond.Watch(t.key("k"))
	_ = beyond.Commit() // the commit may also fail
	t.watchFails(watch, kv.CodeTooManyWatches)

	watches[0].Cancel()
	t.watchFails(watches[0], kv.CodeWatchCancelled)
	room := t.committedWatch("k")
	t.put("k", "new")
	t.watchFires(room)
}
