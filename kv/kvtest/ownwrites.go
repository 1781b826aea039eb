package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// ownWriteCases check that a transaction reads its own writes, and that such a read
// adds no read conflict.
var ownWriteCases = slices.Concat(ownWriteReads, interleavings(ownWriteTable))

var ownWriteReads = []Case{
	{
		Name:  "ReadYourWrites/Get",
		Shows: "a get returns the transaction's last write of the key",
		run: func(t *env) {
			t.put("a", "old", "b", "old", "c", "old")
			tr := t.begin()
			tr.Set(t.key("a"), []byte("one"))
			require.Equal(t, "one", t.get(tr, "a"))
			tr.Set(t.key("a"), []byte("two"))
			require.Equal(t, "two", t.get(tr, "a"))
			tr.Clear(t.key("a"))
			require.Equal(t, absent, t.get(tr, "a"))
			tr.ClearRange(t.key("b"), t.key("c"))
			require.Equal(t, absent, t.get(tr, "b"))
			require.Equal(t, "old", t.get(tr, "c"))
			tr.Set(t.key("b"), []byte("again"))
			require.Equal(t, "again", t.get(tr, "b"))
			t.commit(tr)
			require.Equal(t, "b=again c=old", t.storedAll())
		},
	},
	{
		Name:  "ReadYourWrites/RangeTakesNoVersion",
		Shows: "a range read that own writes answer alone takes no read version, so the next read sees later commits",
		run: func(t *env) {
			for _, opts := range []kv.RangeOptions{{}, {Limit: 1}, {Limit: 1, Reverse: true}} {
				tr := t.begin()
				tr.Set(t.key("a"), []byte("own"))
				require.Equal(t, "a=own", t.scan(tr, "a", "a\x00", opts))
				t.put("b", "other")
				require.Equal(t, "other", t.get(tr, "b"))
				t.drop("b")
			}
			tr := t.begin()
			tr.Set(t.key("a"), []byte("own"))
			require.Equal(t, "a=own", t.scan(tr, "a", "c", kv.RangeOptions{Limit: 1}))
			t.put("b", "other")
			require.Equal(t, "other", t.get(tr, "b"))
		},
	},
	{
		Name:  "ReadYourWrites/GetAfterRead",
		Shows: "a get returns a write that was made after an earlier get of the key",
		run: func(t *env) {
			t.put("a", "old")
			tr := t.begin()
			require.Equal(t, "old", t.get(tr, "a"))
			tr.Set(t.key("a"), []byte("new"))
			require.Equal(t, "new", t.get(tr, "a"))
			require.Equal(t, "a=new", t.all(tr, "", ""))
		},
	},
	{
		Name:  "ReadYourWrites/OrderOfIssue",
		Shows: "a read returns the state as of the call of Get or GetRange, not as of Future.Get",
		run: func(t *env) {
			t.put("a", "old")
			tr := t.begin()
			key, rows := tr.Get(t.key("a")), tr.GetRange(t.key("a"), t.key("z"), forwards)
			tr.Set(t.key("a"), []byte("new"))
			tr.Set(t.key("b"), []byte("new"))
			value, err := key.Get()
			require.NoError(t, err)
			require.Equal(t, "old", string(value))
			answer, err := rows.Get()
			require.NoError(t, err)
			require.Len(t, answer, 1)
			require.Equal(t, "old", string(answer[0].Value))
			require.Equal(t, "a=new b=new", t.all(tr, "", ""))
		},
	},
	{
		Name:  "ReadYourWrites/Range",
		Shows: "a range read merges own writes with stored rows, in both directions and with a limit",
		run:   rangeMergesOwnWrites,
	},
	{
		Name:  "ReadYourWrites/LimitSkipsClearedRows",
		Shows: "rows that the transaction has cleared do not count towards the limit",
		run:   limitBehindClearedRows,
	},
	{
		Name:  "ReadYourWrites/SetInClearedRange",
		Shows: "a set after a clear of the range around it remains, and one before it is cleared",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("b"), []byte("before"))
			tr.ClearRange(t.key("a"), t.key("z"))
			tr.Set(t.key("c"), []byte("after"))
			require.Equal(t, "c=after", t.all(tr, "", ""))
			t.commit(tr)
			require.Equal(t, "c=after", t.storedAll())
		},
	},
}

func rangeMergesOwnWrites(t *env) {
	t.put(fiveRows...) // b d f h j
	tr := t.begin()
	tr.Set(t.key("a"), []byte("own"))
	tr.Set(t.key("d"), []byte("own"))
	tr.Clear(t.key("f"))
	tr.ClearRange(t.key("h"), t.key("i"))
	tr.Set(t.key("k"), []byte("own"))
	for _, c := range []struct {
		opts kv.RangeOptions
		want string
	}{
		{kv.RangeOptions{}, "a=own b=1 d=own j=5 k=own"},
		{kv.RangeOptions{Reverse: true}, "k=own j=5 d=own b=1 a=own"},
		{kv.RangeOptions{Limit: 1}, "a=own"},
		{kv.RangeOptions{Limit: 4}, "a=own b=1 d=own j=5"},
		{kv.RangeOptions{Limit: 3, Reverse: true}, "k=own j=5 d=own"},
		{kv.RangeOptions{Limit: 9}, "a=own b=1 d=own j=5 k=own"},
	} {
		require.Equal(t, c.want, t.scan(tr, "", "", c.opts), "%+v", c.opts)
		require.Equal(t, c.want, t.scan(tr.Snapshot(), "", "", c.opts), "snapshot, %+v", c.opts)
	}
	require.Equal(t, "d=own", t.all(tr, "c", "j"))
}

func limitBehindClearedRows(t *env) {
	const rows = 300
	pairs := make([]string, 0, 2*rows)
	for i := range rows {
		pairs = append(pairs, numbered(i), "v")
	}
	t.put(pairs...)
	tr := t.begin()
	tr.ClearRange(t.key(numbered(0)), t.key(numbered(290)))
	require.Equal(t, "n290=v n291=v", t.scan(tr, "", "", firstTwo))
	for i := 292; i < rows; i++ {
		tr.Clear(t.key(numbered(i)))
	}
	require.Equal(t, "n291=v n290=v", t.scan(tr, "", "", lastTwo))
	require.Equal(t, "n290=v n291=v", t.scan(tr, "", "", kv.RangeOptions{Limit: 5}))
}

// Reads of a transaction that has written, and concurrent writes.
var ownWriteTable = []interleaving{
	{
		name: "ReadYourWrites/GetOfOwnSetNoConflict", shows: "a get of a key that the transaction has set and a concurrent set of it",
		read: writesThenReads(sets("k", "own"), reads("k")), other: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/GetOfOwnClearNoConflict", shows: "a get of a key that the transaction has cleared and a concurrent set of it",
		read: writesThenReads(clears("k"), reads("k")), other: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/RangeOfOwnClearNoConflict", shows: "a range read inside a range that the transaction has cleared and a concurrent set in it",
		read:  writesThenReads(clearsRange("a", "z"), scans("b", "y", forwards)),
		other: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/RangeConflictsAroundOwnSet", shows: "a range read that includes an own set and a concurrent set of another key in the range",
		read:  writesThenReads(sets("k", "own"), scans("a", "z", forwards)),
		other: sets("j", "new"), conflict: true,
	},
	{
		name: "ReadYourWrites/RangeNoConflictAtOwnSet", shows: "a range read that includes an own set and a concurrent set of the same key",
		read:  writesThenReads(sets("k", "own"), scans("a", "z", forwards)),
		other: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/GetBeforeOwnSetConflicts", shows: "a get before an own set of the key and a concurrent set of it",
		read: writesThenReads(reads("k"), sets("k", "own")), other: sets("k", "new"), conflict: true,
	},
}

// writesThenReads runs two steps in order.
func writesThenReads(first, second func(t *env, tr kv.OwnedTransaction)) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) {
		first(t, tr)
		second(t, tr)
	}
}
