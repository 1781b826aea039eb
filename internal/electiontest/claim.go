package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var claimTests = []test{
	rule01AVacantLeadershipIsClaimed,
	rule01ALiveLeaderIsFollowed,
	rule01AnExpiredLeaseIsClaimed,
	rule01OnlyRegisteredVotersClaim,
	rule01ANewIncarnationDoesNotInheritLeadership,
	rule03TwoClaimsOfOneSnapshotHaveOneWinner,
	invariant01TheBallotNeverGoesBack,
}

func rule01AVacantLeadershipIsClaimed(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	result := e.acts(election.Claimed, a, at(1))
	require.EqualValues(t, 1, result.Leader.Ballot)
	require.EqualValues(t, 1, result.Leader.Term)
	require.True(t, result.Leader.Accepted)
	require.Equal(t, election.AcquireVacancy, result.Leader.AcquireReason)
	require.Equal(t, at(11), result.Leader.LeaseExpiry)
	require.Equal(t, e.candidate("a").Versionstamp, result.Leader.Versionstamp)
	require.Equal(t, result.Leader, e.leader(), "the result is the stored record")
}

func rule01ALiveLeaderIsFollowed(t *testing.T, e *testElection) {
	e.initialized()
	e.leads("a", 1, at(0))
	before := e.leader()
	b := e.join("b", 1, at(1))
	result := e.acts(election.Followed, b, at(9.999))
	require.Equal(t, before, result.Leader)
	require.Equal(t, before, e.leader())
	require.EqualValues(t, 2, e.candidate("b").Heartbeats)
}

func rule01AnExpiredLeaseIsClaimed(t *testing.T, e *testElection) {
	e.initialized()
	_, old := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(1))
	result := e.acts(election.Claimed, b, at(10)) // at the stored instant the lease has expired
	require.EqualValues(t, 2, result.Leader.Term)
	require.EqualValues(t, 2, result.Leader.Ballot)
	require.Equal(t, election.AcquireExpiry, result.Leader.AcquireReason)
	require.NotEqual(t, old.Nonce, result.Leader.Nonce)
	require.Equal(t, []string{
		"1 began:  -> a (vacancy) ballot 1",
		"2 began: a -> b (expiry) ballot 2",
	}, e.events())
}

func rule01OnlyRegisteredVotersClaim(t *testing.T, e *testElection) {
	e.initialized()
	unregistered := newProcess("stranger", 9)
	_, err := e.tryCycle(unregistered, at(0))
	require.ErrorIs(t, err, fdbelection.ErrUnregisteredCandidate)
	observer := newProcess("observer", 9)
	observer.Role = election.Observer
	e.register(observer, at(0))
	e.acts(election.Followed, observer, at(1))
	claim := func(me election.Identity) error {
		return e.Try(func(tr kv.Transaction) error {
			_, err := e.TryClaimLeadership(tr, me, at(1))
			return err
		})
	}
	require.ErrorIs(t, claim(unregistered.Identity), fdbelection.ErrUnregisteredCandidate)
	require.ErrorIs(t, claim(observer.Identity), fdbelection.ErrNotVoting)
	require.Zero(t, e.leader())
	voter := e.join("voter", 1, at(1))
	require.NoError(t, claim(voter.Identity))
	require.True(t, e.leaderIs(voter))
}

func (e *testElection) leaderIs(me election.Registration) bool {
	leader := e.leader()
	return leader.HeldBy(me.Identity)
}

func rule01ANewIncarnationDoesNotInheritLeadership(t *testing.T, e *testElection) {
	e.initialized()
	old, _ := e.leads("a", 5, at(0))
	old.Metadata = map[string]string{"zone": "b"}
	e.acts(election.Renewed, old, at(0))
	require.NotEmpty(t, e.candidate("a").Metadata)
	restarted := e.join("a", 5, at(1)) // replaces the candidate record, and does not get leadership
	require.Empty(t, e.candidate("a").Metadata)
	e.acts(election.Followed, restarted, at(2))
	require.True(t, e.leaderIs(old))
	_, err := e.tryCycle(old, at(3))
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	result := e.acts(election.Claimed, restarted, at(10))
	require.EqualValues(t, 2, result.Leader.Term)
}

func rule03TwoClaimsOfOneSnapshotHaveOneWinner(t *testing.T, e *testElection) {
	e.initialized()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	first, second := e.Begin(), e.Begin()
	for _, claim := range []struct {
		tr kv.OwnedTransaction
		me election.Registration
	}{{first, a}, {second, b}} {
		result, err := e.TryClaimLeadership(claim.tr, claim.me.Identity, at(1))
		require.NoError(t, err)
		require.Equal(t, election.Claimed, result.Action)
	}
	require.NoError(t, second.Commit())
	e.RequireConflict(first)
	require.True(t, e.leaderIs(b))
}

func invariant01TheBallotNeverGoesBack(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0)) // ballot 1
	e.acts(election.Renewed, a, at(1)) // 2
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(2)) })
	vacant := e.leader() // 3
	require.True(t, vacant.Vacant())
	require.EqualValues(t, 3, vacant.Ballot)
	require.EqualValues(t, 1, vacant.Term)
	e.initialized() // changes nothing
	require.Equal(t, vacant, e.leader())
	result := e.acts(election.Claimed, a, at(3))
	require.EqualValues(t, 4, result.Leader.Ballot)
	require.EqualValues(t, 2, result.Leader.Term)
}
