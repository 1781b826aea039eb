package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// restoredTests have records of a database with higher versions than this one, as after its
// contents were copied to a new cluster, and a record of the trimming that is damaged.
var restoredTests = []test{
	rule10AReadVersionBelowTheCursor,
	rule10LaterEntriesAreNotReadAndTrimmed,
	rule10ALaterTrimmingIsVoid,
	rule10ADamagedRecordOfTheTrimming,
	rule10ARecordOfTheTrimmingOfTomorrow,
}

const muchLater = 1_000_000_000_000

func rule10AReadVersionBelowTheCursor(t *testing.T, g *testGroup) {
	g.initialized("a")
	now := g.now()
	for _, limit := range []int{0, 1} {
		changes := g.changes(now+muchLater, limit)
		require.True(t, changes.Trimmed)
		require.Empty(t, changes.Changes)
		require.Less(t, changes.Version, now+muchLater)
		require.False(t, changes.More)
	}
	require.False(t, g.changes(now, 0).Trimmed)
}

// They are neither read nor trusted, however many there are, and however few are asked for.
func rule10LaterEntriesAreNotReadAndTrimmed(t *testing.T, g *testGroup) {
	g.initialized("a")
	record := g.Raw("shards", "a")
	start := g.now()
	for i := range 5 {
		g.logged(start+muchLater+int64(i), 0, group.KindShard, "gone", record)
	}
	g.create("b", "c")
	for limit := range 9 {
		changes := g.changes(start, limit)
		require.LessOrEqual(t, changes.Version, start+muchLater)
		require.False(t, changes.Trimmed)
		require.Len(t, changes.Changes, 2)
		if !changes.More {
			require.EqualValues(t, 1, changes.Oldest, "they are to be trimmed")
		}
		rest := g.changes(changes.Version, limit)
		require.Empty(t, rest.Changes)
		require.False(t, rest.More)
	}
	g.trim(start)
	require.Equal(t, []string{"shards b", "shards c"}, g.since(start))
	require.Greater(t, g.changes(start, 0).Oldest, start)
	begin, end := g.Space.Sub("log").Range()
	rows, err := suite.Read(g.Store, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

func rule10ALaterTrimmingIsVoid(t *testing.T, g *testGroup) {
	g.initialized("a")
	start := g.now()
	g.Spoil(subspace.AppendUint(subspace.AppendInt(nil, 1), uint64(start+muchLater)), "trimmed")
	g.create("b")
	require.False(t, g.changes(start, 0).Trimmed, "otherwise the group would be scanned again and again")
	require.Equal(t, []string{"shards b"}, g.since(start))
	g.trim(start)
	require.False(t, g.changes(start, 0).Trimmed)
	require.True(t, g.changes(start-1, 0).Trimmed)
	require.Equal(t, []string{"shards b"}, g.since(start))
}

// It is not known up to where the log was trimmed. Nothing after the first entry was.
func rule10ADamagedRecordOfTheTrimming(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	g.trim(g.now())
	first := g.now()
	g.create("c")
	g.create("d")
	g.damage("trimmed")
	require.ErrorIs(t, g.changes(first, 0).Unreadable, fdbelection.ErrInvalidState)
	require.True(t, g.changes(0, 0).Trimmed)
	require.True(t, g.changes(first, 0).Trimmed)
	oldest := g.changes(0, 0).Oldest
	require.False(t, g.changes(oldest, 0).Trimmed)
	require.False(t, g.changes(g.now(), 0).Trimmed)
	g.trim(oldest)
	require.NoError(t, g.changes(oldest, 0).Unreadable)
	require.False(t, g.changes(oldest, 0).Trimmed)
	require.True(t, g.changes(oldest-1, 0).Trimmed)
	require.Len(t, g.changes(0, 0).Changes, 1)

	g.trim(g.now())
	before := g.now()
	g.damage("trimmed")
	require.True(t, g.changes(before-1, 0).Trimmed, "nothing says that it was not")
	g.create("e")
	require.False(t, g.changes(g.now(), 0).Trimmed)
}

func rule10ARecordOfTheTrimmingOfTomorrow(t *testing.T, g *testGroup) {
	g.initialized("a")
	g.trim(g.now())
	g.fromTheFuture("trimmed")
	before := g.Dump()
	_, err := suite.Read(g.Store, func(tr kv.ReadTransaction) (group.Changes, error) { return g.ReadLog(tr, 0, 0) })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.ErrorIs(t, g.Try(func(tr kv.Transaction) error { return g.Trim(tr, g.now()) }), fdbelection.ErrInvalidState)
	require.Equal(t, before, g.Dump())
}
