package grouptest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// severalTests call several functions in one transaction. Each sees the writes of those before
// it.
var severalTests = []test{
	severalCallsBuildAGroupInOneTransaction,
	severalCallsAboutOneRecordLeaveTheLastInTheLog,
	severalCallsKeepTheFloor,
	severalCallsEvictAndClaim,
	severalCallsReplaceASession,
	severalCallsOfOneTransactionThatFailsChangeNothing,
}

func severalCallsBuildAGroupInOneTransaction(t *testing.T, g *testGroup) {
	me := newMember("me")
	var token group.Token
	g.Do(func(tr kv.Transaction) error {
		if _, err := g.Initialize(tr, group.DefaultConfig()); err != nil {
			return err
		}
		if _, err := g.CreateShards(tr, []string{"a", "b"}, at(0)); err != nil {
			return err
		}
		if _, _, err := g.Join(tr, group.Joining{Member: me}); err != nil {
			return err
		}
		outcomes, err := g.Claim(tr, me.Identity, claims("a"), at(0))
		if err != nil {
			return err
		}
		token = outcomes[0].Shard.Token()
		if beat, _, err := g.Heartbeat(tr, me.Identity, 1, 0); err != nil || beat.Counter != 2 {
			return err
		}
		g.work(tr)
		return g.RequireLeadership(tr, token)
	})
	require.NoError(t, g.fenced(token))
	require.EqualValues(t, 2, g.beat("me").Counter)
	require.Equal(t, []string{"config ", "members me", "shards a", "shards b"}, g.sortedSince(0))
}

// sortedSince is since, without the order of changes of one transaction, which is that of kinds
// and names.
func (g *testGroup) sortedSince(version int64) []string {
	g.T.Helper()
	names := g.since(version)
	for i, name := range names {
		if name == "config" {
			names[i] = "config "
		}
	}
	return names
}

func severalCallsAboutOneRecordLeaveTheLastInTheLog(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, other := g.ready("me"), g.ready("other")
	version := g.now()
	g.Do(func(tr kv.Transaction) error {
		outcomes, err := g.Claim(tr, me.Identity, claims("a"), at(0))
		if err != nil {
			return err
		}
		handOver := group.Release{Token: outcomes[0].Shard.Token(), Target: other.Identity, Nonce: newNonce()}
		if err := g.releases(tr, me, handOver); err != nil {
			return err
		}
		if err := g.Pin(tr, "a", "me"); err != nil {
			return err
		}
		if _, err := g.Unpin(tr, "a"); err != nil {
			return err
		}
		return g.Pin(tr, "a", "other")
	})
	require.Equal(t, []string{"shards a", "pins a"}, g.since(version))
	for _, c := range g.changes(version, 0).Changes {
		require.Equal(t, g.row(c.Kind, c.Name), c.Row)
	}
	require.EqualValues(t, 2, g.shard("a").Term)
	version = g.now()
	g.Do(func(tr kv.Transaction) error { // removed and created again
		if err := g.releases(tr, other, group.Release{Token: g.shardToken("a"), Remove: true}); err != nil {
			return err
		}
		_, err := g.CreateShards(tr, []string{"a"}, at(7))
		return err
	})
	require.Equal(t, []string{"shards a", "no pins a", "no requests a"}, g.since(version))
	require.Equal(t, group.Shard{Name: "a", Term: 2, At: at(7)}, g.shard("a"))
}

func severalCallsKeepTheFloor(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me := g.ready("me")
	for _, name := range []string{"a", "b", "c"} {
		for range 1 + len(name)*int(name[0]-'a') {
			g.vacate(me, g.leads(me, name))
		}
	}
	token := g.leads(me, "a")
	g.Do(func(tr kv.Transaction) error {
		if _, err := g.RemoveShards(tr, []string{"c"}); err != nil {
			return err
		}
		if err := g.releases(tr, me, group.Release{Token: token, Remove: true}); err != nil {
			return err
		}
		if _, err := g.RemoveShards(tr, []string{"b"}); err != nil {
			return err
		}
		_, err := g.CreateShards(tr, []string{"a"}, at(0))
		return err
	})
	require.EqualValues(t, 3, g.floor())
	require.EqualValues(t, 3, g.shard("a").Term)
}

func severalCallsEvictAndClaim(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me, dead := g.ready("me"), g.ready("dead")
	g.leads(dead, "a")
	seen := g.beat("dead")
	takeOver := func(tr kv.Transaction) error {
		evicted, err := g.Evict(tr, me.Identity, seen)
		require.NoError(t, err)
		require.True(t, evicted)
		outcomes, err := g.Claim(tr, me.Identity, claims("a"), at(9))
		if err == nil {
			err = outcomes[0].Err
		}
		return err
	}
	late := g.Begin()
	require.NoError(t, takeOver(late))
	g.beats(dead)
	g.RequireConflict(late) // it was alive, so the claim does not take place either
	require.Equal(t, dead.Identity, g.shard("a").Leader)
	seen = g.beat("dead")
	g.Do(takeOver)
	require.Equal(t, me.Identity, g.shard("a").Leader)
}

func severalCallsReplaceASession(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	g.leads(me, "a")
	next := newMember("me")
	next.NotReady = ""
	g.Do(func(tr kv.Transaction) error {
		if err := g.Leave(tr, me.Identity); err != nil {
			return err
		}
		if _, _, err := g.Join(tr, group.Joining{Member: next}); err != nil {
			return err
		}
		if _, err := g.Claim(tr, me.Identity, claims("a"), at(3)); err == nil {
			return fdbelection.ErrDuplicateID
		}
		outcomes, err := g.Claim(tr, next.Identity, claims("a"), at(3))
		if err == nil {
			err = outcomes[0].Err
		}
		return err
	})
	require.Equal(t, next.Identity, g.shard("a").Leader)
	g.requireEnded(me)
	third := newMember("me")
	g.Do(func(tr kv.Transaction) error {
		_, _, err := g.Join(tr, group.Joining{Member: third, Own: []uuid.UUID{next.Incarnation}})
		if err != nil {
			return err
		}
		return g.Leave(tr, third.Identity)
	})
	require.Nil(t, g.Raw("members", "me"))
	require.Nil(t, g.Raw("beats", "me"))
}

func severalCallsOfOneTransactionThatFailsChangeNothing(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	before := g.Dump()
	tr := g.Begin()
	_, err := g.Claim(tr, me.Identity, claims("a"), at(0))
	require.NoError(t, err)
	require.NoError(t, g.Pin(tr, "b", "me"))
	g.Touch(g.Key("shards", "a"))
	g.RequireConflict(tr)
	require.Equal(t, before, g.Dump())
}
