package grouptest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// damagedTests have records that cannot be read. docs/format.md has the same table.
var damagedTests = []test{
	damagedRecordsCostOnlyTheirOwnRow,
	damagedRecordsCostOnlyWhatTheyDescribe,
	damagedMembersEndTheirSessionThemselves,
	damagedEntriesOfTheLogCostOnlyTheirOwn,
	damagedBellsCostNothing,
	recordsElementsOfALaterVersionAreIgnored,
}

func damagedRecordsCostOnlyTheirOwnRow(t *testing.T, g *testGroup) {
	g.populated()
	g.Do(func(tr kv.Transaction) error { return g.Drain(tr, "me") })
	good := g.rows()
	for i, row := range good {
		path := []string{row.Kind.String(), row.Name}
		if row.Kind == group.KindConfig {
			path = []string{"group"}
		}
		value := g.Raw(path...)
		for _, spoil := range []func(){
			func() { g.damage(path...) },
			func() { g.Spoil([]byte{}, path...) },
			func() { g.Spoil(value[:len(value)-1], path...) },
			func() { g.fromTheFuture(path...) },
		} {
			spoil()
			want := slices.Clone(good)
			got := g.rows()
			if row.Kind != group.KindDrain {
				require.ErrorIs(t, got[i].Unreadable, fdbelection.ErrInvalidState, "%s %s", row.Kind, row.Name)
				want[i] = group.Row{Kind: row.Kind, Name: row.Name, Unreadable: got[i].Unreadable}
			}
			require.Equal(t, want, got)
			g.Spoil(value, path...)
		}
	}
}

// One member, one shard and one heartbeat cannot be read. Everything else goes on.
func damagedRecordsCostOnlyWhatTheyDescribe(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c", "bad")
	me, other, bad := g.ready("me"), g.ready("other"), g.ready("bad")
	g.leads(bad, "a")
	badShard := g.leads(me, "bad")
	g.damage("members", "bad")
	g.damage("shards", "bad")
	g.damage("beats", "other")
	token := g.leads(me, "b")
	require.NoError(t, g.released(me, group.Release{Token: token, Target: other.Identity, Nonce: newNonce()}).Err)
	g.leads(me, "c")
	g.beats(me)
	g.beats(bad) // its heartbeat can be read
	outcomes, err := g.tryClaim(me, claims("a", "bad")...)
	require.NoError(t, err)
	require.ErrorIs(t, outcomes[0].Err, group.ErrHeld)
	require.ErrorIs(t, outcomes[1].Err, fdbelection.ErrInvalidState)
	require.ErrorIs(t, g.released(me, group.Release{Token: badShard}).Err, fdbelection.ErrInvalidState)
	_, err = g.tryHeartbeat(other, 0)
	require.ErrorIs(t, err, group.ErrSessionEnded)
	g.evict(me, "other")
	g.evict(me, "bad")
	require.EqualValues(t, 2, g.leads(me, "a").Term)
	require.EqualValues(t, 3, g.leads(me, "b").Term)
}

// A member whose record is damaged writes nothing but heartbeats, and can leave.
func damagedMembersEndTheirSessionThemselves(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	token := g.leads(me, "a")
	g.damage("members", "me")
	for name, call := range map[string]func(tr kv.Transaction) error{
		"claim":   func(tr kv.Transaction) error { _, err := g.Claim(tr, me.Identity, claims("b"), at(1)); return err },
		"release": func(tr kv.Transaction) error { return g.releases(tr, me, group.Release{Token: token}) },
		"update":  func(tr kv.Transaction) error { return g.UpdateMember(tr, me) },
		"evict":   func(tr kv.Transaction) error { _, err := g.Evict(tr, me.Identity, group.Beat{}); return err },
	} {
		require.ErrorIs(t, g.Try(call), fdbelection.ErrInvalidState, name)
	}
	require.NoError(t, g.fenced(token))
	g.beats(me)
	g.leave(me)
	require.Nil(t, g.Raw("members", "me"))
	require.EqualValues(t, 2, g.leads(g.ready("me"), "a").Term)
}

func damagedEntriesOfTheLogCostOnlyTheirOwn(t *testing.T, g *testGroup) {
	g.initialized("x")
	shard := g.Raw("shards", "x")
	version := func(n int64) []byte { return subspace.AppendInt(nil, n) }
	removal := func(format int64, by string) []byte {
		return subspace.AppendString(subspace.AppendString(subspace.AppendBool(version(format), true), by), "why")
	}
	start := g.now()
	entries := []struct {
		name, value string
		good        bool
	}{
		{"a", string(shard), true},
		{"b", "", false},
		{"c", "damaged", false},
		{"d", string(shard[:9]), false},
		{"e", string(removal(1, "me")), true},
		{"f", string(removal(1, "")), true},
		{"g", string(removal(2, "me")), false},
		{"h", string(removal(1, "\x1b")), false},
		{"i", string(removal(1, "me")[:6]), false},
		{"j", string(version(1)), false},
		{"k", string(shard), true},
	}
	for _, e := range entries {
		g.logged(start, 1, group.KindShard, e.name, []byte(e.value))
	}
	changes := g.changes(start-1, 0).Changes
	changes = slices.DeleteFunc(changes, func(c group.Change) bool { return c.Name == "x" || c.Kind == group.KindConfig })
	require.Len(t, changes, len(entries))
	for i, c := range changes {
		e := entries[i]
		require.Equal(t, e.name, c.Name)
		if !e.good {
			require.ErrorIs(t, c.Unreadable, fdbelection.ErrInvalidState, e.name)
			require.Equal(t, group.Row{Kind: group.KindShard, Name: e.name, Unreadable: c.Unreadable}, c.Row)
			require.Empty(t, c.By+c.Why, e.name)
			continue
		}
		require.NoError(t, c.Unreadable, e.name)
		require.Equal(t, c.Removed, c.Why == "why", e.name)
	}
}

func damagedBellsCostNothing(t *testing.T, g *testGroup) {
	g.initialized()
	g.damage("bell")
	start := g.now()
	watch := g.watch(g.Watch)
	g.create("a")
	fires(t, watch)
	require.Equal(t, []string{"shards a"}, g.since(start))
}

func recordsElementsOfALaterVersionAreIgnored(t *testing.T, g *testGroup) {
	g.populated()
	me := g.ready("new")
	token := g.leads(me, "a")
	g.removed("ab")
	before, start := g.rows(), g.now()
	g.Do(func(tr kv.Transaction) error {
		begin, end := g.Space.Range()
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		for _, row := range rows {
			tr.Set(row.Key, subspace.AppendString(append([]byte(nil), row.Value...), "from the future"))
		}
		return err
	})
	require.Equal(t, before, g.rows())
	require.NoError(t, g.fenced(token))
	g.beats(me)
	g.vacate(me, token)
	require.True(t, g.removed("a")[0].Removed)
	require.Equal(t, 1, g.create("a"))
	g.trim(g.now())
	for _, c := range g.changes(start, 0).Changes {
		require.NoError(t, c.Unreadable)
	}
	_, err := suite.Read(g.Store, g.ReadConfig)
	require.NoError(t, err)
}
