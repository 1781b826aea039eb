package kvtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// watchFailureCases: how a watch ends without firing.
var watchFailureCases = []Case{
	{
		Name:  "WatchFailure/Reset",
		Shows: "a reset before the commit fails it with 1025",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.NoError(t, watch.Err())
			tr.Reset()
			t.broken(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/TransactionCancelled",
		Shows: "so does a reset after a cancel of the transaction",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.Cancel()
			tr.Reset()
			t.broken(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/Retry",
		Shows: "and a retry by OnError",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			t.broken(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/Cancel",
		Shows: "Cancel fails it with 1029, committed or not, and again is harmless",
		run: func(t *T) {
			committed := t.watching("k")
			committed.Cancel()
			committed.Cancel()
			t.broken(committed, kv.CodeWatchCancelled)

			tr := t.begin()
			pending := tr.Watch(t.key("k"))
			pending.Cancel()
			t.broken(pending, kv.CodeWatchCancelled)
			tr.Set(t.key("k"), []byte("new"))
			t.commit(tr)
			t.fails(pending.Err(), kv.CodeWatchCancelled, "Err stays as it is")
		},
	},
	{
		Name:  "WatchFailure/FailedRead",
		Shows: "a commit that never began, because a read had failed, leaves it until Reset",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.SetVersionstampedValue(t.key("stamped"), stampTemplate("", ""))
			t.getFails(tr, "stamped", kv.CodeAccessedUnreadable)
			t.commitFails(tr, kv.CodeAccessedUnreadable)
			tr.Reset()
			t.broken(watch, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "WatchFailure/CommitRefused",
		Shows: "a commit that is refused fails it with the error of the commit",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			t.get(tr, "k")
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "foreign")
			t.commitFails(tr, kv.CodeNotCommitted)
			t.broken(watch, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "WatchFailure/CommitTooLarge",
		Shows: "also where the client refused it",
		run: func(t *T) {
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			t.setMany(tr, 102)
			t.commitFails(tr, kv.CodeTransactionTooLarge)
			t.broken(watch, kv.CodeTransactionTooLarge)
		},
	},
	{
		Name:  "WatchFailure/TooMany",
		Shows: "the watch after the 10,000th fails with 1032, and one fewer makes room for it",
		Needs: []Capability{WatchLimit},
		run:   tooManyWatches,
	},
	{
		Name:  "WatchFailure/ContextEndsBeforeCommit",
		Shows: "a watch whose transaction's context ends before the commit fails",
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.ctx)
			tr := t.beginIn(ctx)
			watch := tr.Watch(t.key("k"))
			cancel()
			require.Error(t, tr.Commit())
			t.await(watch.Done(), "the failure of the watch")
			require.ErrorIs(t, watch.Err(), context.Canceled)
		},
	},
	{
		Name:  "WatchFailure/FunctionFails",
		Shows: "a watch of a Transact whose function fails or panics fails with 1025",
		run: func(t *T) {
			var watch kv.Watch
			err := t.Transact(t.ctx, func(tr kv.Transaction) error {
				t.get(tr, "k")
				watch = tr.Watch(t.key("k"))
				return failure
			})
			require.Same(t, failure, err)
			t.broken(watch, kv.CodeTransactionCancelled)

			require.Panics(t, func() {
				_ = t.Transact(t.ctx, func(tr kv.Transaction) error {
					watch = tr.Watch(t.key("k"))
					panic("the application's own")
				})
			})
			t.broken(watch, kv.CodeTransactionCancelled)
		},
	},
}

func tooManyWatches(t *T) {
	const limit = 10_000
	const portion = 500 // more might grow too old before its commit, on a busy machine
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
	_ = beyond.Commit() // the watch fails, whether the commit does or not
	t.broken(watch, kv.CodeTooManyWatches)

	watches[0].Cancel()
	t.broken(watches[0], kv.CodeWatchCancelled)
	room := t.watching("k")
	t.put("k", "new")
	t.fired(room)
}
