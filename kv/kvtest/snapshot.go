package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// snapshotCases: a snapshot read adds no read conflict and sees own writes.
var snapshotCases = slices.Concat(meetings(snapshotMeetings), []Case{
	{
		Name:  "SnapshotReads/SeeOwnWrites",
		Shows: "a snapshot read sees the writes of its own transaction",
		run: func(t *T) {
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
		Shows: "snapshot reads and others of a transaction read at one version",
		run: func(t *T) {
			tr := t.begin()
			version := t.readVersion(tr.Snapshot())
			t.put("k", "later")
			require.Equal(t, version, t.readVersion(tr))
			require.Equal(t, version, t.readVersion(tr.Snapshot().Snapshot()))
		},
	},
	{
		Name:  "SnapshotReads/SerialisableReadBesideIt",
		Shows: "a serialisable read of the key after the snapshot read conflicts all the same",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr.Snapshot(), "k")
			t.get(tr, "k")
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "foreign")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
})

var snapshotMeetings = []meeting{
	{
		name: "SnapshotReads/GetNoConflict", shows: "a snapshot get, and a foreign set of its key",
		read:    func(t *T, tr kv.OwnedTransaction) { t.get(tr.Snapshot(), "k") },
		foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "SnapshotReads/RangeNoConflict", shows: "a snapshot range, and a foreign set in it",
		read:    func(t *T, tr kv.OwnedTransaction) { t.all(tr.Snapshot(), "a", "z") },
		foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "SnapshotReads/SnapshotOfSnapshotNoConflict", shows: "a get of a snapshot of a snapshot, and a foreign set of its key",
		read:    func(t *T, tr kv.OwnedTransaction) { t.get(tr.Snapshot().Snapshot(), "k") },
		foreign: sets("k", "new"), conflict: false,
	},
}
