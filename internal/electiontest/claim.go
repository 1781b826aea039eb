package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var claimTests = []test{
	{"Rule01_a_vacant_seat_is_claimed", vacantSeatIsClaimed},
	{"Rule01_a_live_leader_is_followed", liveLeaderIsFollowed},
	{"Rule01_a_lease_that_is_over_is_taken", leaseOverIsTaken},
	{"Rule01_only_registered_voters_claim", onlyRegisteredVotersClaim},
	{"Rule01_a_new_incarnation_is_a_stranger", newIncarnationIsAStranger},
	{"Rule03_two_claims_of_one_snapshot_have_one_winner", twoClaimsHaveOneWinner},
	{"Invariant01_the_ballot_never_goes_back", ballotNeverGoesBack},
}

func vacantSeatIsClaimed(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	result := w.acts(election.Claimed, a, at(1))
	require.EqualValues(t, 1, result.Leader.Ballot)
	require.EqualValues(t, 1, result.Leader.Term)
	require.True(t, result.Leader.Accepted)
	require.Equal(t, election.AcquireVacancy, result.Leader.AcquireReason)
	require.Equal(t, at(11), result.Leader.LeaseExpiry)
	require.Equal(t, w.candidate("a").Versionstamp, result.Leader.Versionstamp)
	require.Equal(t, result.Leader, w.leader(), "what is returned is what stands")
}

func liveLeaderIsFollowed(t *testing.T, w *world) {
	w.initialized()
	w.leads("a", 1, at(0))
	before := w.leader()
	b := w.join("b", 1, at(1))
	result := w.acts(election.Followed, b, at(9.999))
	require.Equal(t, before, result.Leader)
	require.Equal(t, before, w.leader())
	require.EqualValues(t, 2, w.candidate("b").Heartbeats)
}

func leaseOverIsTaken(t *testing.T, w *world) {
	w.initialized()
	_, old := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(1))
	result := w.acts(election.Claimed, b, at(10)) // the instant of expiry is over
	require.EqualValues(t, 2, result.Leader.Term)
	require.EqualValues(t, 2, result.Leader.Ballot)
	require.Equal(t, election.AcquireExpiry, result.Leader.AcquireReason)
	require.NotEqual(t, old.Nonce, result.Leader.Nonce)
	require.Equal(t, []string{
		"1 began:  -> a (vacancy) ballot 1",
		"2 began: a -> b (expiry) ballot 2",
	}, w.events())
}

func onlyRegisteredVotersClaim(t *testing.T, w *world) {
	w.initialized()
	stranger := newProcess("stranger", 9)
	_, err := w.tryCycle(stranger, at(0))
	require.ErrorIs(t, err, fdbelection.ErrUnregisteredCandidate)
	observer := newProcess("observer", 9)
	observer.Role = election.Observer
	w.register(observer, at(0))
	w.acts(election.Followed, observer, at(1))
	claim := func(me election.Identity) error {
		return w.try(func(tr kv.Transaction) error {
			_, err := w.TryClaimLeadership(tr, me, at(1))
			return err
		})
	}
	require.ErrorIs(t, claim(stranger.Identity), fdbelection.ErrUnregisteredCandidate)
	require.ErrorIs(t, claim(observer.Identity), fdbelection.ErrNotVoting)
	require.Zero(t, w.leader())
	voter := w.join("voter", 1, at(1))
	require.NoError(t, claim(voter.Identity))
	require.True(t, w.leaderIs(voter))
}

func (w *world) leaderIs(me election.Registration) bool {
	leader := w.leader()
	return leader.HeldBy(me.Identity)
}

func newIncarnationIsAStranger(t *testing.T, w *world) {
	w.initialized()
	old, _ := w.leads("a", 5, at(0))
	old.Metadata = map[string]string{"zone": "b"}
	w.acts(election.Renewed, old, at(0))
	require.NotEmpty(t, w.candidate("a").Metadata)
	reborn := w.join("a", 5, at(1)) // takes the record, not the seat
	require.Empty(t, w.candidate("a").Metadata)
	w.acts(election.Followed, reborn, at(2))
	require.True(t, w.leaderIs(old))
	_, err := w.tryCycle(old, at(3))
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
	result := w.acts(election.Claimed, reborn, at(10))
	require.EqualValues(t, 2, result.Leader.Term)
}

func twoClaimsHaveOneWinner(t *testing.T, w *world) {
	w.initialized()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	first, second := w.open(), w.open()
	for _, claim := range []struct {
		tr kv.OwnedTransaction
		me election.Registration
	}{{first, a}, {second, b}} {
		result, err := w.TryClaimLeadership(claim.tr, claim.me.Identity, at(1))
		require.NoError(t, err)
		require.Equal(t, election.Claimed, result.Action)
	}
	require.NoError(t, second.Commit())
	w.requireConflict(first)
	require.True(t, w.leaderIs(b))
}

func ballotNeverGoesBack(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0)) // ballot 1
	w.acts(election.Renewed, a, at(1)) // 2
	w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(2)) })
	vacant := w.leader() // 3
	require.True(t, vacant.Vacant())
	require.EqualValues(t, 3, vacant.Ballot)
	require.EqualValues(t, 1, vacant.Term)
	w.initialized() // changes nothing
	require.Equal(t, vacant, w.leader())
	result := w.acts(election.Claimed, a, at(3))
	require.EqualValues(t, 4, result.Leader.Ballot)
	require.EqualValues(t, 2, result.Leader.Term)
}
