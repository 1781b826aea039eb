package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var releaseTests = []test{
	rule05AReleaseLeavesTheShardVacant,
	rule05AHandOverLeavesNoVacancy,
	rule05ATargetThatIsUnfitReceivesNothing,
	rule05NoHandOverInADisabledGroup,
	rule05AHandOverWithoutAReadableConfig,
	rule05AReleaseNeedsExactlyTheTenure,
	rule05AMemberReleasesOnlyItsOwnShards,
	rule05AHandOverConflictsWithWhatMakesItsTargetUnfit,
	rule05ATargetThatDiesLeavesTheShardFree,
}

func rule05AReleaseLeavesTheShardVacant(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	outcome := g.released(me, group.Release{Token: token, Reason: group.ReasonDrain})
	want := group.Shard{Name: "a", Term: 1, Nonce: token.Nonce, Reason: group.ReasonDrain, At: at(2)}
	require.Equal(t, group.Outcome{Shard: want}, outcome)
	require.Equal(t, want, g.shard("a"))
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced, "at once, without a successor")
}

func rule05AHandOverLeavesNoVacancy(t *testing.T, g *testGroup) {
	g.initialized("a", "b", "c")
	me, target := g.ready("me"), g.ready("target")
	nonce := newNonce()
	token := g.leads(me, "a")
	outcomes, err := g.tryRelease(me,
		group.Release{Token: token, Target: target.Identity, Nonce: nonce, Reason: group.ReasonBalance, Moves: 4},
		group.Release{Token: g.leads(me, "b"), Target: target.Identity, Nonce: newNonce()},
		group.Release{Token: g.leads(me, "c")})
	require.NoError(t, err)
	want := group.Shard{Name: "a", Term: 2, Leader: target.Identity, Nonce: nonce, Reason: group.ReasonBalance, At: at(2), Moves: 4}
	require.Equal(t, group.Outcome{Shard: want}, outcomes[0])
	require.Equal(t, want, g.shard("a"))
	require.Equal(t, target.Identity, g.shard("b").Leader)
	require.True(t, g.vacant("c"))
	require.ErrorIs(t, g.fenced(token), fdbelection.ErrFenced)
	require.NoError(t, g.fenced(want.Token()))
}

func rule05ATargetThatIsUnfitReceivesNothing(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	for name, spoil := range map[string]func(m *group.Member){
		"absent":                func(m *group.Member) { g.leave(*m) },
		"not ready":             func(m *group.Member) { m.NotReady = settling; g.update(*m) },
		"draining":              func(m *group.Member) { m.Draining = true; g.update(*m) },
		"damaged":               func(*group.Member) { g.damage("members", "target") },
		"newer":                 func(*group.Member) { g.fromTheFuture("members", "target") },
		"of another session":    func(m *group.Member) { m.Incarnation = newNonce() },
		"not a member's id":     func(m *group.Member) { m.ID = "x\x00y" },
		"longer than a key can": func(m *group.Member) { m.ID = string(make([]byte, 20_000)) },
	} {
		target := g.ready("target")
		fit := target
		token := g.leads(me, "a")
		spoil(&target)
		handOver := group.Release{Token: token, Target: target.Identity, Nonce: newNonce(), Reason: group.ReasonStop}
		outcome := g.released(me, handOver)
		require.ErrorIs(t, outcome.Err, group.ErrTarget, name)
		require.True(t, outcome.Shard.Vacant(), name)
		require.Equal(t, token.Term, outcome.Shard.Term, name)
		require.Equal(t, outcome.Shard, g.shard("a"), name)
		again := g.released(me, handOver)
		require.NoError(t, again.Err, "%s: the tenure has ended", name)
		require.Equal(t, outcome.Shard, again.Shard, name)
		g.leave(fit)
	}
}

func rule05NoHandOverInADisabledGroup(t *testing.T, g *testGroup) {
	g.initialized("a", "b")
	me, target := g.ready("me"), g.ready("target")
	a, b := g.leads(me, "a"), g.leads(me, "b")
	late := g.Begin()
	require.NoError(t, g.releases(late, me, group.Release{Token: b, Target: target.Identity, Nonce: newNonce()}))
	g.configure(disabled)
	g.RequireConflict(late)
	outcome := g.released(me, group.Release{Token: a, Target: target.Identity, Nonce: newNonce()})
	require.ErrorIs(t, outcome.Err, group.ErrTarget)
	require.True(t, g.vacant("a"))
	require.NoError(t, g.fenced(b))
}

// A shard that is led stays led if only the config cannot be read.
func rule05AHandOverWithoutAReadableConfig(t *testing.T, g *testGroup) {
	for name, spoil := range map[string]func(g *testGroup){
		"damaged": func(g *testGroup) { g.damage("group") },
		"missing": func(g *testGroup) { g.Remove("group") },
	} {
		g := newTestGroup(t, g.Engine).initialized("a", "b")
		me, target := g.ready("me"), g.ready("target")
		a, b := g.leads(me, "a"), g.leads(me, "b")
		spoil(g)
		require.NoError(t, g.released(me, group.Release{Token: a, Target: target.Identity, Nonce: newNonce()}).Err, name)
		require.Equal(t, target.Identity, g.shard("a").Leader, name)
		g.vacate(me, b)
	}
}

func rule05AReleaseNeedsExactlyTheTenure(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, other := g.ready("me"), g.ready("other")
	token := g.leads(me, "a")
	wrong := []group.Token{token, token, token, token}
	wrong[0].Term++
	wrong[1].Nonce = newNonce()
	wrong[2].Incarnation = newNonce()
	wrong[3].ID = "other"
	before := g.Dump()
	for _, token := range wrong {
		for _, r := range []group.Release{{}, {Target: other.Identity, Nonce: newNonce()}, {Remove: true}} {
			r.Token = token
			outcome := g.released(me, r)
			require.ErrorIs(t, outcome.Err, fdbelection.ErrFenced, token.String())
			require.Equal(t, g.shard("a"), outcome.Shard)
			require.False(t, outcome.Removed)
		}
	}
	require.Equal(t, before, g.Dump())
	require.NoError(t, g.fenced(token))
}

func rule05AMemberReleasesOnlyItsOwnShards(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, leader := g.ready("me"), g.ready("leader")
	token := g.leads(leader, "a")
	before := g.Dump()
	for _, r := range []group.Release{{}, {Target: me.Identity, Nonce: newNonce()}, {Remove: true}} {
		r.Token = token
		require.ErrorIs(t, g.released(me, r).Err, fdbelection.ErrFenced)
	}
	require.Equal(t, before, g.Dump())
	require.NoError(t, g.fenced(token))
}

func rule05AHandOverConflictsWithWhatMakesItsTargetUnfit(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	token := g.leads(me, "a")
	for name, change := range map[string]func(m group.Member){
		"draining":  func(m group.Member) { m.Draining = true; g.update(m) },
		"not ready": func(m group.Member) { m.NotReady = settling; g.update(m) },
		"leaving":   func(m group.Member) { g.leave(m) },
		"evicted":   func(m group.Member) { g.evict(me, m.ID) },
	} {
		target := g.ready("target")
		late := g.Begin()
		require.NoError(t, g.releases(late, me, group.Release{Token: token, Target: target.Identity, Nonce: newNonce()}))
		g.beats(target) // no conflict
		change(target)
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(late.Commit()), name)
		g.leave(target)
	}
	require.NoError(t, g.fenced(token))
}

func rule05ATargetThatDiesLeavesTheShardFree(t *testing.T, g *testGroup) {
	g.initialized("a")
	me, target := g.ready("me"), g.ready("target")
	outcome := g.released(me, group.Release{Token: g.leads(me, "a"), Target: target.Identity, Nonce: newNonce()})
	require.NoError(t, outcome.Err)
	g.evict(me, "target")
	require.EqualValues(t, 3, g.leads(me, "a").Term)
	require.ErrorIs(t, g.fenced(outcome.Shard.Token()), fdbelection.ErrFenced)
}
