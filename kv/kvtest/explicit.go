package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// explicitConflictCases cover explicit conflict ranges.
var explicitConflictCases = slices.Concat(interleavings(explicitTable), []Case{
	{
		Name:  "ExplicitConflicts/WriteConflictOnly",
		Shows: "a transaction with write conflicts but no writes commits with a version",
		run: func(t *env) {
			tr := t.begin()
			require.NoError(t, tr.AddWriteConflictKey(t.key("k")))
			require.Positive(t, t.commit(tr))
			require.Empty(t, t.storedAll(), "a write conflict writes nothing")
		},
	},
	{
		Name:  "ExplicitConflicts/ReadConflictOnly",
		Shows: "a transaction with read conflicts but no writes is read-only and never conflicts",
		run: func(t *env) {
			tr := t.pinned()
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			t.put("k", "other")
			require.Equal(t, int64(-1), t.commit(tr))
		},
	},
	{
		Name:  "ExplicitConflicts/SnapshotAndReadConflict",
		Shows: "a snapshot read and an explicit read conflict on its key act like a serialisable read",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr.Snapshot(), "k")
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Set(t.key("own"), []byte("1"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "ExplicitConflicts/BeforeOwnWrite",
		Shows: "an explicit read conflict added before the transaction writes the key counts",
		run: func(t *env) {
			tr := t.pinned()
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			tr.Set(t.key("k"), []byte("own"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
		},
	},
	{
		Name:  "ExplicitConflicts/AfterOwnWrite",
		Shows: "an explicit read conflict added after the transaction wrote the key is dropped, like a read of the key",
		run: func(t *env) {
			tr := t.pinned()
			tr.Set(t.key("k"), []byte("own"))
			require.NoError(t, tr.AddReadConflictKey(t.key("k")))
			t.put("k", "other")
			t.commit(tr)
		},
	},
	{
		Name:  "ExplicitConflicts/InvertedRange",
		Shows: "an explicit conflict range that ends before it begins fails with 2005 at once",
		run: func(t *env) {
			tr := t.begin()
			t.fails(tr.AddReadConflictRange(t.key("z"), t.key("a")), kv.CodeInvertedRange, "AddReadConflictRange")
			t.fails(tr.AddWriteConflictRange(t.key("z"), t.key("a")), kv.CodeInvertedRange, "AddWriteConflictRange")
		},
	},
})

// addsRead and the functions below add explicit conflict ranges.
func addsRead(key string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddReadConflictKey(t.key(key)))
	}
}

func addsWrite(key string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddWriteConflictKey(t.key(key)))
	}
}

func addsReadRange(begin, end string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddReadConflictRange(t.key(begin), t.key(end)))
	}
}

func addsWriteRange(begin, end string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) {
		require.NoError(t, tr.AddWriteConflictRange(t.key(begin), t.key(end)))
	}
}

var explicitTable = []interleaving{
	{
		name: "ExplicitConflicts/ReadKeyThenSet", shows: "an explicit read conflict on a key and a concurrent set of it",
		read: addsRead("k"), other: sets("k", "new"), conflict: true,
	},
	{
		name: "ExplicitConflicts/ReadKeyIsOneKey", shows: "an explicit read conflict on a key and a concurrent set of the next key",
		read: addsRead("k"), other: sets("k\x00", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/ReadRangeThenSet", shows: "an explicit read conflict range and a concurrent set in it",
		read: addsReadRange("a", "k"), other: sets("c", "new"), conflict: true,
	},
	{
		name: "ExplicitConflicts/ReadRangeEndIsOutside", shows: "an explicit read conflict range and a concurrent set of its end",
		read: addsReadRange("a", "k"), other: sets("k", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/EmptyReadRange", shows: "an empty read conflict range and a concurrent set of its begin",
		read: addsReadRange("k", "k"), other: sets("k", "new"), conflict: false,
	},
	{
		name: "ExplicitConflicts/GetThenWriteKey", shows: "a get and a concurrent write conflict on the key",
		read: reads("k"), other: addsWrite("k"), conflict: true,
	},
	{
		name: "ExplicitConflicts/WriteKeyIsOneKey", shows: "a get and a concurrent write conflict on the preceding key",
		read: reads("k\x00"), other: addsWrite("k"), conflict: false,
	},
	{
		name: "ExplicitConflicts/GetThenWriteRange", shows: "a get and a concurrent write conflict range around the key",
		read: reads("k"), other: addsWriteRange("a", "z"), conflict: true,
	},
	{
		name: "ExplicitConflicts/WriteRangeEndIsOutside", shows: "a get and a concurrent write conflict range that ends at the key",
		read: reads("z"), other: addsWriteRange("a", "z"), conflict: false,
	},
	{
		name: "ExplicitConflicts/SnapshotGetThenWriteKey", shows: "a snapshot get and a concurrent write conflict on the key",
		read:  func(t *env, tr kv.OwnedTransaction) { t.get(tr.Snapshot(), "k") },
		other: addsWrite("k"), conflict: false,
	},
}
