package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var renewalTests = []test{
	rule01ARenewalKeepsTheTerm,
	rule01ARenewalNeedsTheExactTenure,
	rule01AnEvictedLeaderRegistersAgainWithItsRenewal,
	rule01ALeaseThatExpiredByClockIsNotRenewed,
	rule01AnEndedTenureIsReclaimedAtOnce,
	rule11ANewLeaseAppliesFromTheNextRenewal,
}

func (e *testElection) refresh(token election.Token, now float64) (leader election.LeaderRecord, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		leader, err = e.RefreshLease(tr, token, at(now))
		return err
	})
	return leader, err
}

func rule01ARenewalKeepsTheTerm(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	a.Priority = 7
	for i := 1; i <= 3; i++ {
		result := e.acts(election.Renewed, a, at(float64(3*i)))
		require.EqualValues(t, 1+i, result.Leader.Ballot)
		require.Equal(t, token, result.Leader.Token())
		require.Equal(t, at(float64(3*i)+10), result.Leader.LeaseExpiry)
		require.Equal(t, at(0), result.Leader.AcquiredAt)
		require.EqualValues(t, 7, result.Leader.Priority)
	}
	leader, err := e.refresh(token, 10)
	require.NoError(t, err)
	require.EqualValues(t, 5, leader.Ballot)
	require.EqualValues(t, 5, e.candidate("a").Heartbeats, "RefreshLease writes no heartbeat")
	require.Len(t, e.events(), 1, "a renewal writes no history")
}

func rule01ARenewalNeedsTheExactTenure(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	before := e.leader()
	otherTerm, otherNonce, otherIncarnation := token, token, token
	otherTerm.Term++
	otherNonce.Nonce[0]++
	otherIncarnation.Incarnation[0]++
	for _, wrong := range []election.Token{otherTerm, otherNonce} {
		_, err := e.refresh(wrong, 1)
		require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	}
	_, err := e.refresh(otherIncarnation, 1)
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	require.Equal(t, before, e.leader())
	e.acts(election.Renewed, a, at(2))
}

func rule01AnEvictedLeaderRegistersAgainWithItsRenewal(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 3, at(0))
	remove := func() {
		e.Do(func(tr kv.Transaction) error { // the protocol itself never does this
			begin, end := e.Subspace().Sub("candidates").Range()
			tr.ClearRange(begin, end)
			begin, end = e.Subspace().Sub("rank").Range()
			tr.ClearRange(begin, end)
			return nil
		})
	}
	remove()
	e.acts(election.Renewed, a, at(1))
	require.Equal(t, []string{"a"}, e.ids())
	remove()
	_, err := e.refresh(token, 2)
	require.NoError(t, err)
	back := e.candidate("a")
	require.Equal(t, a.Incarnation, back.Incarnation)
	require.EqualValues(t, 3, back.Priority)
	require.NotEqual(t, e.leader().Versionstamp, back.Versionstamp, "the renewal could not know the new versionstamp")
	e.acts(election.Renewed, a, at(3))
	require.Equal(t, back.Versionstamp, e.leader().Versionstamp)
	shortlist, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 5) })
	require.NoError(t, err)
	require.Len(t, shortlist, 1)
	require.Equal(t, token, e.currentToken())
}

func rule01ALeaseThatExpiredByClockIsNotRenewed(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	_, err := e.refresh(token, 10)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	result := e.acts(election.Claimed, a, at(10))
	require.EqualValues(t, 2, result.Leader.Term)
	require.Equal(t, election.AcquireReclaim, result.Leader.AcquireReason)
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	require.NoError(t, e.fenced(result.Leader.Token()))
}

func rule01AnEndedTenureIsReclaimedAtOnce(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	a, token := e.leads("a", 1, at(0))
	seen := election.WithObservation(election.Observation{}, epoch)
	result := e.acts(election.Renewed, a, at(60), seen) // with its own observation, only EndedTerm ends it
	require.Equal(t, token, result.Leader.Token())
	result = e.acts(election.Claimed, a, at(61), seen, election.EndedTerm(1))
	require.EqualValues(t, 2, result.Leader.Term)
	require.NotEqual(t, token.Nonce, result.Leader.Nonce)
	e.acts(election.Renewed, a, at(62), seen, election.EndedTerm(1))
}

func rule11ANewLeaseAppliesFromTheNextRenewal(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	e.configure(func(c *fdbelection.Config) {
		*c = withRevision(fdbelection.ConfigWithLease(at(30).Sub(epoch)), c.Revision)
	})
	require.Equal(t, at(10), e.leader().LeaseExpiry)
	result := e.acts(election.Renewed, a, at(3))
	require.Equal(t, at(33), result.Leader.LeaseExpiry)
	require.Equal(t, at(30).Sub(epoch), result.Leader.LeaseDuration)
}

func withRevision(c fdbelection.Config, revision uint64) fdbelection.Config {
	c.Revision = revision
	return c
}
