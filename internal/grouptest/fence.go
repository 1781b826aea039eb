package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var fenceTests = []test{
	rule07TheFenceComparesAllOfTheToken,
	rule07WorkHeldAcrossAChangeOfTenureIsRefused,
	rule07WorkConflictsWithNothingElse,
	rule07TheFenceOfAShardThatCannotBeRead,
	rule07TheFenceInTheTransactionOfTheClaim,
}

func rule07TheFenceComparesAllOfTheToken(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	token := g.leads(me, "a")
	require.NoError(t, g.fenced(token))
	wrong := []group.Token{token, token, token, token, token, token}
	wrong[0].Term++
	wrong[1].Nonce = newNonce()
	wrong[2].Incarnation = newNonce()
	wrong[3].ID = "b"
	wrong[4].Shard = "b"
	wrong[5].Shard = "no shard\x1b"
	for _, token := range append(wrong, group.Token{}) {
		err := g.fenced(token)
		require.ErrorIs(t, err, fdbelection.ErrFenced, token.String())
		require.NotContains(t, err.Error(), "\x1b")
	}
	vacant := g.shard("b")
	require.ErrorIs(t, g.fenced(vacant.Token()), fdbelection.ErrFenced, "a vacancy is not a tenure")
	g.vacate(me, token)
	vacant = g.shard("a")
	require.ErrorIs(t, g.fenced(vacant.Token()), fdbelection.ErrFenced)
}

func rule07WorkHeldAcrossAChangeOfTenureIsRefused(t *testing.T, g *testGroup) {
	for name, change := range map[string]func(g *testGroup, a, b group.Member, token group.Token){
		"release": func(g *testGroup, a, _ group.Member, token group.Token) { g.vacate(a, token) },
		"hand-over": func(g *testGroup, a, b group.Member, token group.Token) {
			require.NoError(t, g.released(a, group.Release{Token: token, Target: b.Identity, Nonce: newNonce()}).Err)
		},
		"hand-over to itself": func(g *testGroup, a, _ group.Member, token group.Token) {
			require.NoError(t, g.released(a, group.Release{Token: token, Target: a.Identity, Nonce: newNonce()}).Err)
		},
		"removal": func(g *testGroup, a, _ group.Member, token group.Token) {
			require.NoError(t, g.released(a, group.Release{Token: token, Remove: true}).Err)
		},
		"claim": func(g *testGroup, _, b group.Member, _ group.Token) {
			g.evict(b, "a")
			g.leads(b, "a")
		},
		"removal after the end of the session": func(g *testGroup, _, b group.Member, _ group.Token) {
			g.evict(b, "a")
			require.True(t, g.removed("a")[0].Removed)
		},
		"removal and creation": func(g *testGroup, a, _ group.Member, token group.Token) {
			require.NoError(t, g.released(a, group.Release{Token: token, Remove: true}).Err)
			g.create("a")
		},
	} {
		g := newTestGroup(t, g.Engine).initialized("a")
		a, b := g.ready("a"), g.ready("b")
		token := g.leads(a, "a")
		work := g.Begin()
		require.NoError(t, g.RequireLeadership(work, token))
		g.work(work)
		change(g, a, b, token)
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(work.Commit()), "fenced work must not commit after: %s", name)
		require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced, name)
		require.Nil(t, g.Raw("application"), name)
	}
}

// Neither heartbeats, nor moves of other shards, nor any change of the group but that of the
// tenure conflicts with fenced work. An evicted member may work until its shard is claimed.
func rule07WorkConflictsWithNothingElse(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me, other := g.ready("me"), g.ready("other")
	token, b := g.leads(me, "a"), g.leads(me, "b")
	work := g.Begin()
	require.NoError(t, g.RequireLeadership(work, token))
	g.work(work)
	g.beats(me)
	g.beats(other)
	me.NotReady = "its cache is cold"
	g.update(me)
	require.NoError(t, g.released(me, group.Release{Token: b, Target: other.Identity, Nonce: newNonce()}).Err)
	g.leads(other, "c")
	g.create("d")
	g.removed("d", "a")
	g.Do(func(tr kv.Transaction) error {
		if err := g.Drain(tr, "me"); err != nil {
			return err
		}
		if err := g.Pin(tr, "a", "other"); err != nil {
			return err
		}
		return g.Trim(tr, 1)
	})
	g.configure(disabled)
	g.evict(other, "me")
	require.NoError(t, work.Commit())
	require.NoError(t, g.fenced(token))
	require.Equal(t, []byte("work"), g.Raw("application"))
}

func rule07TheFenceOfAShardThatCannotBeRead(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me := g.ready("me")
	a, b := g.leads(me, "a"), g.leads(me, "b")
	g.damage("shards", "a")
	err := g.fenced(a)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.NotErrorIs(t, err, fdbelection.ErrFenced)
	require.NoError(t, g.fenced(b))
}

func rule07TheFenceInTheTransactionOfTheClaim(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	g.Do(func(tr kv.Transaction) error {
		outcomes, err := g.Claim(tr, me.Identity, claims("a"), at(1))
		if err != nil {
			return err
		}
		g.work(tr)
		return g.RequireLeadership(tr, outcomes[0].Shard.Token())
	})
	require.Equal(t, []byte("work"), g.Raw("application"))
}
