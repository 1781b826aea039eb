package grouptest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var joinTests = []test{
	rule01JoiningIsTheFirstHeartbeat,
	rule01JoiningNeedsAGroup,
	rule01EachAttemptNeedsAFreshIncarnation,
	rule01OwnEarlierIncarnationsAreReplacedAtOnce,
	rule01AStrangerIsReplacedByItsExactHeartbeat,
	rule01AStrangerWithoutOneOfItsRecordsIsReplaced,
	rule01AnOwnSessionWithADamagedRecordIsAStranger,
	rule01TwoJoinsOfOneIDConflict,
	rule01ASessionThatWasReplacedHasEnded,
	rule01AMemberTurnsReady,
	rule01EveryChangeOfAMemberIsStored,
}

func rule01JoiningIsTheFirstHeartbeat(t *testing.T, g *testGroup) {
	g.initialized()
	g.configure(func(c *group.Config) { c.LeaseDuration = 20 * time.Second })
	me := newMember("me")
	me.Tags, me.Weight, me.Capacity = map[string]string{"addr": "10.0.0.1:80", "": "x"}, 3, 7
	_, err := g.tryJoin(group.Joining{Member: me})
	require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
	delete(me.Tags, "")
	var beat group.Beat
	g.Do(func(tr kv.Transaction) error {
		first, config, err := g.Join(tr, group.Joining{Member: me})
		require.Equal(t, 20*time.Second, config.LeaseDuration)
		beat = first
		return err
	})
	require.Equal(t, group.Beat{Identity: me.Identity, Counter: 1, Lease: 20 * time.Second, Value: string(g.Raw("beats", "me"))}, beat)
	require.Equal(t, beat, g.beat("me"))
	require.Equal(t, &me, g.row(group.KindMember, "me").Member)
	again, err := g.tryHeartbeat(me, beat.Counter)
	require.NoError(t, err)
	require.EqualValues(t, 2, again.Counter)
}

func rule01JoiningNeedsAGroup(t *testing.T, g *testGroup) {
	me := group.Joining{Member: newMember("me")}
	_, err := g.tryJoin(me)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	g.initialized()
	g.damage("group")
	_, err = g.tryJoin(me)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Nil(t, g.Raw("members", "me"))
	require.Nil(t, g.Raw("beats", "me"))
}

func rule01EachAttemptNeedsAFreshIncarnation(t *testing.T, g *testGroup) {
	g.initialized()
	me, beat := g.join("me")
	for _, lost := range []string{"", "beats", "members"} {
		rows := g.Dump()
		if lost != "" {
			g.Remove(lost, "me")
		}
		before := g.Dump()
		_, err := g.tryJoin(group.Joining{Member: me})
		require.ErrorIs(t, err, group.ErrIncarnationUsed, lost)
		_, err = g.tryJoin(group.Joining{Member: me, Own: []uuid.UUID{me.Incarnation}, Seen: &beat})
		require.ErrorIs(t, err, group.ErrIncarnationUsed, lost)
		require.Equal(t, before, g.Dump())
		g.Restore(rows)
	}
}

func rule01OwnEarlierIncarnationsAreReplacedAtOnce(t *testing.T, g *testGroup) {
	g.initialized("a")
	first := g.ready("me")
	token := g.leads(first, "a")
	second, third := newMember("me"), newMember("me")
	_, err := g.tryJoin(group.Joining{Member: second, Own: []uuid.UUID{newNonce()}})
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID, "Own does not name the session")
	beat, err := g.tryJoin(group.Joining{Member: second, Own: []uuid.UUID{newNonce(), first.Incarnation}})
	require.NoError(t, err)
	require.EqualValues(t, 1, beat.Counter)
	g.requireEnded(first)
	// An attempt with an unknown result is one of those too, whether it has committed or not.
	_, err = g.tryJoin(group.Joining{Member: third, Own: []uuid.UUID{first.Incarnation, newNonce(), second.Incarnation}})
	require.NoError(t, err)
	require.NoError(t, g.fenced(token), "the shard was not claimed yet")
	third.NotReady = ""
	g.update(third)
	require.EqualValues(t, 2, g.leads(third, "a").Term, "the shard of the earlier session is free")
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
}

func rule01AStrangerIsReplacedByItsExactHeartbeat(t *testing.T, g *testGroup) {
	g.initialized()
	stranger, _ := g.join("me")
	me := newMember("me")
	seen, err := g.tryJoin(group.Joining{Member: me})
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	require.Equal(t, g.beat("me"), seen, "the heartbeat to observe")
	g.beats(stranger)
	moved, err := g.tryJoin(group.Joining{Member: me, Seen: &seen})
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID, "the stranger is alive")
	require.Equal(t, g.beat("me"), moved)
	before := g.Dump()
	_, err = g.tryJoin(group.Joining{Member: me, Seen: &group.Beat{}})
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	require.Equal(t, before, g.Dump())
	_, err = g.tryJoin(group.Joining{Member: me, Seen: &moved})
	require.NoError(t, err)
	g.requireEnded(stranger)
}

func rule01AStrangerWithoutOneOfItsRecordsIsReplaced(t *testing.T, g *testGroup) {
	g.initialized()
	for name, spoil := range map[string]func(){
		"a damaged heartbeat":     func() { g.damage("beats", "me") },
		"a damaged member":        func() { g.damage("members", "me") },
		"a heartbeat of tomorrow": func() { g.fromTheFuture("beats", "me") },
		"a member of tomorrow":    func() { g.fromTheFuture("members", "me") },
		"no heartbeat":            func() { g.Remove("beats", "me") },
		"no member":               func() { g.Remove("members", "me") },
	} {
		g.join("me")
		spoil()
		me := newMember("me")
		seen, err := g.tryJoin(group.Joining{Member: me})
		require.ErrorIs(t, err, fdbelection.ErrDuplicateID, name)
		require.Equal(t, string(g.Raw("beats", "me")), seen.Value, name)
		require.Equal(t, "me", seen.ID, name)
		_, err = g.tryJoin(group.Joining{Member: me, Seen: &seen})
		require.NoError(t, err, name)
		g.beats(me)
		g.leave(me)
	}
}

// A damaged record does not say whose it is, so the process observes the session first.
func rule01AnOwnSessionWithADamagedRecordIsAStranger(t *testing.T, g *testGroup) {
	g.initialized()
	for i, kind := range []string{"members", "beats", "members", "beats"} {
		earlier, _ := g.join("me")
		if value := g.Raw(kind, "me"); i < 2 {
			g.damage(kind, "me")
		} else {
			g.Spoil(value[:20], kind, "me") // it names the incarnation, and no more
		}
		me := group.Joining{Member: newMember("me"), Own: []uuid.UUID{earlier.Incarnation}}
		seen, err := g.tryJoin(me)
		require.ErrorIs(t, err, fdbelection.ErrDuplicateID, kind)
		me.Seen = &seen
		_, err = g.tryJoin(me)
		require.NoError(t, err, kind)
		g.leave(me.Member)
	}
}

func rule01TwoJoinsOfOneIDConflict(t *testing.T, g *testGroup) {
	g.initialized()
	one, two := g.Begin(), g.Begin()
	for _, tr := range []kv.Transaction{one, two} {
		_, _, err := g.Join(tr, group.Joining{Member: newMember("me")})
		require.NoError(t, err)
	}
	require.NoError(t, one.Commit())
	g.RequireConflict(two)
}

func rule01ASessionThatWasReplacedHasEnded(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	earlier := g.ready("me")
	token := g.leads(earlier, "a")
	late := map[string]kv.OwnedTransaction{}
	for name, attempt := range g.attempts(earlier, token) {
		late[name] = g.Begin()
		require.NoError(t, attempt(late[name]), name)
	}
	seen := g.beat("me")
	_, err := g.tryJoin(group.Joining{Member: newMember("me"), Seen: &seen})
	require.NoError(t, err)
	for name, tr := range late {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "a late %s must not commit", name)
	}
	g.requireEnded(earlier)
}

func rule01AMemberTurnsReady(t *testing.T, g *testGroup) {
	g.initialized("a")
	other := g.ready("other")
	me, _ := g.join("me")
	_, err := g.tryClaim(me, claims("a")...)
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	me.NotReady = ""
	joined := me.JoinedAt
	me.JoinedAt = at(99) // the time of joining stays
	g.update(me)
	require.True(t, g.row(group.KindMember, "me").Member.JoinedAt.Equal(joined))
	g.leads(me, "a")
	require.NotEqual(t, other.Identity, g.shard("a").Leader)
}

func rule01EveryChangeOfAMemberIsStored(t *testing.T, g *testGroup) {
	g.initialized()
	me := g.ready("me")
	for what, edit := range map[string]func(m *group.Member){
		"weight":   func(m *group.Member) { m.Weight = 7 },
		"capacity": func(m *group.Member) { m.Capacity = 7 },
		"tags":     func(m *group.Member) { m.Tags = map[string]string{"zone": "b"} },
		"reason":   func(m *group.Member) { m.NotReady = "its cache is cold" },
		"draining": func(m *group.Member) { m.Draining = true },
		"balance":  func(m *group.Member) { m.Balance = 7 },
	} {
		edit(&me)
		version := g.now()
		g.update(me)
		require.Equal(t, []string{"members me"}, g.since(version), what)
		require.Equal(t, &me, g.row(group.KindMember, "me").Member, what)
		g.update(me)
		require.Len(t, g.since(version), 1, "the same again")
	}
}
