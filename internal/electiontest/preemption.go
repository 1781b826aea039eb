package electiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var preemptionTests = []test{
	{"Rule12_only_a_strictly_higher_priority_preempts", onlyStrictlyHigherPreempts},
	{"Rule12_a_forbidden_preemption_waits_for_the_lease", forbiddenPreemptionWaits},
	{"Rule12_a_grace_makes_a_challenge", graceMakesAChallenge},
	{"Rule12_the_leader_yields_to_a_challenge_that_stands", leaderYields},
	{"Rule12_a_void_challenge_is_removed_and_the_leader_stays", voidChallengeIsRemoved},
	{"Rule12_a_stronger_challenger_replaces_a_weaker_one", strongerChallengerReplaces},
	{"Rule12_a_challenger_withdraws", challengerWithdraws},
	{"Rule12_a_minimum_tenure_protects", minimumTenureProtects},
	{"Rule12_yielding_run_again_is_done", yieldRunAgain},
	{"Rule12_an_operators_request_is_not_replaced_by_a_challenge", requestOutranksChallenge},
}

func onlyStrictlyHigherPreempts(t *testing.T, w *world) {
	w.initialized()
	_, old := w.leads("a", 5, at(0))
	for _, priority := range []int32{-1, 4, 5} {
		w.acts(election.Followed, w.join("b", priority, at(1)), at(1))
	}
	result := w.acts(election.Claimed, w.join("b", 6, at(2)), at(2))
	require.Equal(t, election.AcquirePreemption, result.Leader.AcquireReason)
	require.EqualValues(t, 2, result.Leader.Term)
	require.ErrorIs(t, w.fenced(old), fdbelection.ErrFenced)
}

func forbiddenPreemptionWaits(t *testing.T, w *world) {
	w.initialized(func(c *fdbelection.Config) { c.AllowPreemption = false })
	w.leads("a", 1, at(0))
	b := w.join("b", 9, at(0))
	w.acts(election.Followed, b, at(9.9))
	require.Equal(t, election.AcquireExpiry, w.acts(election.Claimed, b, at(10)).Leader.AcquireReason)
}

// challenged makes "a" lead with priority 1 and "b" challenge with 2.
func (w *world) challenged(edits ...func(*fdbelection.Config)) (a, b election.Registration, token election.Token, challenge election.Request) {
	w.t.Helper()
	w.initialized(append(edits, withGrace)...)
	a, token = w.leads("a", 1, at(0))
	b = w.join("b", 2, at(0))
	challenge = w.acts(election.RequestedPreemption, b, at(1)).Request
	return a, b, token, challenge
}

func (w *world) yield(token election.Token, intent election.Request, now float64) (leader election.LeaderRecord, yielded bool, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		leader, yielded, err = w.HandOver(tr, token, intent, at(now))
		return err
	})
	return leader, yielded, err
}

func graceMakesAChallenge(t *testing.T, w *world) {
	a, b, _, challenge := w.challenged()
	require.Equal(t, election.PreemptionRequest, challenge.Kind)
	require.EqualValues(t, 1, challenge.Term)
	require.Equal(t, b.Identity, challenge.Identity)
	require.EqualValues(t, 1, challenge.Counter)
	again := w.acts(election.RequestedPreemption, b, at(4)).Request
	require.EqualValues(t, 2, again.Counter, "kept fresh")
	require.Equal(t, challenge.Nonce, again.Nonce)
	require.Equal(t, again, w.acts(election.Renewed, a, at(5)).Request, "the leader sees it and may go on renewing")
	result := w.acts(election.Claimed, b, at(15))
	require.Equal(t, election.AcquireExpiry, result.Leader.AcquireReason, "a challenger takes what expires like anybody")
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, b, at(16)).Request.Kind)
}

func leaderYields(t *testing.T, w *world) {
	_, b, token, challenge := w.challenged()
	next, yielded, err := w.yield(token, challenge, 2)
	require.NoError(t, err)
	require.True(t, yielded)
	require.Equal(t, b.Identity, next.Identity)
	require.EqualValues(t, 2, next.Term)
	require.False(t, next.Accepted)
	require.Equal(t, election.AcquirePreemption, next.AcquireReason)
	require.Equal(t, next, w.leader())
	accepted := w.acts(election.Renewed, b, at(2.5))
	require.True(t, accepted.Leader.Accepted)
	require.Equal(t, at(2.5), accepted.Leader.AcquiredAt)
	require.Equal(t, election.NoRequest, accepted.Request.Kind)
}

func voidChallengeIsRemoved(t *testing.T, w *world) {
	a, b, token, _ := w.challenged()
	spoil := map[string]func(){
		"gone": func() {
			w.do(func(tr kv.Transaction) error { // removed by hand, so that the intent stays
				begin, end := w.Subspace().Sub("candidates", "b").Range()
				tr.ClearRange(begin, end)
				key, err := w.Subspace().Sub("candidates").Pack(tupleOf("b"))
				tr.Clear(key)
				return err
			})
		},
		"restarted": func() { w.join("b", 2, at(2)) },
		"demoted": func() {
			observer := b
			observer.Role = election.Observer
			w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, observer, at(2)) })
		},
		"outranked": func() {
			equal := b
			equal.Priority = 1
			w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, equal, at(2)) })
		},
	}
	for name, change := range spoil {
		b = w.join("b", 2, at(1))
		challenge := w.acts(election.RequestedPreemption, b, at(1)).Request
		stored := w.raw("intent")
		change()
		w.spoil(stored, "intent") // by hand, where the change has removed it already
		leader, yielded, err := w.yield(token, challenge, 2)
		require.NoError(t, err, name)
		require.False(t, yielded, name)
		require.Equal(t, token, leader.Token(), name)
		require.Equal(t, election.NoRequest, w.acts(election.Renewed, a, at(3)).Request.Kind, name)
	}
}

func strongerChallengerReplaces(t *testing.T, w *world) {
	a, _, token, weaker := w.challenged()
	c := w.join("c", 2, at(1))
	w.acts(election.Followed, c, at(1)) // an equal one waits
	d := w.join("d", 3, at(1))
	stronger := w.acts(election.RequestedPreemption, d, at(2)).Request
	require.EqualValues(t, 1, stronger.Counter)
	require.Equal(t, stronger, w.acts(election.Renewed, a, at(3)).Request)
	_, yielded, err := w.yield(token, weaker, 3)
	require.NoError(t, err)
	require.False(t, yielded, "that challenge does not stand any more")
	_, yielded, err = w.yield(token, stronger, 3)
	require.NoError(t, err)
	require.True(t, yielded)
	require.True(t, w.leaderIs(d))
}

func challengerWithdraws(t *testing.T, w *world) {
	a, b, _, _ := w.challenged()
	b.Priority = 1
	w.acts(election.Withdrew, b, at(2))
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, a, at(3)).Request.Kind)
	w.acts(election.Followed, b, at(4))

	b.Priority = 2
	w.acts(election.RequestedPreemption, b, at(5))
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, b.Identity, at(6)) })
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, a, at(7)).Request.Kind, "leaving takes it back")
}

func minimumTenureProtects(t *testing.T, w *world) {
	tenure := func(c *fdbelection.Config) { c.MinimumTenure = 5 * time.Second }
	w.initialized(tenure)
	w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	w.acts(election.Followed, b, at(4.9))
	w.acts(election.Claimed, b, at(5))
	w.configure(withGrace)
	c := w.join("c", 3, at(5))
	w.acts(election.Followed, c, at(9.9))
	challenge := w.acts(election.RequestedPreemption, c, at(10)).Request
	_, yielded, err := w.yield(w.currentToken(), challenge, 9.9) // the holder's clock is behind
	require.NoError(t, err)
	require.False(t, yielded)
	_, yielded, err = w.yield(w.currentToken(), challenge, 10)
	require.NoError(t, err)
	require.True(t, yielded)
}

func yieldRunAgain(t *testing.T, w *world) {
	_, b, token, challenge := w.challenged()
	for range 2 {
		_, yielded, err := w.yield(token, challenge, 2)
		require.NoError(t, err)
		require.True(t, yielded)
	}
	require.True(t, w.leaderIs(b))
	require.EqualValues(t, 2, w.leader().Term)
	challenge.Nonce = newNonce()
	_, _, err := w.yield(token, challenge, 2)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
}

func requestOutranksChallenge(t *testing.T, w *world) {
	a, b, token, _ := w.challenged()
	w.do(func(tr kv.Transaction) error { return w.RequestResign(tr, token.Term, newNonce()) })
	w.acts(election.Followed, b, at(2))
	require.Equal(t, election.ResignRequest, w.acts(election.Renewed, a, at(3)).Request.Kind)
}
