package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var evictionTests = []test{
	rule03AnEvictionNeedsExactlyTheSameHeartbeat,
	rule03AnEvictionOfRecordsThatCannotBeRead,
	rule03AnEvictionAndHeartbeatsConflict,
	rule03AnEvictedSessionNeverWritesAgain,
	rule03AnEvictionSaysWhoDidIt,
}

func rule03AnEvictionNeedsExactlyTheSameHeartbeat(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, victim := g.ready("me"), g.ready("victim")
	g.leads(victim, "a")
	seen := g.beat("victim")
	g.beats(victim)
	before := g.Dump()
	evicted, err := g.tryEvict(me, seen)
	require.NoError(t, err)
	require.False(t, evicted, "it has sent a heartbeat")
	other := g.beat("victim")
	other.Value += "\x00"
	for _, wrong := range []group.Beat{{Identity: victim.Identity}, other, {Identity: election.Identity{ID: "no member"}}} {
		evicted, err = g.tryEvict(me, wrong)
		require.NoError(t, err)
		require.False(t, evicted)
	}
	require.Equal(t, before, g.Dump())
	evicted, err = g.tryEvict(me, g.beat("victim"))
	require.NoError(t, err)
	require.True(t, evicted)
	require.Nil(t, g.Raw("beats", "victim"))
	require.Nil(t, g.Raw("members", "victim"))
	require.EqualValues(t, 2, g.leads(me, "a").Term)
}

func rule03AnEvictionOfRecordsThatCannotBeRead(t *testing.T, g *testGroup) {
	g.initialized()
	me := g.ready("me")
	longer := func() { // a program of tomorrow, which adds an element
		value := append([]byte(nil), g.Raw("beats", "victim")...)
		g.Spoil(subspace.AppendString(value, "later"), "beats", "victim")
		g.fromTheFuture("beats", "victim")
	}
	for name, spoil := range map[string]func(){
		"a damaged heartbeat":     func() { g.damage("beats", "victim") },
		"an empty heartbeat":      func() { g.Spoil([]byte{}, "beats", "victim") },
		"a heartbeat of tomorrow": longer,
		"no heartbeat":            func() { g.Remove("beats", "victim") },
		"a damaged member":        func() { g.damage("members", "victim") },
		"a member of tomorrow":    func() { g.fromTheFuture("members", "victim") },
		"no member":               func() { g.Remove("members", "victim") },
	} {
		victim := g.ready("victim")
		spoil()
		if name == "a heartbeat of tomorrow" {
			require.Equal(t, g.beat("me").Lease, g.beat("victim").Lease, "its first elements can be read")
			require.Equal(t, victim.Identity, g.beat("victim").Identity)
		}
		g.evict(me, "victim")
		require.Nil(t, g.Raw("beats", "victim"), name)
		require.Nil(t, g.Raw("members", "victim"), name)
		evicted, err := g.tryEvict(me, g.beat("victim"))
		require.NoError(t, err)
		require.False(t, evicted, "there is nothing left")
	}
}

func rule03AnEvictionAndHeartbeatsConflict(t *testing.T, g *testGroup) {
	g.initialized()
	me, victim, other := g.ready("me"), g.ready("victim"), g.ready("other")
	seen := g.beat("victim")
	evict := func(tr kv.Transaction) {
		evicted, err := g.Evict(tr, me.Identity, seen)
		require.NoError(t, err)
		require.True(t, evicted)
	}
	eviction := g.Begin()
	evict(eviction)
	g.beats(victim)
	g.RequireConflict(eviction)
	require.NotNil(t, g.Raw("members", "victim"))

	seen = g.beat("victim")
	eviction = g.Begin()
	evict(eviction)
	heartbeat := g.Begin()
	_, _, err := g.Heartbeat(heartbeat, victim.Identity, 0, 0)
	require.NoError(t, err)
	g.beats(me) // neither the heartbeats of the evictor nor those of a third member conflict
	g.beats(other)
	require.NoError(t, eviction.Commit())
	g.RequireConflict(heartbeat)
	require.Nil(t, g.Raw("beats", "victim"), "a late heartbeat does not bring the session back")
}

func rule03AnEvictedSessionNeverWritesAgain(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me, victim := g.ready("me"), g.ready("victim")
	token := g.leads(victim, "a")
	late := map[string]kv.OwnedTransaction{}
	for name, attempt := range g.attempts(victim, token) {
		late[name] = g.Begin()
		require.NoError(t, attempt(late[name]), name)
	}
	g.evict(me, "victim")
	for name, tr := range late {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "a late %s must not commit", name)
	}
	g.requireEnded(victim)
}

func rule03AnEvictionSaysWhoDidIt(t *testing.T, g *testGroup) {
	g.initialized()
	me, _ := g.ready("me"), g.ready("victim")
	version := g.now()
	g.evict(me, "victim")
	changes := g.changes(version, 0).Changes
	require.Len(t, changes, 1)
	require.Equal(t, group.Row{Kind: group.KindMember, Name: "victim", Removed: true}, changes[0].Row)
	require.Equal(t, "me", changes[0].By)
	require.Equal(t, "evicted", changes[0].Why)
}

// attempts are all writes of a session, which leads a shard. There is a free shard "b".
func (g *testGroup) attempts(m group.Member, token group.Token) map[string]func(tr kv.Transaction) error {
	release := func(r group.Release) func(tr kv.Transaction) error {
		r.Token = token
		return func(tr kv.Transaction) error { return g.releases(tr, m, r) }
	}
	return map[string]func(tr kv.Transaction) error{
		"heartbeat": func(tr kv.Transaction) error { _, _, err := g.Heartbeat(tr, m.Identity, 0, 0); return err },
		"change": func(tr kv.Transaction) error {
			m.NotReady = "its cache is cold"
			return g.UpdateMember(tr, m)
		},
		"claim": func(tr kv.Transaction) error {
			outcomes, err := g.Claim(tr, m.Identity, claims("b"), at(1))
			if err == nil {
				err = outcomes[0].Err
			}
			return err
		},
		"release":   release(group.Release{}),
		"hand-over": release(group.Release{Target: m.Identity, Nonce: newNonce()}),
		"removal":   release(group.Release{Remove: true}),
		"eviction": func(tr kv.Transaction) error {
			_, err := g.Evict(tr, m.Identity, group.Beat{Identity: election.Identity{ID: "other"}, Value: "x"})
			tr.Set(g.Key("application"), nil)
			return err
		},
	}
}

func (g *testGroup) releases(tr kv.Transaction, m group.Member, r group.Release) error {
	outcomes, err := g.Release(tr, m.Identity, []group.Release{r}, at(1))
	if err == nil {
		err = outcomes[0].Err
	}
	return err
}
