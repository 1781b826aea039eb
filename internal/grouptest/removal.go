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

var removalTests = []test{
	rule08AFreeShardIsRemovedWithWhatWasWantedForIt,
	rule08TheLeaderIsAskedToRemoveAShard,
	rule08OnlyARemovalRaisesTheFloor,
	rule08TermsOnlyGrowThroughRemovalAndCreation,
	rule08RemovalConflictsWithCreationAndClaims,
	rule08AShardThatCannotBeReadIsNotRemoved,
	rule08ADamagedFloorCostsCreationAndRemovalOnly,
	rule08CreationNeedsAGroup,
}

// floor returns the highest term of any shard that was removed.
func (g *testGroup) floor() uint64 {
	g.T.Helper()
	value := g.Raw("floor")
	if value == nil {
		return 0
	}
	r := subspace.NewReader(value)
	r.Skip()
	return r.Uint64()
}

func rule08AFreeShardIsRemovedWithWhatWasWantedForIt(t *testing.T, g *testGroup) {
	g.initialized("vacant", "ended", "stays")
	me, ended := g.ready("me"), g.ready("gone")
	token := g.leads(ended, "ended")
	g.removed("ended") // a request
	for _, name := range []string{"vacant", "ended", "stays"} {
		g.Do(func(tr kv.Transaction) error { return g.Pin(tr, name, "me") })
	}
	g.evict(me, "gone")
	version := g.now()
	outcomes := g.removed("vacant", "no shard", "ended", "vacant")
	for _, o := range outcomes {
		require.NoError(t, o.Err)
		require.True(t, o.Removed)
	}
	require.ElementsMatch(t, []string{
		"no shards vacant", "no pins vacant", "no requests vacant",
		"no shards ended", "no pins ended", "no requests ended",
	}, g.since(version))
	require.Nil(t, g.Raw("requests", "ended"))
	require.Nil(t, g.Raw("pins", "vacant"))
	require.NotNil(t, g.Raw("pins", "stays"))
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
	_, err := g.tryShard("ended")
	require.ErrorIs(t, err, group.ErrNoShard)
}

func rule08TheLeaderIsAskedToRemoveAShard(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	before := g.shard("a")
	for range 2 {
		outcome := g.removed("a")[0]
		require.NoError(t, outcome.Err)
		require.False(t, outcome.Removed)
		require.Equal(t, before, outcome.Shard)
	}
	require.NoError(t, g.fenced(token), "only its leader changes the record")
	require.Equal(t, &group.Request{Kind: group.RemoveRequest, Term: 1}, g.row(group.KindRequest, "a").Request)
	version := g.now()
	outcome := g.released(me, group.Release{Token: token, Remove: true, Reason: group.ReasonResign})
	require.NoError(t, outcome.Err)
	require.True(t, outcome.Removed)
	require.Nil(t, g.Raw("requests", "a"))
	for _, change := range g.changes(version, 0).Changes {
		require.True(t, change.Removed)
		require.Equal(t, []string{"me", "removed"}, []string{change.By, change.Why}, "%v", change.Kind)
	}
	require.EqualValues(t, 1, g.floor())
}

func rule08OnlyARemovalRaisesTheFloor(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me := g.ready("me")
	for range 3 {
		g.vacate(me, g.leads(me, "a"))
	}
	g.leads(me, "b")
	require.Nil(t, g.Raw("floor"))
	g.removed("b")
	require.Nil(t, g.Raw("floor"), "it was only asked for")
	g.removed("a")
	require.EqualValues(t, 3, g.floor())
	require.NoError(t, g.released(me, group.Release{Token: g.shardToken("b"), Remove: true}).Err)
	g.removed("c")
	require.EqualValues(t, 3, g.floor(), "it never falls")
	g.create("c", "d")
	for range 4 {
		g.vacate(me, g.leads(me, "c"))
	}
	d := g.leads(me, "d")
	outcomes, err := g.tryRelease(me, group.Release{Token: g.leads(me, "c"), Remove: true}, group.Release{Token: d, Remove: true})
	require.NoError(t, err)
	require.True(t, outcomes[0].Removed && outcomes[1].Removed)
	require.EqualValues(t, 8, g.floor())
}

func rule08TermsOnlyGrowThroughRemovalAndCreation(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	last := uint64(0)
	for i := range 6 {
		token := g.leads(me, "a")
		require.Greater(t, token.Term, last)
		last = token.Term
		switch i % 3 {
		case 0:
			require.NoError(t, g.released(me, group.Release{Token: token, Remove: true}).Err)
		case 1:
			g.vacate(me, token)
			require.True(t, g.removed("a")[0].Removed)
		case 2:
			g.leave(me)
			require.True(t, g.removed("a")[0].Removed)
			me = g.ready("me")
		}
		require.Equal(t, 1, g.create("a"))
		require.Zero(t, g.create("a"))
		created := g.shard("a")
		require.Equal(t, group.Shard{Name: "a", Term: last, Reason: group.ReasonCreated, At: at(0)}, created)
		require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
	}
}

func rule08RemovalConflictsWithCreationAndClaims(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	g.vacate(me, g.leads(me, "a"))
	remove := func() kv.OwnedTransaction {
		tr := g.Begin()
		outcomes, err := g.RemoveShards(tr, []string{"a"})
		require.NoError(t, err)
		require.True(t, outcomes[0].Removed)
		return tr
	}
	removal, creation := remove(), g.Begin()
	_, err := g.CreateShards(creation, []string{"c"}, at(1))
	require.NoError(t, err)
	require.NoError(t, removal.Commit())
	g.RequireConflict(creation) // it has read a floor that was lower
	g.create("a")
	removal = remove()
	token := g.leads(me, "a")
	g.RequireConflict(removal)
	g.vacate(me, token)
	removal, claim := remove(), g.Begin()
	_, err = g.Claim(claim, me.Identity, claims("a"), at(1))
	require.NoError(t, err)
	require.NoError(t, removal.Commit())
	g.RequireConflict(claim)
	g.create("a")
	token = g.leads(me, "b")
	pin, resign := g.Begin(), g.Begin()
	require.NoError(t, g.Pin(pin, "a", "me"))
	require.NoError(t, g.RequestResign(resign, "b", token.Term, newNonce()))
	require.NoError(t, remove().Commit())
	g.RequireConflict(pin) // otherwise a pin would stay of a shard that does not exist
	require.NoError(t, resign.Commit())
}

func rule08AShardThatCannotBeReadIsNotRemoved(t *testing.T, g *testGroup) {
	g.initialized("damaged", "newer", "c")
	g.damage("shards", "damaged")
	g.fromTheFuture("shards", "newer")
	outcomes := g.removed("damaged", "newer", "c")
	for i, want := range []error{fdbelection.ErrInvalidState, fdbelection.ErrInvalidState, nil} {
		require.ErrorIs(t, outcomes[i].Err, want)
		require.Equal(t, want == nil, outcomes[i].Removed)
	}
	require.NotNil(t, g.Raw("shards", "newer"))
	require.Equal(t, []byte("damaged"), g.Raw("shards", "damaged"), "otherwise its terms would be used again")
}

func rule08ADamagedFloorCostsCreationAndRemovalOnly(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c", "vacant")
	me, target := g.ready("me"), g.ready("target")
	a, b, c := g.leads(me, "a"), g.leads(me, "b"), g.leads(me, "c")
	g.damage("floor")
	err := g.Try(func(tr kv.Transaction) error { _, err := g.CreateShards(tr, []string{"d"}, at(0)); return err })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	outcomes := g.removed("vacant", "c")
	require.ErrorIs(t, outcomes[0].Err, fdbelection.ErrInvalidState)
	require.False(t, outcomes[0].Removed)
	require.NoError(t, outcomes[1].Err, "its leader is asked")
	outcomes, err = g.tryRelease(me, group.Release{Token: c, Remove: true}, group.Release{Token: a},
		group.Release{Token: b, Target: target.Identity, Nonce: newNonce()})
	require.NoError(t, err)
	require.ErrorIs(t, outcomes[0].Err, fdbelection.ErrInvalidState)
	require.False(t, outcomes[0].Removed)
	require.NoError(t, g.fenced(c), "it is led until it can be removed")
	require.NoError(t, outcomes[1].Err)
	require.NoError(t, outcomes[2].Err)
	require.True(t, g.vacant("a"))
	require.Equal(t, target.Identity, g.shard("b").Leader)
	require.Equal(t, []byte("damaged"), g.Raw("floor"))
}

func rule08CreationNeedsAGroup(t *testing.T, g *testGroup) {
	create := func(tr kv.Transaction) error { _, err := g.CreateShards(tr, []string{"a"}, at(0)); return err }
	require.ErrorIs(t, g.Try(create), fdbelection.ErrNotInitialized)
	require.ErrorIs(t, g.Try(func(tr kv.Transaction) error { return g.Drain(tr, "me") }), fdbelection.ErrNotInitialized)
	_, err := suite.Read(g.Store, g.ReadConfig)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	require.Empty(t, g.Dump())
	require.Empty(t, g.rows())
}
