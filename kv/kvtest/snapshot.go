package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// snapshotCases check that a snapshot read adds no read conflict and sees own
// writes.
var snapshotCases = slices.Concat(interleavings(snapshotTable), []Case{
	{
		Name:  "SnapshotReads/SeeOwnWrites",
		Shows: "a snapshot read sees the transaction's own writes",
		run: func(t *env) {
			t.put("a", "old", "b", "old")
			tr := t.begin()
			tr.Set(t.key("a"), []byte("new"))
			tr.Clear(t.key("b"))
			require.Equal(t, "new", t.get(tr.Snapshot(), "a"))
			require.Equal(t, "a=new", t.all(tr.Snapshot(), "", ""))
		},
	},
	{
		Name:  "SnapshotReads/SameReadVersion",
		Shows: "snapshot reads and other reads of a transaction have the same read version",
		run: func(t *env) {
			tr := t.begin()
			version := t.readVersion(tr.Snapshot())
			t.put("k", "later")
			require.Equal(t, version, t.readVersion(tr))
			require.Equal(t, version, t.readVersion(tr.Snapshot().Snapshot()))
		},
	},
	{
		Name:  "SnapshotReads/SerialisableReadAfterwards",
		Shows: "a serialisable read of a key after a snapshot read of it still conflicts",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr.Snapshot(), "k")
			t.get(tr, "k")
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
})

var snapshotTable = []interleaving{
	{
		name: "SnapshotReads/GetNoConflict", shows: "a snapshot get and a concurrent set of the key",
		read:  func(t *env, tr kv.OwnedTransaction) { t.get(tr.Snapshot(), "k") },
		other: sets("k", "new"), conflict: false,
	},
	{
		name: "SnapshotReads/RangeNoConflict", shows: "a snapshot range read and a concurrent set in the range",
		read:  func(t *env, tr kv.OwnedTransaction) { t.all(tr.Snapshot(), "a", "z") },
		other: sets("k", "new"), conflict: false,
	},
	{
		name: "SnapshotReads/SnapshotOfSnapshotNoConflict", shows: "a get of a snapshot of a snapshot and a concurrent set of the key",
		read:  func(t *env, tr kv.OwnedTransaction) { t.get(tr.Snapshot().Snapshot(), "k") },
		other: sets("k", "new"), conflict: false,
	},
}
