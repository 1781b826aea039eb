package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// explicitConflictCases: conflict ranges that are added by hand.
var explicitConflictCases = slices.Concat(meetings(explicitTable), []Case{
	{
		Name:  "ExplicitConflicts/WriteConflictOnly",
		Shows: "a transaction that has write conflicts and no writes is a commit, with a version",
		run: func(t *T) {
			tr := t.begin()
			require.NoError(t, tr.AddWriteConflictKey(t.key("k")))
			require.Positive(t, t.commit(tr))
			require.Empty(t, t.storedAll(), "a write conflict writes nothing")
		},
	},
	{
		Name:  "ExplicitConflicts/ReadConflictOnly",
		Shows: "a transaction that has read conflicts and no writes is read-only, and never conflicts",
		run: func(t *T) {
			tr := t.pinned()
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			t.put("k", "foreign")
			require.Equal(t, int64(-1), t.commit(tr))
		},
	},
	{
		Name:  "ExplicitConflicts/SnapshotAndReadConflict",
		Shows: "a snapshot read and a read conflict on its key together are a serialisable read",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr.Snapshot(), "k")
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "foreign")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "ExplicitConflicts/BeforeOwnWrite",
		Shows: "a read conflict that is added before the transaction writes the key counts",
		run: func(t *T) {
			tr := t.pinned()
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Set(t.key("k"), []byte("own"))
			t.put("k", "foreign")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "ExplicitConflicts/AfterOwnWrite",
		Shows: "a read conflict that is added after the transaction wrote the key is dropped, as for a read of it",
		run: func(t *T) {
			tr := t.pinned()
			tr.Set(t.key("k"), []byte("own"))
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			t.put("k", "foreign")
			t.commit(tr)
		},
	},
	{
		Name:  "ExplicitConflicts/InvertedRange",
		Shows: "a conflict range that ends before it begins is refused with 2005, at once",
		run: func(t *T) {
			tr := t.begin()
			t.fails(tr.AddReadConflictRange(t.key("z"), t.key("a")), kv.CodeInvertedRange, "AddReadConflictRange")
			t.fails(tr.AddWriteConflictRange(t.key("z"), t.key("a")), kv.CodeInvertedRange, "AddWriteConflictRange")
		},
	},
})

// addsRead and addsWrite add a conflict key by hand.
func addsRead(key string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddReadConflictKey(t.key(key)))
	}
}

func addsWrite(key string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddWriteConflictKey(t.key(key)))
	}
}

func addsReadRange(begin, end string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddReadConflictRange(t.key(begin), t.key(end)))
	}
}

func addsWriteRange(begin, end string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddWriteConflictRange(t.key(begin), t.key(end)))
	}
}

var explicitTable = []meeting{
	{
		name: "ExplicitConflicts/ReadKeyThenSet", shows: "a read conflict key and a foreign write of it",
		read: addsRead("k"), foreign: sets("k", "new"), conflict: true,
	},
	{
		name: "ExplicitConflicts/ReadKeyIsOneKey", shows: "a read conflict key, and a foreign write of the key behind it",
		read: addsRead("k"), foreign: sets("k\x00", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/ReadRangeThenSet", shows: "a read conflict range and a foreign write in it",
		read: addsReadRange("a", "k"), foreign: sets("c", "new"), conflict: true,
	},
	{
		name: "ExplicitConflicts/ReadRangeEndIsOutside", shows: "a read conflict range, and a foreign write of its end",
		read: addsReadRange("a", "k"), foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/EmptyReadRange", shows: "an empty read conflict range, and a foreign write of its begin",
		read: addsReadRange("k", "k"), foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/GetThenWriteKey", shows: "a read and a foreign write conflict key",
		read: reads("k"), foreign: addsWrite("k"), conflict: true,
	},
	{
		name: "ExplicitConflicts/WriteKeyIsOneKey", shows: "a read, and a foreign write conflict key before it",
		read: reads("k\x00"), foreign: addsWrite("k"), conflict: false,
	},
	{
		name: "ExplicitConflicts/GetThenWriteRange", shows: "a read and a foreign write conflict range over it",
		read: reads("k"), foreign: addsWriteRange("a", "z"), conflict: true,
	},
	{
		name: "ExplicitConflicts/WriteRangeEndIsOutside", shows: "a read of the end of a foreign write conflict range",
		read: reads("z"), foreign: addsWriteRange("a", "z"), conflict: false,
	},
	{
		name: "ExplicitConflicts/SnapshotGetThenWriteKey", shows: "a snapshot read and a foreign write conflict key",
		read:    func(t *T, tr kv.OwnedTransaction) { t.get(tr.Snapshot(), "k") },
		foreign: addsWrite("k"), conflict: false,
	},
}
