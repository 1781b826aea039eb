package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// rerunTests run a function again as a retry loop does after an unknown result: after its first
// run has committed, and after it has not.
var rerunTests = []test{
	everyActRunAgainIsDoneOnce,
	everyActIsInTheLogAndRingsTheBell,
	rule02AHeartbeatRunAgainIsALaterOne,
	rule04AClaimRunAgainKeepsTheTerm,
	rule05AHandOverRunAgainIsDone,
	rule05AHandOverRunAgainKnowsWhatFollowed,
	rule05AReleaseRunAgainLeavesTheNextTenure,
	rule05ARemovalRunAgainIsDone,
}

func everyActRunAgainIsDoneOnce(t *testing.T, g *testGroup) {
	for _, act := range acts {
		g := newTestGroup(t, g.Engine)
		scene := g.scene()
		if act.prepare != nil {
			act.prepare(g, scene)
		}
		run := func(tr kv.Transaction) error { return act.run(g, tr, scene) }
		before := g.Dump()
		lost := g.Begin()
		require.NoError(t, run(lost), act.name)
		lost.Cancel()
		require.Equal(t, before, g.Dump(), "%s that has not committed", act.name)
		g.Do(run)
		after := g.Dump()
		if act.again != nil {
			require.ErrorIs(t, g.Try(run), act.again, act.name)
		} else {
			g.Do(run)
		}
		require.Equal(t, after, g.Dump(), "%s that has committed, run again", act.name)
	}
}

// Each change is in the log once, with the record as it is, and the bell has its stamp.
func everyActIsInTheLogAndRingsTheBell(t *testing.T, g *testGroup) {
	for _, act := range append([]act{heartbeat}, acts...) {
		g := newTestGroup(t, g.Engine)
		scene := g.scene()
		if act.prepare != nil {
			act.prepare(g, scene)
		}
		bell, version, before := g.Raw("bell"), g.now(), g.rows()
		g.Do(func(tr kv.Transaction) error { return act.run(g, tr, scene) })
		changes := g.changes(version, 0).Changes
		if act.silent {
			require.Empty(t, changes, act.name)
			require.Equal(t, bell, g.Raw("bell"), "%s must not ring the bell", act.name)
			require.Equal(t, before, g.rows(), act.name)
			continue
		}
		require.NotEmpty(t, changes, act.name)
		for _, c := range changes {
			row := g.row(c.Kind, c.Name)
			require.Equal(t, row, c.Row, act.name)
		}
		r := subspace.NewReader(g.Raw("bell"))
		r.Skip()
		require.Equal(t, changes[0].Stamp, r.Versionstamp(), "%s must ring the bell", act.name)
	}
}

func rule02AHeartbeatRunAgainIsALaterOne(t *testing.T, g *testGroup) {
	g.initialized()
	me, first := g.join("me")
	values := map[string]bool{first.Value: true}
	for counter := uint64(2); counter < 6; counter++ {
		beat, err := g.tryHeartbeat(me, 1) // the same counter was acknowledged
		require.NoError(t, err)
		require.Equal(t, counter, beat.Counter)
		require.Equal(t, beat, g.beat("me"))
		require.False(t, values[beat.Value], "two heartbeats are the same")
		values[beat.Value] = true
	}
}

func rule04AClaimRunAgainKeepsTheTerm(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me, other := g.ready("me"), g.ready("other")
	wanted := claims("a", "b")
	first, err := g.tryClaim(me, wanted...)
	require.NoError(t, err)
	again, err := g.tryClaim(me, wanted...)
	require.NoError(t, err)
	require.Equal(t, first, again)
	// Another member has led one of them since then.
	g.vacate(me, first[0].Shard.Token())
	g.leads(other, "a")
	again, err = g.tryClaim(me, wanted...)
	require.NoError(t, err)
	require.ErrorIs(t, again[0].Err, group.ErrHeld)
	require.Equal(t, first[1], again[1])
	require.EqualValues(t, 2, g.shard("a").Term)
	require.EqualValues(t, 1, g.shard("b").Term)
}

func rule05AHandOverRunAgainIsDone(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, target := g.ready("me"), g.ready("target")
	handOver := group.Release{Token: g.leads(me, "a"), Target: target.Identity, Nonce: newNonce(), Reason: group.ReasonBalance, Moves: 1}
	first := g.released(me, handOver)
	require.NoError(t, first.Err)
	require.EqualValues(t, 2, first.Shard.Term)
	// It is done even if the target could not receive the shard any more.
	target.Draining = true
	g.update(target)
	require.Equal(t, first, g.released(me, handOver))
	require.Equal(t, first.Shard, g.shard("a"))
}

// The target has given the shard up again, or another member has claimed it.
func rule05AHandOverRunAgainKnowsWhatFollowed(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, target, third := g.ready("me"), g.ready("target"), g.ready("third")
	handOver := group.Release{Token: g.leads(me, "a"), Target: target.Identity, Nonce: newNonce()}
	require.NoError(t, g.released(me, handOver).Err)
	g.vacate(target, g.shardToken("a"))
	again := g.released(me, handOver)
	require.NoError(t, again.Err)
	require.True(t, again.Shard.Vacant())
	require.EqualValues(t, 2, again.Shard.Term)
	token := g.leads(third, "a")
	again = g.released(me, handOver)
	require.ErrorIs(t, again.Err, fdbelection.ErrFenced)
	require.Equal(t, token, again.Shard.Token())
	require.Equal(t, again.Shard, g.shard("a"))
}

func rule05AReleaseRunAgainLeavesTheNextTenure(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	release := group.Release{Token: g.leads(me, "a"), Reason: group.ReasonWork}
	first := g.released(me, release)
	require.NoError(t, first.Err)
	require.Equal(t, first, g.released(me, release))
	// It leads again, in another term.
	token := g.leads(me, "a")
	again := g.released(me, release)
	require.ErrorIs(t, again.Err, fdbelection.ErrFenced)
	require.Equal(t, token, again.Shard.Token())
	require.NoError(t, g.fenced(token))
}

func rule05ARemovalRunAgainIsDone(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	removal := group.Release{Token: g.leads(me, "a"), Remove: true}
	for range 2 {
		outcome := g.released(me, removal)
		require.NoError(t, outcome.Err)
		require.True(t, outcome.Removed)
	}
	// A shard of that name that was created again is another one.
	g.create("a")
	again := g.released(me, removal)
	require.ErrorIs(t, again.Err, fdbelection.ErrFenced)
	require.False(t, again.Removed)
	require.True(t, g.vacant("a"))
	// A release that is not a removal finds no shard.
	g.removed("a")
	require.ErrorIs(t, g.released(me, group.Release{Token: removal.Token}).Err, group.ErrNoShard)
}
