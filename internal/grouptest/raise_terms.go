package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var raiseTests = []test{
	rule15RaisedTermsAreAboveAllThatWereUsed,
	rule15RaisingTermsNeverLowersOne,
	rule15RaisingTermsRepairsShardsAndTheFloor,
	rule15RaisingTermsConflictsWithClaims,
	rule15BadFloorsAreRefused,
}

func (g *testGroup) raise(floor uint64, names ...string) []group.Outcome {
	g.T.Helper()
	var outcomes []group.Outcome
	g.Do(func(tr kv.Transaction) (err error) {
		outcomes, err = g.RaiseTerms(tr, names, floor, at(9))
		return err
	})
	return outcomes
}

func rule15RaisedTermsAreAboveAllThatWereUsed(t *testing.T, g *testGroup) {
	g.initialized("led", "vacant", "ended")
	me, gone := g.ready("me"), g.ready("gone")
	token := g.leads(me, "led")
	g.leads(gone, "ended")
	g.evict(me, "gone")
	version := g.now()
	outcomes := g.raise(100, "led", "vacant", "ended", "no shard")
	for i, name := range []string{"led", "vacant", "ended"} {
		require.NoError(t, outcomes[i].Err)
		require.Equal(t, g.shard(name), outcomes[i].Shard)
		require.True(t, g.vacant(name))
		require.EqualValues(t, 100, g.shard(name).Term)
		require.Equal(t, group.ReasonRaised, g.shard(name).Reason)
	}
	require.Equal(t, token.Nonce, g.shard("led").Nonce, "that of the last tenure")
	require.ErrorIs(t, outcomes[3].Err, group.ErrNoShard)
	require.Equal(t, []string{"shards ended", "shards led", "shards vacant"}, g.since(version))
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
	require.EqualValues(t, 101, g.leads(me, "led").Term)
	g.create("later")
	require.EqualValues(t, 101, g.leads(me, "later").Term)
	before := g.Dump()
	g.raise(100, "led", "vacant", "ended", "later")
	require.Equal(t, before, g.Dump(), "it is safe to run again")
}

func rule15RaisingTermsNeverLowersOne(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me := g.ready("me")
	for range 3 {
		g.vacate(me, g.leads(me, "c"))
	}
	g.removed("c")
	g.raise(7, "b")
	b := g.leads(me, "b")
	a := g.leads(me, "a")
	outcomes := g.raise(1, "a", "b")
	require.Equal(t, b, g.shardToken("b"), "its term is above the floor")
	require.NoError(t, g.fenced(b))
	require.ErrorIs(t, g.fenced(a), fdbelection.ErrFenced, "a tenure in the term of the floor has ended")
	require.EqualValues(t, 1, outcomes[0].Shard.Term)
	require.Equal(t, b, outcomes[1].Shard.Token())
	require.EqualValues(t, 7, g.floor())
	require.EqualValues(t, 2, g.leads(me, "a").Term)
}

func rule15RaisingTermsRepairsShardsAndTheFloor(t *testing.T, g *testGroup) {
	g.initialized("damaged", "newer", "good")
	me := g.ready("me")
	good := g.leads(me, "good")
	g.damage("shards", "damaged")
	g.fromTheFuture("shards", "newer")
	g.damage("floor")
	outcomes := g.raise(50, "damaged", "newer")
	require.NoError(t, outcomes[0].Err)
	require.ErrorIs(t, outcomes[1].Err, fdbelection.ErrInvalidState)
	require.EqualValues(t, 50, g.floor())
	require.EqualValues(t, 51, g.leads(me, "damaged").Term)
	require.NoError(t, g.fenced(good), "it was not named")
	g.create("later")
	require.EqualValues(t, 50, g.shard("later").Term)
	g.fromTheFuture("floor")
	before := g.Dump()
	err := g.Try(func(tr kv.Transaction) error { _, err := g.RaiseTerms(tr, []string{"good"}, 60, at(9)); return err })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, before, g.Dump())
}

func rule15RaisingTermsConflictsWithClaims(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	raise, claim, create := g.Begin(), g.Begin(), g.Begin()
	_, err := g.RaiseTerms(raise, []string{"a"}, 5, at(9))
	require.NoError(t, err)
	_, err = g.Claim(claim, me.Identity, claims("a"), at(1))
	require.NoError(t, err)
	_, err = g.CreateShards(create, []string{"b"}, at(1))
	require.NoError(t, err)
	require.NoError(t, raise.Commit())
	g.RequireConflict(claim)
	g.RequireConflict(create)
}

func rule15BadFloorsAreRefused(t *testing.T, g *testGroup) {
	g.initialized("a")
	before := g.Dump()
	for _, floor := range []uint64{0, election.MaxTermFloor + 1, 1 << 63} {
		err := g.Try(func(tr kv.Transaction) error { _, err := g.RaiseTerms(tr, []string{"a"}, floor, at(9)); return err })
		require.ErrorIs(t, err, fdbelection.ErrTermFloor)
	}
	require.Equal(t, before, g.Dump())
	g.raise(election.MaxTermFloor, "a")
	require.Equal(t, uint64(election.MaxTermFloor+1), g.leads(g.ready("me"), "a").Term)
}
