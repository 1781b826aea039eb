package electiontest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var transferTests = []test{
	rule12ATransferWaitsForItsAcceptance,
	rule12ALeadershipHandedToADeadSuccessorSoonExpires,
	rule12ATransferredLeadershipIsProtectedForOneLease,
	rule12ATransferGoesToARegisteredVoterOnly,
	rule12ATransferNeedsTheExactTenure,
}

func tupleOf(id string) subspace.Tuple { return subspace.Tuple{subspace.String(id)} }

func (e *testElection) transfer(token election.Token, to string, nonce uuid.UUID, now float64) (leader election.LeaderRecord, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		leader, err = e.TransferLeadership(tr, token, to, nonce, at(now))
		return err
	})
	return leader, err
}

func rule12ATransferWaitsForItsAcceptance(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 0, at(0))
	nonce := newNonce()
	next, err := e.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, next.Ballot)
	require.EqualValues(t, 2, next.Term)
	require.Equal(t, nonce, next.Nonce)
	require.False(t, next.Accepted)
	require.Equal(t, at(5), next.LeaseExpiry, "the acceptance lease is a heartbeat interval and the margin")
	leads, err := suite.Read(e.Store, func(tr kv.ReadTransaction) (bool, error) { return e.IsLeader(tr, b.Identity, at(2)) })
	require.NoError(t, err)
	require.False(t, leads, "it has not accepted yet")
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	e.acts(election.Followed, a, at(2))
	result := e.acts(election.Renewed, b, at(3))
	require.True(t, result.Leader.Accepted)
	require.Equal(t, at(13), result.Leader.LeaseExpiry)
	require.NoError(t, e.fenced(result.Leader.Token()))
}

func rule12ALeadershipHandedToADeadSuccessorSoonExpires(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	e.join("b", 0, at(0))
	_, err := e.transfer(token, "b", newNonce(), 1)
	require.NoError(t, err)
	e.acts(election.Followed, a, at(4.9))
	require.EqualValues(t, 3, e.acts(election.Claimed, a, at(5)).Leader.Term)
}

func rule12ATransferredLeadershipIsProtectedForOneLease(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 9, at(0))
	b := e.join("b", 0, at(0))
	_, err := e.transfer(token, "b", newNonce(), 1)
	require.NoError(t, err)
	e.acts(election.Renewed, b, at(2)) // the protection counts from the acceptance
	e.acts(election.Followed, a, at(8))
	e.acts(election.Renewed, b, at(8))
	e.acts(election.Followed, a, at(11.9))
	e.acts(election.Claimed, a, at(12))
}

func rule12ATransferGoesToARegisteredVoterOnly(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	observer := newProcess("observer", 1)
	observer.Role = election.Observer
	e.register(observer, at(0))
	for to, want := range map[string]error{
		"absent": fdbelection.ErrProcessNotFound, "observer": fdbelection.ErrNotVoting,
		"a": fdbelection.ErrInvalidCandidate, "": fdbelection.ErrInvalidCandidate,
	} {
		_, err := e.transfer(token, to, newNonce(), 1)
		require.ErrorIs(t, err, want, "transfer to %q", to)
		err = e.Try(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, to, newNonce()) })
		require.ErrorIs(t, err, want, "request for %q", to)
	}
	_, err := e.transfer(token, "observer", uuid.Nil, 1)
	require.ErrorContains(t, err, "nonce is zero")
	require.Equal(t, token, e.currentToken())
}

func rule12ATransferNeedsTheExactTenure(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	e.join("b", 1, at(0))
	before := e.leader()
	token.Incarnation = newNonce()
	_, err := e.transfer(token, "b", newNonce(), 1)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.Equal(t, before, e.leader())
}
