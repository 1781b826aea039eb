package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var renewalTests = []test{
	{"Rule01_a_renewal_keeps_the_term", renewalKeepsTheTerm},
	{"Rule01_a_renewal_is_by_the_exact_tenure", renewalIsByTheExactTenure},
	{"Rule01_an_evicted_leader_registers_again_with_its_renewal", evictedLeaderRegistersAgain},
	{"Rule01_a_lease_that_is_over_by_the_clock_is_not_renewed", expiredLeaseIsNotRenewed},
	{"Rule01_a_tenure_declared_over_is_claimed_anew_at_once", endedTenureIsClaimedAnew},
	{"Rule11_a_new_lease_applies_from_the_next_renewal", newLeaseAppliesFromNextRenewal},
}

func (w *world) refresh(token election.Token, now float64) (leader election.LeaderRecord, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		leader, err = w.RefreshLease(tr, token, at(now))
		return err
	})
	return leader, err
}

func renewalKeepsTheTerm(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	a.Priority = 7
	for i := 1; i <= 3; i++ {
		result := w.acts(election.Renewed, a, at(float64(3*i)))
		require.EqualValues(t, 1+i, result.Leader.Ballot)
		require.Equal(t, token, result.Leader.Token())
		require.Equal(t, at(float64(3*i)+10), result.Leader.LeaseExpiry)
		require.Equal(t, at(0), result.Leader.AcquiredAt)
		require.EqualValues(t, 7, result.Leader.Priority)
	}
	leader, err := w.refresh(token, 10)
	require.NoError(t, err)
	require.EqualValues(t, 5, leader.Ballot)
	require.EqualValues(t, 5, w.candidate("a").Heartbeats, "RefreshLease writes no heartbeat")
	require.Len(t, w.events(), 1, "renewals are not history")
}

func renewalIsByTheExactTenure(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	before := w.leader()
	otherTerm, otherNonce, otherIncarnation := token, token, token
	otherTerm.Term++
	otherNonce.Nonce[0]++
	otherIncarnation.Incarnation[0]++
	for _, wrong := range []election.Token{otherTerm, otherNonce} {
		_, err := w.refresh(wrong, 1)
		require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	}
	_, err := w.refresh(otherIncarnation, 1)
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	require.Equal(t, before, w.leader())
	w.acts(election.Renewed, a, at(2))
}

func evictedLeaderRegistersAgain(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 3, at(0))
	remove := func() {
		w.do(func(tr kv.Transaction) error { // a stray removal by hand, not by the protocol
			begin, end := w.Subspace().Sub("candidates").Range()
			tr.ClearRange(begin, end)
			begin, end = w.Subspace().Sub("rank").Range()
			tr.ClearRange(begin, end)
			return nil
		})
	}
	remove()
	w.acts(election.Renewed, a, at(1))
	require.Equal(t, []string{"a"}, w.ids())
	remove()
	_, err := w.refresh(token, 2)
	require.NoError(t, err)
	back := w.candidate("a")
	require.Equal(t, a.Incarnation, back.Incarnation)
	require.EqualValues(t, 3, back.Priority)
	require.NotEqual(t, w.leader().Versionstamp, back.Versionstamp, "the new registration is known from its commit on")
	w.acts(election.Renewed, a, at(3))
	require.Equal(t, back.Versionstamp, w.leader().Versionstamp)
	preferred, err := read(w, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return w.Preferred(tr, 5) })
	require.NoError(t, err)
	require.Len(t, preferred, 1)
	require.Equal(t, token, w.currentToken())
}

func expiredLeaseIsNotRenewed(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	_, err := w.refresh(token, 10)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	result := w.acts(election.Claimed, a, at(10))
	require.EqualValues(t, 2, result.Leader.Term)
	require.Equal(t, election.AcquireReclaim, result.Leader.AcquireReason)
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	require.NoError(t, w.fenced(result.Leader.Token()))
}

func endedTenureIsClaimedAnew(t *testing.T, w *world) {
	w.initialized(byObservation)
	a, token := w.leads("a", 1, at(0))
	seen := election.WithObservation(election.Observation{}, epoch)
	result := w.acts(election.Renewed, a, at(60), seen) // not over as long as its loop does not say so
	require.Equal(t, token, result.Leader.Token())
	result = w.acts(election.Claimed, a, at(61), seen, election.EndedTerm(1))
	require.EqualValues(t, 2, result.Leader.Term)
	require.NotEqual(t, token.Nonce, result.Leader.Nonce)
	w.acts(election.Renewed, a, at(62), seen, election.EndedTerm(1))
}

func newLeaseAppliesFromNextRenewal(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	w.configure(func(c *fdbelection.Config) {
		*c = withRevision(fdbelection.ConfigWithLease(at(30).Sub(epoch)), c.Revision)
	})
	require.Equal(t, at(10), w.leader().LeaseExpiry)
	result := w.acts(election.Renewed, a, at(3))
	require.Equal(t, at(33), result.Leader.LeaseExpiry)
	require.Equal(t, at(30).Sub(epoch), result.Leader.LeaseDuration)
}

func withRevision(c fdbelection.Config, revision uint64) fdbelection.Config {
	c.Revision = revision
	return c
}
