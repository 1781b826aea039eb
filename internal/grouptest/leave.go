package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var leaveTests = []test{
	rule06LeavingEndsTheSession,
	rule06NoAttemptOfASessionCommitsAfterItHasLeft,
	rule06LeavingChangesNothingOfAnotherIncarnation,
	rule06LeavingConflictsWithReadsOfBothRecords,
	rule06LeavingWithADamagedRecord,
	rule06NothingArrivesOnceAMemberIsDraining,
}

func rule06LeavingEndsTheSession(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, other := g.ready("me"), g.ready("other")
	token := g.leads(me, "a")
	version := g.now()
	g.leave(me)
	require.Nil(t, g.Raw("members", "me"))
	require.Nil(t, g.Raw("beats", "me"))
	changes := g.changes(version, 0).Changes
	require.Len(t, changes, 1)
	require.Equal(t, group.Row{Kind: group.KindMember, Name: "me", Removed: true}, changes[0].Row)
	require.Equal(t, "me", changes[0].By)
	require.Equal(t, "left", changes[0].Why)
	g.requireEnded(me)
	// A shard that it has not released is free.
	require.EqualValues(t, 2, g.leads(other, "a").Term)
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
}

// An attempt whose result is unsettled is in the database after it has left, or never.
func rule06NoAttemptOfASessionCommitsAfterItHasLeft(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	attempts := g.attempts(me, g.leads(me, "a"))
	next := newMember("me")
	late := map[string]kv.OwnedTransaction{}
	for name, attempt := range attempts {
		late[name] = g.Begin()
		require.NoError(t, attempt(late[name]), name)
	}
	g.leave(me)
	late["join"] = g.Begin()
	_, _, err := g.Join(late["join"], group.Joining{Member: next})
	require.NoError(t, err)
	g.leave(next) // there is nothing to clear, and still it ends the attempt
	for name, tr := range late {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "a late %s must not commit", name)
	}
	require.Nil(t, g.Raw("members", "me"))
	require.Nil(t, g.Raw("beats", "me"))
}

func rule06LeavingChangesNothingOfAnotherIncarnation(t *testing.T, g *testGroup) {
	g.initialized()
	earlier := newMember("me")
	me, _ := g.join("me")
	before := g.Dump()
	g.leave(earlier)
	require.Equal(t, before, g.Dump())
	g.beats(me)
	for _, kind := range []string{"members", "beats"} {
		rows := g.Dump()
		g.damage(kind, "me")
		before := g.Dump()
		g.leave(earlier)
		require.Equal(t, before, g.Dump(), "the other record of the session is of another incarnation")
		g.Restore(rows)
		g.Remove(kind, "me")
		before = g.Dump()
		g.leave(earlier)
		require.Equal(t, before, g.Dump())
		g.Restore(rows)
	}
	// The two records are of two incarnations, as no call leaves them.
	mine, theirs := g.Raw("members", "me"), g.Raw("beats", "me")
	g.leave(me)
	you, _ := g.join("me")
	beat := g.Raw("beats", "me")
	g.Spoil(mine, "members", "me")
	g.leave(me)
	require.Nil(t, g.Raw("members", "me"))
	require.Equal(t, beat, g.Raw("beats", "me"))
	g.leave(you)
	you, _ = g.join("me")
	member := g.Raw("members", "me")
	g.Spoil(theirs, "beats", "me")
	g.leave(me)
	require.Nil(t, g.Raw("beats", "me"))
	require.Equal(t, member, g.Raw("members", "me"))
	g.leave(you)
}

// An attempt whose result is unsettled has read one of the records at least.
func rule06LeavingConflictsWithReadsOfBothRecords(t *testing.T, g *testGroup) {
	g.initialized()
	for _, kind := range []string{"members", "beats"} {
		late := g.Begin()
		_, err := late.Get(g.Key(kind, "me")).Get()
		require.NoError(t, err)
		g.work(late)
		g.leave(newMember("me"))
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(late.Commit()), kind)
	}
}

func rule06LeavingWithADamagedRecord(t *testing.T, g *testGroup) {
	g.initialized()
	for _, spoil := range []func(kind string){
		func(kind string) { g.damage(kind, "me") },
		func(kind string) { g.Remove(kind, "me") },
	} {
		for _, kind := range []string{"members", "beats"} {
			me, _ := g.join("me")
			spoil(kind)
			lost, version := g.Raw("members", "me") == nil, g.now()
			g.leave(me)
			require.Nil(t, g.Raw("members", "me"), kind)
			require.Nil(t, g.Raw("beats", "me"), kind)
			if lost {
				require.Empty(t, g.since(version), "there was no member to remove")
			}
		}
	}
}

func rule06NothingArrivesOnceAMemberIsDraining(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me, other := g.ready("me"), g.ready("other")
	token := g.leads(other, "a")
	handOver, claim := g.Begin(), g.Begin()
	require.NoError(t, g.releases(handOver, other, group.Release{Token: token, Target: me.Identity, Nonce: newNonce()}))
	_, err := g.Claim(claim, me.Identity, claims("b"), at(1))
	require.NoError(t, err)
	me.Draining = true
	g.update(me)
	g.RequireConflict(handOver)
	g.RequireConflict(claim)
	require.ErrorIs(t, g.released(other, group.Release{Token: token, Target: me.Identity, Nonce: newNonce()}).Err, group.ErrTarget)
	_, err = g.tryClaim(me, claims("b")...)
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
}
