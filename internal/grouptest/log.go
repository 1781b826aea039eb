package grouptest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var logTests = []test{
	rule10TheLogHasEachChangeInOrder,
	rule10PartsOfTheLogOfEveryLength,
	rule10AVersionIsNeverCutInTwo,
	rule10TrimmingRemovesOldEntries,
	rule10TrimmingConflictsOnlyWithTrimming,
	rule10TheLogIsReadInTransactionsThatChangeNothing,
	rule10TheBellWakesEveryWatch,
}

func rule10TheLogHasEachChangeInOrder(t *testing.T, g *testGroup) {
	require.Equal(t, group.Changes{Version: g.now()}.Changes, g.changes(0, 0).Changes)
	require.Zero(t, g.changes(0, 0).Oldest)
	g.initialized()
	start := g.now()
	g.create("a", "b")
	me := g.ready("me")
	token := g.leads(me, "a")
	g.beats(me)
	g.Do(func(tr kv.Transaction) error { return g.Pin(tr, "b", "me") })
	g.vacate(me, token)
	g.configure(disabled)
	changes := g.changes(start, 0)
	var names []string
	last := start
	for _, c := range changes.Changes {
		names = append(names, c.Kind.String()+" "+c.Name)
		require.GreaterOrEqual(t, c.Version(), last)
		last = c.Version()
	}
	require.Equal(t, []string{
		"shards a", "shards b", "members me", "members me", "shards a", "pins b", "shards a", "config ",
	}, names)
	require.False(t, changes.More || changes.Trimmed)
	require.LessOrEqual(t, last, changes.Version)
	require.Equal(t, "me", changes.Changes[4].Shard.Leader.ID)
	require.True(t, changes.Changes[6].Shard.Vacant())
	require.False(t, changes.Changes[7].Config.Enabled)
	require.Empty(t, changes.Changes[7].By)
	require.Empty(t, g.changes(changes.Version, 0).Changes)
	require.Empty(t, g.changes(last, 0).Changes)
	require.Len(t, g.changes(last-1, 0).Changes, 1)
	require.Equal(t, g.changes(0, 0).Changes, g.changes(-5, 0).Changes)
	require.Equal(t, g.changes(0, 0).Changes[0].Version(), changes.Oldest)
}

// rule10PartsOfTheLogOfEveryLength: at most limit changes, and then the rest of the last
// version. The version of a part is where the next one begins.
func rule10PartsOfTheLogOfEveryLength(t *testing.T, g *testGroup) {
	g.initialized()
	start := g.now()
	for _, names := range [][]string{{"a"}, {"b", "c", "d"}, {"e", "f"}, {"g"}} {
		g.create(names...)
	}
	all := g.changes(start, 0)
	require.Len(t, all.Changes, 7)
	for limit := -1; limit < 10; limit++ {
		var got []group.Change
		for part := (group.Changes{Version: start, More: true}); part.More; {
			part = g.changes(part.Version, limit)
			got = append(got, part.Changes...)
			if part.More {
				require.GreaterOrEqual(t, len(part.Changes), limit)
				require.Equal(t, part.Changes[len(part.Changes)-1].Version(), part.Version)
				require.Less(t, part.Version, all.Version+1)
			} else {
				require.GreaterOrEqual(t, part.Version, all.Version)
			}
			if limit < 1 {
				require.False(t, part.More)
			}
		}
		require.Equal(t, all.Changes, got, "with a limit of %d", limit)
	}
}

// One version may have several transactions. They are in one part, in their order.
func rule10AVersionIsNeverCutInTwo(t *testing.T, g *testGroup) {
	g.initialized("x")
	record := g.Raw("shards", "x")
	start := g.now()
	g.create("y") // so that the version of the entries below has passed
	for batch, name := range []string{"c", "b", "a"} {
		g.logged(start+1, byte(batch), group.KindShard, name, record)
		g.logged(start+1, byte(batch), group.KindPin, name, []byte("damaged"))
	}
	for g.now() <= start+1 {
		g.create("z")
		g.removed("z")
	}
	for limit := 1; limit <= 6; limit++ {
		part := g.changes(start, limit)
		require.True(t, part.More)
		require.Equal(t, start+1, part.Version)
		var names []string
		for _, c := range part.Changes {
			if c.Kind == group.KindPin {
				require.ErrorIs(t, c.Unreadable, fdbelection.ErrInvalidState)
				continue
			}
			if c.Name != "y" {
				names = append(names, c.Name)
			}
		}
		require.Equal(t, []string{"c", "b", "a"}, names, "with a limit of %d", limit)
	}
}

func (g *testGroup) trim(upTo int64) {
	g.T.Helper()
	g.Do(func(tr kv.Transaction) error { return g.Trim(tr, upTo) })
}

func rule10TrimmingRemovesOldEntries(t *testing.T, g *testGroup) {
	g.initialized()
	first := g.changes(0, 0)
	g.create("a")
	middle := g.now()
	g.create("b", "c")
	all := g.changes(0, 0).Changes
	g.trim(0)
	g.trim(-1)
	require.Nil(t, g.Raw("trimmed"))
	g.trim(first.Oldest)
	require.Equal(t, all[1:], g.changes(0, 0).Changes)
	g.trim(middle)
	for range 2 {
		require.Equal(t, all[2:], g.changes(0, 0).Changes)
		require.True(t, g.changes(0, 0).Trimmed)
		require.True(t, g.changes(middle-1, 0).Trimmed)
		require.True(t, g.changes(middle-1, 1).Trimmed)
		require.False(t, g.changes(middle, 0).Trimmed)
		require.Equal(t, all[2].Version(), g.changes(0, 0).Oldest)
		g.trim(middle - 1) // never back
	}
	// At most up to the read version: what comes later was not trimmed.
	g.trim(1 << 62)
	require.Empty(t, g.changes(0, 0).Changes)
	now := g.now()
	require.False(t, g.changes(now, 0).Trimmed)
	require.Zero(t, g.changes(now, 0).Oldest)
	g.create("d")
	require.Equal(t, []string{"shards d"}, g.since(now))
}

func rule10TrimmingConflictsOnlyWithTrimming(t *testing.T, g *testGroup) {
	g.initialized()
	me := g.ready("me")
	one, two, join := g.Begin(), g.Begin(), g.Begin()
	require.NoError(t, g.Trim(one, g.now()))
	require.NoError(t, g.Trim(two, g.now()))
	_, _, err := g.Join(join, group.Joining{Member: newMember("you")})
	require.NoError(t, err)
	version := g.now()
	g.create("a")
	g.leads(me, "a")
	require.NoError(t, one.Commit())
	require.NoError(t, join.Commit())
	g.RequireConflict(two)
	require.Equal(t, []string{"shards a", "shards a", "members you"}, g.since(version))
}

// What a transaction adds to the log has its place only once it has committed.
func rule10TheLogIsReadInTransactionsThatChangeNothing(t *testing.T, g *testGroup) {
	g.initialized()
	for name, read := range map[string]func(tr kv.Transaction) error{
		"the log": func(tr kv.Transaction) error { _, err := g.ReadLog(tr, 0, 0); return err },
		"the bell": func(tr kv.Transaction) error {
			watch := g.Watch(tr)
			g.T.Cleanup(watch.Cancel)
			select {
			case <-watch.Done():
			case <-time.After(30 * time.Second):
			}
			return watch.Err()
		},
	} {
		tr := g.Begin()
		_, err := g.CreateShards(tr, []string{"a"}, at(0))
		require.NoError(t, err)
		require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(read(tr)), name)
	}
}

// fires waits for a watch, and fails the test after 30 s.
func fires(t *testing.T, watch kv.Watch) {
	t.Helper()
	select {
	case <-watch.Done():
		require.NoError(t, watch.Err())
	case <-time.After(30 * time.Second):
		require.Fail(t, "the watch has not fired")
	}
}

// watch arms a watch with a read of the log.
func (g *testGroup) watch(arm func(tr kv.Transaction) kv.Watch) kv.Watch {
	g.T.Helper()
	var watch kv.Watch
	g.Do(func(tr kv.Transaction) error {
		watch = arm(tr)
		_, err := g.ReadLog(tr, 0, 0)
		return err
	})
	g.T.Cleanup(watch.Cancel)
	return watch
}

func rule10TheBellWakesEveryWatch(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	one, two := g.watch(g.Watch), g.watch(g.Watch)
	marker := g.watch(func(tr kv.Transaction) kv.Watch { return tr.Watch(g.Key("application")) })
	g.beats(me)
	require.NoError(t, g.fenced(token)) // fires the marker after the heartbeat
	fires(t, marker)
	if !g.Engine.SpuriousWatches {
		select {
		case <-one.Done():
			require.Fail(t, "a heartbeat has fired the watch")
		default:
		}
	}
	g.vacate(me, token)
	fires(t, one)
	fires(t, two)
	// Two changes in a row never leave the bell as it was.
	values := map[string]bool{string(g.Raw("bell")): true}
	for range 3 {
		g.vacate(me, g.leads(me, "a"))
		values[string(g.Raw("bell"))] = true
	}
	require.Len(t, values, 4)
	_, err := suite.Read(g.Store, g.ReadConfig)
	require.NoError(t, err)
}
