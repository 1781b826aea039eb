package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var claimTests = []test{
	rule04AClaimOfAVacantShard,
	rule04AClaimFromASessionThatHasEnded,
	rule04ALivingLeaderKeepsItsShard,
	rule04OnlyReadyMembersClaimUnlessThereAreNone,
	rule04NoClaimsInADisabledGroup,
	rule04NoClaimsWithoutAConfig,
	rule04ADrainingMemberDoesNotClaim,
	rule04TwoClaimsOfOneShardConflict,
	rule04AClaimNeitherNeedsNorDisturbsOthers,
}

func rule04AClaimOfAVacantShard(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	wanted := claims("a")
	outcomes, err := g.tryClaim(me, wanted...)
	require.NoError(t, err)
	shard := group.Shard{Name: "a", Term: 1, Leader: me.Identity, Nonce: wanted[0].Nonce, Reason: group.ReasonVacancy, At: at(1)}
	require.Equal(t, []group.Outcome{{Shard: shard}}, outcomes)
	require.Equal(t, shard, g.shard("a"))
	require.NoError(t, g.fenced(shard.Token()))
	// The number of moves stays, so that a shard that is moved often stays known as one.
	require.NoError(t, g.released(me, group.Release{Token: shard.Token(), Reason: group.ReasonBalance, Moves: 3}).Err)
	require.EqualValues(t, 3, g.shard("a").Moves)
	g.leads(me, "a")
	require.EqualValues(t, 3, g.shard("a").Moves)
	require.EqualValues(t, 2, g.shard("a").Term)
}

func rule04AClaimFromASessionThatHasEnded(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	for name, end := range map[string]func(m group.Member){
		"evicted": func(m group.Member) { g.evict(me, m.ID) },
		"left":    func(m group.Member) { g.leave(m) },
		"replaced": func(m group.Member) {
			seen := g.beat(m.ID)
			_, err := g.tryJoin(group.Joining{Member: newMember(m.ID), Seen: &seen})
			require.NoError(t, err)
		},
	} {
		before := g.shard("a").Term
		ended := g.ready("ended")
		token := g.leads(ended, "a")
		end(ended)
		require.NoError(t, g.fenced(token), "%s: no other member has claimed the shard yet", name)
		next := g.leads(me, "a")
		require.Equal(t, before+2, next.Term, name)
		require.Equal(t, group.ReasonExpiry, g.shard("a").Reason, name)
		require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced, name)
		g.vacate(me, next)
		if name == "replaced" {
			g.evict(me, "ended")
		}
	}
}

func rule04ALivingLeaderKeepsItsShard(t *testing.T, g *testGroup) {
	g.initialized("a")
	leader, me := g.ready("leader"), g.ready("me")
	token := g.leads(leader, "a")
	held := func(why string) {
		t.Helper()
		before := g.Dump()
		outcomes, err := g.tryClaim(me, claims("a")...)
		require.NoError(t, err)
		require.ErrorIs(t, outcomes[0].Err, group.ErrHeld, why)
		require.Equal(t, token, outcomes[0].Shard.Token(), why)
		require.Equal(t, before, g.Dump(), why)
	}
	held("its session lives")
	leader.NotReady, leader.Draining = "its cache is cold", true
	g.update(leader)
	held("it is neither ready nor does it stay")
	seen := g.beat("leader")
	g.Remove("beats", "leader")
	held("its heartbeat is lost, and it was not evicted")
	g.Spoil([]byte(seen.Value), "beats", "leader")
	g.damage("members", "leader")
	held("its record is damaged")
	member := g.Raw("members", "me")
	g.Spoil(member, "members", "leader")
	g.fromTheFuture("members", "leader")
	held("its record is of a newer program")
	g.evict(me, "leader")
	require.EqualValues(t, 2, g.leads(me, "a").Term)
}

func rule04OnlyReadyMembersClaimUnlessThereAreNone(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c", "d", "e")
	me, _ := g.join("me")
	g.join("other")
	g.leads(me, "a") // none is ready
	ready := g.ready("ready")
	refused := func() {
		t.Helper()
		before := g.Dump()
		_, err := g.tryClaim(me, claims("b")...)
		require.ErrorIs(t, err, fdbelection.ErrNotReady)
		require.ErrorContains(t, err, settling)
		require.Equal(t, before, g.Dump())
	}
	refused()
	ready.Weight, ready.Capacity = 0, 1 // that does not count
	g.update(ready)
	refused()
	ready.Draining = true
	g.update(ready)
	g.leads(me, "b")
	ready.Draining = false
	g.update(ready)
	refused()
	g.damage("members", "ready") // a member that cannot be read costs the others nothing
	g.leads(me, "c")
	g.leave(ready)
	g.leads(me, "d")
	me.NotReady = ""
	g.update(me)
	g.leads(me, "e")
}

func rule04NoClaimsInADisabledGroup(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	token := g.leads(me, "a")
	g.configure(disabled)
	_, err := g.tryClaim(me, claims("b")...)
	require.ErrorIs(t, err, fdbelection.ErrElectionDisabled)
	g.beats(me)
	require.NoError(t, g.fenced(token), "what is led stays led until its leader releases it")
	g.vacate(me, token)
	g.configure(func(c *group.Config) { c.Enabled = true })
	g.leads(me, "b")
}

func rule04NoClaimsWithoutAConfig(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	good := g.Raw("group")
	g.damage("group")
	_, err := g.tryClaim(me, claims("a")...)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	g.Spoil(subspace.AppendInt(subspace.AppendInt(nil, 1), 2), "group")
	_, err = g.tryClaim(me, claims("a")...)
	require.ErrorContains(t, err, "upgrade this program")
	g.Remove("group")
	_, err = g.tryClaim(me, claims("a")...)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	g.Spoil(good, "group")
	g.leads(me, "a")
}

func rule04ADrainingMemberDoesNotClaim(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	me.Draining = true
	g.update(me)
	_, err := g.tryClaim(me, claims("a")...)
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
}

func rule04TwoClaimsOfOneShardConflict(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, other := g.ready("me"), g.ready("other")
	one, two := g.Begin(), g.Begin()
	outcomes, err := g.Claim(one, me.Identity, claims("a"), at(1))
	require.NoError(t, err)
	_, err = g.Claim(two, other.Identity, claims("a"), at(1))
	require.NoError(t, err)
	require.NoError(t, one.Commit())
	g.RequireConflict(two)
	require.Equal(t, outcomes[0].Shard, g.shard("a"))
	outcomes, err = g.tryClaim(other, claims("a")...)
	require.NoError(t, err)
	require.ErrorIs(t, outcomes[0].Err, group.ErrHeld)
}

// A claim conflicts neither with the heartbeats of any member nor with changes of other members
// and shards.
func rule04AClaimNeitherNeedsNorDisturbsOthers(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me, other := g.ready("me"), g.ready("other")
	ended := g.ready("ended")
	g.leads(ended, "a")
	g.leave(ended)
	claim, beat := g.Begin(), g.Begin()
	outcomes, err := g.Claim(claim, me.Identity, claims("a"), at(1))
	require.NoError(t, err)
	require.NoError(t, outcomes[0].Err)
	_, _, err = g.Heartbeat(beat, me.Identity, 0, 0)
	require.NoError(t, err)
	g.beats(me)
	g.beats(other)
	other.Weight = 9
	g.update(other)
	g.leads(other, "b")
	g.ready("ended") // the id joins again
	g.Do(func(tr kv.Transaction) error { return g.Pin(tr, "a", "other") })
	require.NoError(t, claim.Commit())
	g.RequireConflict(beat) // with the heartbeat, not with the claim
	require.Equal(t, me.Identity, g.shard("a").Leader)
}
