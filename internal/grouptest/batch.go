package grouptest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var batchTests = []test{
	rule09TheLargestBatch,
	rule09ABatchThatIsTooLargeIsRefused,
	rule09OneShardCostsTheOthersOfItsBatchNothing,
	rule09AReleaseCostsTheOthersOfItsBatchNothing,
	rule09ABatchNamesEachShardOnce,
	rule09ABatchOfAnEndedSessionChangesNothing,
	rule09AnEmptyBatch,
	rule09ActsNeedNonces,
}

func shardNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("shard-%03d", i)
	}
	return names
}

func rule09TheLargestBatch(t *testing.T, g *testGroup) {
	g.initialized()
	names := shardNames(group.MaxBatch)
	require.Equal(t, group.MaxBatch, g.create(names...))
	me, target := g.ready("me"), g.ready("target")
	outcomes, err := g.tryClaim(me, claims(names...)...)
	require.NoError(t, err)
	releases := make([]group.Release, len(names))
	for i, o := range outcomes {
		require.NoError(t, o.Err)
		require.Equal(t, names[i], o.Shard.Name)
		releases[i] = group.Release{Token: o.Shard.Token()}
		if i%2 == 0 {
			releases[i].Target, releases[i].Nonce = target.Identity, newNonce()
		}
	}
	outcomes, err = g.tryRelease(me, releases...)
	require.NoError(t, err)
	for i, o := range outcomes {
		require.NoError(t, o.Err)
		require.Equal(t, names[i], o.Shard.Name)
		require.Equal(t, i%2 == 1, o.Shard.Vacant())
	}
	for i, o := range g.removed(names...) {
		require.NoError(t, o.Err)
		require.Equal(t, i%2 == 1, o.Removed)
	}
	g.leave(target)
	for _, o := range g.removed(names...) {
		require.NoError(t, o.Err)
		require.True(t, o.Removed)
	}
}

func rule09ABatchThatIsTooLargeIsRefused(t *testing.T, g *testGroup) {
	g.initialized()
	me := g.ready("me")
	names := shardNames(group.MaxBatch + 1)
	releases := make([]group.Release, len(names))
	for i, name := range names {
		releases[i].Token.Shard = name
	}
	before := g.Dump()
	for name, call := range map[string]func(tr kv.Transaction) error{
		"create":  func(tr kv.Transaction) error { _, err := g.CreateShards(tr, names, at(0)); return err },
		"remove":  func(tr kv.Transaction) error { _, err := g.RemoveShards(tr, names); return err },
		"raise":   func(tr kv.Transaction) error { _, err := g.RaiseTerms(tr, names, 1, at(0)); return err },
		"claim":   func(tr kv.Transaction) error { _, err := g.Claim(tr, me.Identity, claims(names...), at(0)); return err },
		"release": func(tr kv.Transaction) error { _, err := g.Release(tr, me.Identity, releases, at(0)); return err },
	} {
		require.ErrorIs(t, g.Try(call), group.ErrBatchTooLarge, name)
	}
	require.Equal(t, before, g.Dump())
}

func rule09OneShardCostsTheOthersOfItsBatchNothing(t *testing.T, g *testGroup) {
	g.initialized("free", "held", "damaged", "newer", "own", "last")
	me, other := g.ready("me"), g.ready("other")
	g.leads(other, "held")
	own := g.leads(me, "own")
	g.damage("shards", "damaged")
	g.fromTheFuture("shards", "newer")
	vacant := g.Raw("shards", "free")
	g.Spoil(vacant, "shards", "not\x01a name")
	outcomes, err := g.tryClaim(me, claims("free", "held", "damaged", "newer", "missing", "not\x01a name", "own", "last")...)
	require.NoError(t, err)
	for i, want := range []error{
		nil, group.ErrHeld, fdbelection.ErrInvalidState, fdbelection.ErrInvalidState, group.ErrNoShard, group.ErrNoShard, nil, nil,
	} {
		require.ErrorIs(t, outcomes[i].Err, want, "%d", i)
	}
	require.True(t, outcomes[4].Removed)
	require.Equal(t, own, outcomes[6].Shard.Token())
	require.Equal(t, me.Identity, g.shard("last").Leader)
	require.Equal(t, vacant, g.Raw("shards", "not\x01a name"))
}

func rule09AReleaseCostsTheOthersOfItsBatchNothing(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "damaged", "lost", "c")
	me := g.ready("me")
	releases := make([]group.Release, 0, 6)
	for _, name := range []string{"a", "b", "damaged", "lost", "c"} {
		releases = append(releases, group.Release{Token: g.leads(me, name)})
	}
	releases[1].Token.Term = 9
	releases[4].Target, releases[4].Nonce = newMember("absent").Identity, newNonce()
	releases = append(releases, group.Release{Token: group.Token{Shard: "not\x01a name"}})
	g.damage("shards", "damaged")
	g.Remove("shards", "lost")
	outcomes, err := g.tryRelease(me, releases...)
	require.NoError(t, err)
	for i, want := range []error{
		nil, fdbelection.ErrFenced, fdbelection.ErrInvalidState, group.ErrNoShard, group.ErrTarget, group.ErrNoShard,
	} {
		require.ErrorIs(t, outcomes[i].Err, want, "%d", i)
	}
	require.True(t, g.vacant("a"))
	require.Equal(t, me.Identity, g.shard("b").Leader)
	require.Equal(t, []byte("damaged"), g.Raw("shards", "damaged"))
	require.True(t, g.vacant("c"))
}

// Otherwise the outcome of one of the two would not be what is stored.
func rule09ABatchNamesEachShardOnce(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	_, err := g.tryClaim(me, claims("a", "b", "a")...)
	require.ErrorIs(t, err, group.ErrInvalidName)
	token := g.leads(me, "a")
	_, err = g.tryRelease(me, group.Release{Token: token}, group.Release{Token: token, Target: me.Identity, Nonce: newNonce()})
	require.ErrorIs(t, err, group.ErrInvalidName)
	require.NoError(t, g.fenced(token))
	require.Equal(t, 1, g.create("c", "c"))
	for _, o := range g.removed("c", "c") {
		require.True(t, o.Removed)
	}
}

func rule09ABatchOfAnEndedSessionChangesNothing(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me, other := g.ready("me"), g.ready("other")
	token := g.leads(me, "a")
	g.evict(other, "me")
	before := g.Dump()
	_, err := g.tryClaim(me, claims("a", "b")...)
	require.ErrorIs(t, err, group.ErrSessionEnded)
	for _, r := range []group.Release{{}, {Target: other.Identity, Nonce: newNonce()}, {Remove: true}} {
		r.Token = token
		_, err = g.tryRelease(me, r)
		require.ErrorIs(t, err, group.ErrSessionEnded)
	}
	require.Equal(t, before, g.Dump())
}

func rule09AnEmptyBatch(t *testing.T, g *testGroup) {
	g.initialized()
	me := g.ready("me")
	before := g.Dump()
	outcomes, err := g.tryClaim(me)
	require.NoError(t, err)
	require.Empty(t, outcomes)
	outcomes, err = g.tryRelease(me)
	require.NoError(t, err)
	require.Empty(t, outcomes)
	require.Zero(t, g.create())
	require.Empty(t, g.removed())
	require.Equal(t, before, g.Dump())
}

func rule09ActsNeedNonces(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	_, err := g.tryClaim(me, group.Claim{Shard: "a", Nonce: newNonce()}, group.Claim{Shard: "b"})
	require.ErrorIs(t, err, fdbelection.ErrNoNonce)
	token := g.leads(me, "a")
	_, err = g.tryRelease(me, group.Release{Token: token, Target: me.Identity})
	require.ErrorIs(t, err, fdbelection.ErrNoNonce)
	require.ErrorIs(t, g.Try(func(tr kv.Transaction) error { return g.RequestResign(tr, "a", 1, uuid.Nil) }), fdbelection.ErrNoNonce)
	require.NoError(t, g.fenced(token))
	require.NoError(t, g.released(me, group.Release{Token: token}).Err, "no tenure follows")
}
