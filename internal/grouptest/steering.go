package grouptest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var requestTests = []test{
	rule14ARequestToResignIsOfOneTerm,
	rule14ARemovalStaysAndANewerRequestReplacesAnOlderOne,
	rule14ARequestConflictsWithWhatMakesItVoid,
	rule14ADamagedRequestIsReplaced,
	rule14ACanceledRequest,
}

var steeringTests = []test{
	rule14APinIsOfAShardThatExists,
	rule14ADrainOutlivesTheSession,
	rule14DamagedPinsAndDrains,
}

func (g *testGroup) resign(name string, term uint64, nonce uuid.UUID) error {
	return g.Try(func(tr kv.Transaction) error { return g.RequestResign(tr, name, term, nonce) })
}

// request returns what is asked of the leader of a shard, or nil.
func (g *testGroup) request(name string) *group.Request {
	g.T.Helper()
	row := g.row(group.KindRequest, name)
	require.NoError(g.T, row.Unreadable)
	return row.Request
}

func rule14ARequestToResignIsOfOneTerm(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	require.ErrorIs(t, g.resign("no shard", 1, newNonce()), group.ErrNoShard)
	require.ErrorIs(t, g.resign("a", 1, newNonce()), fdbelection.ErrNotLeader)
	require.NoError(t, g.resign("a", 0, newNonce()), "there was no tenure to end")
	token := g.leads(me, "a")
	nonce := newNonce()
	require.NoError(t, g.resign("a", 1, nonce))
	require.Equal(t, &group.Request{Kind: group.ResignRequest, Term: 1, Nonce: nonce}, g.request("a"))
	require.NoError(t, g.fenced(token), "its leader ends the tenure")
	g.vacate(me, token)
	g.leads(me, "a")
	require.NoError(t, g.resign("a", 1, newNonce()), "that tenure has ended")
	require.Equal(t, nonce, g.request("a").Nonce)
	g.vacate(me, g.shardToken("a"))
	require.NoError(t, g.resign("a", 2, newNonce()), "that tenure has ended too")
	require.EqualValues(t, 1, g.request("a").Term)
	g.damage("shards", "a")
	require.ErrorIs(t, g.resign("a", 2, newNonce()), fdbelection.ErrInvalidState)
}

func rule14ARemovalStaysAndANewerRequestReplacesAnOlderOne(t *testing.T, g *testGroup) {
	g.initialized("a")
	g.leads(g.ready("me"), "a")
	require.NoError(t, g.resign("a", 1, newNonce()))
	second := newNonce()
	require.NoError(t, g.resign("a", 1, second))
	require.Equal(t, second, g.request("a").Nonce)
	g.removed("a")
	removal := group.Request{Kind: group.RemoveRequest, Term: 1}
	require.Equal(t, &removal, g.request("a"))
	version := g.now()
	require.NoError(t, g.resign("a", 1, newNonce()), "the leader that removes it leads no more either")
	g.removed("a")
	require.Equal(t, &removal, g.request("a"))
	require.Empty(t, g.since(version))
}

func rule14ARequestConflictsWithWhatMakesItVoid(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	late, removal := g.Begin(), g.Begin()
	require.NoError(t, g.RequestResign(late, "a", 1, newNonce()))
	_, err := g.RemoveShards(removal, []string{"a"})
	require.NoError(t, err)
	g.vacate(me, token)
	g.RequireConflict(late)
	g.RequireConflict(removal)
	require.Nil(t, g.request("a"))
}

func rule14ADamagedRequestIsReplaced(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	g.leads(me, "a")
	g.leads(me, "b")
	for _, name := range []string{"a", "b"} {
		g.damage("requests", name)
	}
	require.ErrorIs(t, g.row(group.KindRequest, "a").Unreadable, fdbelection.ErrInvalidState)
	require.NoError(t, g.resign("a", 1, newNonce()))
	require.Equal(t, group.ResignRequest, g.request("a").Kind)
	g.removed("b")
	require.Equal(t, group.RemoveRequest, g.request("b").Kind)
	// One of a newer program is not replaced. Others of the batch are.
	g.fromTheFuture("requests", "a")
	require.ErrorIs(t, g.resign("a", 1, newNonce()), fdbelection.ErrInvalidState)
	g.Remove("requests", "b")
	outcomes := g.removed("a", "b")
	require.ErrorIs(t, outcomes[0].Err, fdbelection.ErrInvalidState)
	require.NoError(t, outcomes[1].Err)
	require.Equal(t, group.RemoveRequest, g.request("b").Kind)
}

func rule14ACanceledRequest(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	cancel := func() (found bool) {
		g.Do(func(tr kv.Transaction) (err error) {
			found, err = g.CancelRequest(tr, "a")
			return err
		})
		return found
	}
	require.False(t, cancel())
	for _, ask := range []func(){
		func() { g.removed("a") },
		func() { require.NoError(t, g.resign("a", 1, newNonce())) },
		func() { g.damage("requests", "a") },
	} {
		ask()
		version := g.now()
		require.True(t, cancel())
		require.Equal(t, []string{"no requests a"}, g.since(version))
		require.Nil(t, g.request("a"))
		require.False(t, cancel())
	}
	require.NoError(t, g.fenced(token))
}

func (g *testGroup) pin(name, id string) error {
	return g.Try(func(tr kv.Transaction) error { return g.Pin(tr, name, id) })
}

func rule14APinIsOfAShardThatExists(t *testing.T, g *testGroup) {
	g.initialized("a")
	require.ErrorIs(t, g.pin("no shard", "m"), group.ErrNoShard)
	require.NoError(t, g.pin("a", "m"))
	version := g.now()
	require.NoError(t, g.pin("a", "m"))
	require.Empty(t, g.since(version))
	require.NoError(t, g.pin("a", "n"))
	require.Equal(t, []string{"pins a"}, g.since(version))
	require.Equal(t, "n", g.row(group.KindPin, "a").Pin)
	unpin := func() (found bool) {
		g.Do(func(tr kv.Transaction) (err error) {
			found, err = g.Unpin(tr, "a")
			return err
		})
		return found
	}
	require.True(t, unpin())
	require.False(t, unpin())
	require.Equal(t, []string{"pins a", "no pins a"}, g.since(version))
	g.damage("shards", "a")
	require.NoError(t, g.pin("a", "n"), "it exists, even if it cannot be read")
}

func rule14ADrainOutlivesTheSession(t *testing.T, g *testGroup) {
	g.initialized()
	drain := func() { g.Do(func(tr kv.Transaction) error { return g.Drain(tr, "m") }) }
	undrain := func() (found bool) {
		g.Do(func(tr kv.Transaction) (err error) {
			found, err = g.Undrain(tr, "m")
			return err
		})
		return found
	}
	require.False(t, undrain())
	drain()
	m := g.ready("m")
	g.leave(m)
	g.ready("m")
	require.False(t, g.row(group.KindDrain, "m").Removed)
	version := g.now()
	drain()
	require.Empty(t, g.since(version))
	require.True(t, undrain())
	require.False(t, undrain())
	require.Equal(t, []string{"no drains m"}, g.since(version))
}

func rule14DamagedPinsAndDrains(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	require.NoError(t, g.pin("a", "m"))
	require.NoError(t, g.pin("b", "m"))
	g.damage("pins", "a")
	g.damage("drains", "m") // that it exists says all
	require.ErrorIs(t, g.row(group.KindPin, "a").Unreadable, fdbelection.ErrInvalidState)
	require.NoError(t, g.row(group.KindPin, "b").Unreadable)
	require.NoError(t, g.row(group.KindDrain, "m").Unreadable)
	require.NoError(t, g.pin("a", "m"))
	require.Equal(t, "m", g.row(group.KindPin, "a").Pin)
	g.Spoil(subspace.AppendString(subspace.AppendInt(nil, 1), "m\x1b"), "pins", "a")
	row := g.row(group.KindPin, "a")
	require.ErrorIs(t, row.Unreadable, fdbelection.ErrInvalidState)
	require.NotContains(t, row.Unreadable.Error(), "\x1b")
	require.Empty(t, row.Pin)
}
