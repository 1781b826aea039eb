package memkv

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestCounters checks all counters of a database and of a transaction.
func TestCounters(t *testing.T) {
	db := New(newTestClock().options())
	put(t, db, "a", "11")
	put(t, db, "b", "2")
	start := db.Counters()
	require.Equal(t, Counters{Transactions: 2, Commits: 2, BytesWritten: 5}, start)

	tr := begin(t, db)
	tr.Get([]byte("a"))
	tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{})
	require.Equal(t, "2", mustGet(t, tr, "b"))
	require.Equal(t, "2", mustGet(t, tr, "b"), "already read")
	require.Equal(t, "(none)", mustGet(t, tr, "zz"))
	put(t, db, "a", "3")
	tr.Set([]byte("c"), []byte("333"))
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()))
	require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
	_, err := tr.GetReadVersion().Get()
	require.NoError(t, err)
	require.NoError(t, tr.Commit())

	own, ok := CountersOf(tr)
	require.True(t, ok)
	want := Counters{Transactions: 1, ReadVersions: 1, ReadWaves: 2, Reads: 4, ReadOnly: 1, Conflicts: 1, BytesRead: 2 + (1 + 2 + 1 + 1) + 1}
	require.Equal(t, want, own)
	want.Transactions, want.Commits, want.BytesWritten = 2, 1, 2
	require.Equal(t, want, db.Counters().Sub(start))

	inner, ok := CountersOf(tr.Snapshot())
	require.True(t, ok)
	require.Equal(t, own, inner)
	_, ok = CountersOf(nil)
	require.False(t, ok)
}

// TestCommitLog checks that the log has every commit in order, with versionstamps
// filled in.
func TestCommitLog(t *testing.T) {
	opts := newTestClock().options()
	var logged []LogEntry
	opts.KeepLog, opts.OnCommit = true, func(e LogEntry) { logged = append(logged, e) }
	db := New(opts)
	tr, err := db.NewClient("p1", ClientOptions{}).CreateTransaction(WithLabel(t.Context(), "op"))
	require.NoError(t, err)
	template, key := template("<", ">", 1), []byte("set")
	readVersion, err := tr.GetReadVersion().Get()
	require.NoError(t, err)
	mustGet(t, tr, "read")
	tr.SetVersionstampedValue([]byte("value"), template)
	tr.SetVersionstampedKey(template, nil)
	tr.ClearRange([]byte("x"), []byte("y"))
	tr.Set(key, []byte("plain"))
	stamp := tr.GetVersionstamp()
	require.NoError(t, tr.Commit())
	v, err := stamp.Get()
	require.NoError(t, err)
	version, err := tr.GetCommittedVersion()
	require.NoError(t, err)
	put(t, db, "other", "")

	log := db.CommitLog()
	require.Len(t, log, 2)
	stamped := append(append([]byte("<"), v...), '>')
	require.Equal(t, LogEntry{
		Version: version, ReadVersion: readVersion, Client: "p1", Transaction: 1, Label: "op", Acknowledged: true,
		ReadConflicts: []Range{pointRange([]byte("read"))},
		WriteConflicts: []Range{
			pointRange([]byte("set")), pointRange([]byte("value")), {Begin: []byte("x"), End: []byte("y")}, pointRange(stamped),
		},
		Mutations: []Mutation{
			{Kind: MutationClearRange, Key: []byte("x"), Value: []byte("y")},
			{Kind: MutationSet, Key: stamped, Value: []byte{}},
			{Kind: MutationSet, Key: []byte("set"), Value: []byte("plain")},
			{Kind: MutationSet, Key: []byte("value"), Value: stamped},
		},
	}, log[0])
	require.Zero(t, log[1].ReadVersion, "a blind write")
	require.Equal(t, log, logged)
	require.Empty(t, New(Options{}).CommitLog())
}

// TestCountersSub checks that Sub covers every field.
func TestCountersSub(t *testing.T) {
	var a, b, want Counters
	for i := range reflect.TypeFor[Counters]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetInt(int64(10 * (i + 2)))
		reflect.ValueOf(&b).Elem().Field(i).SetInt(int64(i + 1))
		reflect.ValueOf(&want).Elem().Field(i).SetInt(int64(10*(i+2) - (i + 1)))
	}
	require.Equal(t, want, a.Sub(b))
}

// TestCountersOfALimitedRange checks that a range is not read beyond its limit.
func TestCountersOfALimitedRange(t *testing.T) {
	db := New(newTestClock().options())
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, db, key, "1")
	}
	for _, reverse := range []bool{false, true} {
		tr := begin(t, db)
		rows, err := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{Limit: 2, Reverse: reverse}).Get()
		require.NoError(t, err)
		require.Len(t, rows, 2)
		c, ok := CountersOf(tr)
		require.True(t, ok)
		require.EqualValues(t, 4, c.BytesRead)
	}
}

// TestOnlyConflictsCountAsConflicts checks that 1007 does not count as a conflict.
func TestOnlyConflictsCountAsConflicts(t *testing.T) {
	db := New(newTestClock().options())
	tr := begin(t, db)
	mustGet(t, tr, "a")
	tr.Set([]byte("b"), nil)
	db.Recover()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(tr.Commit()))
	require.Zero(t, db.Counters().Conflicts)
	c, ok := CountersOf(tr)
	require.True(t, ok)
	require.Zero(t, c.Conflicts)
}
