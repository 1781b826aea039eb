package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// resetCases cover Reset and Cancel.
var resetCases = []Case{
	{
		Name:  "Reset/DiscardsWrites",
		Shows: "Reset discards the writes and conflicts of a transaction",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("a"), []byte("before"))
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Reset()
			t.readVersion(tr)
			tr.Set(t.key("b"), []byte("after"))
			t.put("k", "other")
			t.commit(tr)
			require.Equal(t, "b=after k=other", t.storedAll())
		},
	},
	{
		Name:  "Reset/PendingRead",
		Shows: "Reset makes a pending read fail with 1025, and the transaction can be used again",
		Needs: []Capability{Holds},
		run:   func(t *env) { t.endPendingRead(kv.OwnedTransaction.Reset) },
	},
	{
		Name:  "Cancel/PendingRead",
		Shows: "Cancel makes a pending read fail with 1025",
		Needs: []Capability{Holds},
		run:   func(t *env) { t.endPendingRead(kv.OwnedTransaction.Cancel) },
	},
	{
		Name:  "Cancel/EveryUse",
		Shows: "every use of a cancelled transaction fails with 1025, and it writes nothing",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			tr.Cancel()
			tr.Cancel()
			t.getFails(tr, "k", kv.CodeTransactionCancelled)
			t.getFails(tr.Snapshot(), "k", kv.CodeTransactionCancelled)
			t.scanFails(tr, "a", "z", kv.CodeTransactionCancelled)
			_, err := tr.GetReadVersion().Get()
			t.fails(err, kv.CodeTransactionCancelled, "GetReadVersion")
			_, err = stamp.Get()
			t.fails(err, kv.CodeTransactionCancelled, "GetVersionstamp")
			t.fails(tr.OnError(kv.Error{Code: kv.CodeNotCommitted}), kv.CodeTransactionCancelled, "OnError")
			t.commitFails(tr, kv.CodeTransactionCancelled)
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Cancel/ThenReset",
		Shows: "a cancelled transaction can be used again after Reset",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("before"))
			tr.Cancel()
			tr.Reset()
			require.Equal(t, absent, t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("after"))
			t.commit(tr)
			require.Equal(t, "after", t.stored("k"))
		},
	},
	{
		Name:  "Cancel/PendingCommit",
		Shows: "Cancel makes a pending commit fail with 1025, and the outcome is Unsettled",
		Needs: []Capability{Holds},
		run: func(t *env) {
			arrived, release := t.Hold(OpCommit)
			defer release()
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			committed := t.background(tr.Commit)
			t.await(arrived, "the commit did not begin")
			tr.Cancel()
			err := committed()
			t.fails(err, kv.CodeTransactionCancelled, "Commit")
			require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		},
	},
}

// endPendingRead calls end while a read of the transaction is pending.
func (t *env) endPendingRead(end func(tr kv.OwnedTransaction)) {
	t.Helper()
	arrived, release := t.Hold(OpRead)
	defer release()
	tr := t.begin()
	pending := tr.Get(t.key("k"))
	read := t.background(func() error {
		_, err := pending.Get()
		return err
	})
	t.await(arrived, "the read did not begin")
	end(tr)
	t.fails(read(), kv.CodeTransactionCancelled, "Get")
	_, err := pending.Get()
	t.fails(err, kv.CodeTransactionCancelled, "second Get")
	release()
	tr.Reset()
	require.Equal(t, absent, t.get(tr, "k"))
}
