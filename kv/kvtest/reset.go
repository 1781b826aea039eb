package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// resetCases: Reset and Cancel.
var resetCases = []Case{
	{
		Name:  "Reset/MakesNew",
		Shows: "a reset transaction has neither its writes nor its conflicts any more",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("a"), []byte("before"))
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Reset()
			t.readVersion(tr)
			tr.Set(t.key("b"), []byte("after"))
			t.put("k", "foreign")
			t.commit(tr)
			require.Equal(t, "b=after k=foreign", t.storedAll())
		},
	},
	{
		Name:  "Reset/PendingRead",
		Shows: "a read that waits fails with 1025, and the transaction goes on",
		Needs: []Capability{Holds},
		run:   func(t *T) { t.endPendingRead(kv.OwnedTransaction.Reset) },
	},
	{
		Name:  "Cancel/PendingRead",
		Shows: "a read that waits fails with 1025",
		Needs: []Capability{Holds},
		run:   func(t *T) { t.endPendingRead(kv.OwnedTransaction.Cancel) },
	},
	{
		Name:  "Cancel/EveryUse",
		Shows: "a cancelled transaction fails with 1025 whatever it is asked, and writes nothing",
		run: func(t *T) {
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
		Shows: "Reset makes it usable again",
		run: func(t *T) {
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
		Shows: "a cancel during the commit ends its wait with 1025, and its outcome is Unsettled",
		Needs: []Capability{Holds},
		run: func(t *T) {
			arrived, release := t.Hold(OpCommit)
			defer release()
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			committed := t.background(tr.Commit)
			t.await(arrived, "the commit")
			tr.Cancel()
			err := committed()
			t.fails(err, kv.CodeTransactionCancelled, "Commit")
			require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		},
	},
}

// endPendingRead ends a transaction in one of two ways while a read of it
// waits.
func (t *T) endPendingRead(end func(tr kv.OwnedTransaction)) {
	t.Helper()
	arrived, release := t.Hold(OpRead)
	defer release()
	tr := t.begin()
	pending := tr.Get(t.key("k"))
	read := t.background(func() error {
		_, err := pending.Get()
		return err
	})
	t.await(arrived, "the read")
	end(tr)
	t.fails(read(), kv.CodeTransactionCancelled, "Get")
	_, err := pending.Get()
	t.fails(err, kv.CodeTransactionCancelled, "Get again")
	release()
	tr.Reset()
	require.Equal(t, absent, t.get(tr, "k"))
}
