package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// ownWriteCases: a transaction reads its own writes, and what they answer
// adds no read conflict.
var ownWriteCases = slices.Concat(ownWriteReads, meetings(ownWriteMeetings))

var ownWriteReads = []Case{
	{
		Name:  "ReadYourWrites/Get",
		Shows: "a get answers the transaction's own last write of the key",
		run: func(t *T) {
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
		Shows: "a range that own writes answer up to its limit takes no read version: the next read sees what others have committed",
		run: func(t *T) {
			for _, opts := range []kv.RangeOptions{{}, {Limit: 1}, {Limit: 1, Reverse: true}} {
				tr := t.begin()
				tr.Set(t.key("a"), []byte("own"))
				require.Equal(t, "a=own", t.scan(tr, "a", "a\x00", opts))
				t.put("b", "foreign")
				require.Equal(t, "foreign", t.get(tr, "b"))
				t.drop("b")
			}
			tr := t.begin()
			tr.Set(t.key("a"), []byte("own"))
			require.Equal(t, "a=own", t.scan(tr, "a", "c", kv.RangeOptions{Limit: 1}))
			t.put("b", "foreign")
			require.Equal(t, "foreign", t.get(tr, "b"))
		},
	},
	{
		Name:  "ReadYourWrites/GetAfterRead",
		Shows: "a key that was read before it was written answers the write",
		run: func(t *T) {
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
		Shows: "a read answers the state of when it was issued, not of when it is awaited",
		run: func(t *T) {
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
		Shows: "a range merges own writes with what is stored, in both directions and under a limit",
		run:   rangeMergesOwnWrites,
	},
	{
		Name:  "ReadYourWrites/LimitBehindClearedRows",
		Shows: "rows that the transaction has cleared do not count towards the limit, however many",
		run:   limitBehindClearedRows,
	},
	{
		Name:  "ReadYourWrites/SetInClearedRange",
		Shows: "a set after a clear of the range around it stays, one before it goes",
		run: func(t *T) {
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

func rangeMergesOwnWrites(t *T) {
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

func limitBehindClearedRows(t *T) {
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

// Reads of a transaction that has written, met by a foreign write.
var ownWriteMeetings = []meeting{
	{
		name: "ReadYourWrites/GetOfOwnSetNoConflict", shows: "a get that an own set answers, and a foreign set of the key",
		read: writesThenReads(sets("k", "own"), reads("k")), foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/GetOfOwnClearNoConflict", shows: "a get that an own clear answers, and a foreign set of the key",
		read: writesThenReads(clears("k"), reads("k")), foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/RangeOfOwnClearNoConflict", shows: "a range inside an own cleared range, and a foreign set in it",
		read:    writesThenReads(clearsRange("a", "z"), scans("b", "y", forwards)),
		foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/RangeConflictsBesideOwnSet", shows: "a range with an own set in it, and a foreign set beside that",
		read:    writesThenReads(sets("k", "own"), scans("a", "z", forwards)),
		foreign: sets("j", "new"), conflict: true,
	},
	{
		name: "ReadYourWrites/RangeNoConflictAtOwnSet", shows: "a range with an own set in it, and a foreign set of that key",
		read:    writesThenReads(sets("k", "own"), scans("a", "z", forwards)),
		foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "ReadYourWrites/GetBeforeOwnSetConflicts", shows: "a get before an own set of the key, and a foreign set of it",
		read: writesThenReads(reads("k"), sets("k", "own")), foreign: sets("k", "new"), conflict: true,
	},
}

// writesThenReads runs two steps in turn.
func writesThenReads(first, second func(t *T, tr kv.OwnedTransaction)) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) {
		first(t, tr)
		second(t, tr)
	}
}
