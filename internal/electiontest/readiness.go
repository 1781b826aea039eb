package electiontest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var readinessTests = []test{
	rule14ACandidateThatIsNotReadyDoesNotClaim,
	rule14LeadUnreadyClaimsAndNeverPreempts,
	rule14LeadershipIsNotHandedToACandidateThatIsNotReady,
	rule14RankConsidersReadinessFirst,
	rule14ACandidateThatIsReadyAgainRanksByThatCommit,
	rule14AHolderThatIsNotReadyVacatesAfterItsLastPromise,
	rule14AClaimThatIsNotReadyKeepsEveryPromise,
	rule14ASuccessorThatIsNotReadyDoesNotAccept,
	rule14RequestsOfACandidateThatIsNotReadyAreRemoved,
	rule14RegisteringAndEvictingKeepTheRankIndex,
	rule14AReasonIsShortText,
}

// cold returns the registration of a candidate that is not ready.
func cold(me election.Registration) election.Registration {
	me.NotReady = "cache is cold"
	return me
}

// heartbeat writes a heartbeat, with what it says of its candidate.
func (e *testElection) heartbeat(me election.Registration) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) })
}

func rule14ACandidateThatIsNotReadyDoesNotClaim(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("me", 9, at(0))
	e.acts(election.Followed, cold(me), at(0))
	require.Equal(t, "cache is cold", e.candidate("me").NotReady)
	err := e.Try(func(tr kv.Transaction) error {
		_, err := e.TryClaimLeadership(tr, me.Identity, at(0))
		return err
	})
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	require.ErrorContains(t, err, "cache is cold")
	e.leads("other", 1, at(0))
	e.acts(election.Followed, cold(me), at(1)) // it does not preempt
	e.acts(election.Followed, cold(me), at(11))
	e.acts(election.Claimed, me, at(11), observing) // its first act when it is ready
	require.Empty(t, e.candidate("me").NotReady)
}

func rule14LeadUnreadyClaimsAndNeverPreempts(_ *testing.T, e *testElection) {
	e.initialized(byObservation)
	_, token := e.leads("other", 1, at(0))
	me := e.join("me", 9, at(0))
	unready := election.LeadUnready(5 * time.Second)
	e.acts(election.Followed, cold(me), at(1), unready)
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
	e.acts(election.Followed, cold(me), at(2), unready)
	e.acts(election.Followed, cold(me), at(6.9), unready) // it has seen the vacancy for 4.9 s
	e.acts(election.Claimed, cold(me), at(7), unready)
	e.acts(election.Renewed, cold(me), at(8), unready)
	other := e.join("third", 1, at(8))
	e.acts(election.Followed, cold(other), at(8), unready)
	e.acts(election.Followed, cold(other), at(22.9), unready)
	e.acts(election.Claimed, cold(other), at(23), unready) // the lease, and 5 s
}

func rule14LeadershipIsNotHandedToACandidateThatIsNotReady(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	e.heartbeat(cold(b))
	_, err := e.transfer(token, "b", newNonce(), 1)
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	require.ErrorContains(t, err, "b cannot become the leader: cache is cold")
	err = e.Try(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", newNonce()) })
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	// It is not ready any more when the holder does what its request asks.
	request := election.Request{Kind: election.TransferRequest, Term: 1, Identity: b.Identity, Nonce: uuid.New()}
	e.heartbeat(b)
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", request.Nonce) })
	stale := e.Begin()
	_, done, err := e.HandOver(stale, token, request, at(1))
	require.NoError(t, err)
	require.True(t, done)
	e.heartbeat(cold(b))
	e.RequireConflict(stale)
	e.Do(func(tr kv.Transaction) error {
		leader, done, err := e.HandOver(tr, token, request, at(1))
		require.False(t, done)
		require.Equal(t, "a", leader.ID)
		return err
	})
}

func rule14RankConsidersReadinessFirst(t *testing.T, e *testElection) {
	e.initialized()
	e.join("low", 1, at(0))
	high := e.join("high", 9, at(0))
	e.join("middle", 5, at(0))
	require.Equal(t, []string{"high", "middle", "low"}, e.shortlist(9))
	e.heartbeat(cold(high))
	require.Equal(t, []string{"middle", "low"}, e.shortlist(9))
	require.Equal(t, []string{"middle", "low", "high"}, e.ids())
	high.NotReady = "still cold"
	e.heartbeat(high)
	require.Equal(t, "still cold", e.candidate("high").NotReady)
	require.Equal(t, []string{"middle", "low"}, e.shortlist(9))
}

func rule14ACandidateThatIsReadyAgainRanksByThatCommit(t *testing.T, e *testElection) {
	e.initialized()
	first := e.join("first", 1, at(0))
	e.join("second", 1, at(0))
	registered := e.candidate("first")
	require.Equal(t, registered.Versionstamp, registered.ReadySince)
	e.heartbeat(cold(first))
	require.Zero(t, e.candidate("first").ReadySince)
	e.heartbeat(first)
	again := e.candidate("first")
	require.Equal(t, registered.Versionstamp, again.Versionstamp, "the registration does not change")
	require.Positive(t, again.ReadySince.Compare(e.candidate("second").ReadySince))
	require.Equal(t, []string{"second", "first"}, e.ids())
	require.Equal(t, []string{"second", "first"}, e.shortlist(9))
	e.heartbeat(first)
	require.Equal(t, again.ReadySince, e.candidate("first").ReadySince, "a heartbeat does not change it")
	tr := e.Begin()
	require.NoError(t, e.HeartbeatCandidate(tr, cold(first), at(0)))
	require.NoError(t, e.HeartbeatCandidate(tr, first, at(0)))
	require.ErrorIs(t, e.HeartbeatCandidate(tr, first, at(0)), fdbelection.ErrRegistrationPending)
}

// The caller of RunElectionCycle has promised leadership until ValidUntil. Its cycles neither
// renew nor vacate before that, unless its work has ended.
func rule14AHolderThatIsNotReadyVacatesAfterItsLastPromise(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	me := e.join("me", 1, at(0))
	until := e.acts(election.Claimed, me, at(0)).ValidUntil
	require.Equal(t, at(9), until)
	result := e.acts(election.Draining, cold(me), at(1))
	require.False(t, result.Leads())
	require.True(t, result.Holds())
	require.Equal(t, at(10), e.leader().LeaseExpiry, "it does not renew")
	e.acts(election.Renewed, me, at(2)) // it is ready again
	e.acts(election.Draining, cold(me), at(10.9))
	require.Empty(t, e.acts(election.Vacated, cold(me), at(11)).Leader.ID)
	require.Equal(t, "1 ended: me ->  (not ready) ballot 3", e.events()[1])
	e.acts(election.Claimed, me, at(11))
	e.acts(election.Vacated, cold(me), at(12), election.WorkEnded())
}

// TryClaimLeadership stores no notes, so another call must not conclude from the notes that
// nothing was promised.
func rule14AClaimThatIsNotReadyKeepsEveryPromise(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	me := e.join("me", 1, at(0))
	claim := func(want election.Action, now float64, opts ...election.CycleOption) (result election.CycleResult) {
		t.Helper()
		e.now = at(now)
		e.Do(func(tr kv.Transaction) (err error) {
			result, err = e.TryClaimLeadership(tr, me.Identity, at(now), opts...)
			return err
		})
		require.Equal(t, want.String(), result.Action.String())
		return result
	}
	require.Equal(t, at(9), claim(election.Claimed, 0).ValidUntil)
	e.heartbeat(cold(me))
	require.False(t, claim(election.Draining, 1).Leads()) // its work may run until 9
	e.heartbeat(me)
	e.acts(election.Renewed, me, at(2))
	require.Equal(t, at(14), claim(election.Renewed, 5).ValidUntil)
	e.heartbeat(cold(me))
	claim(election.Draining, 12) // the cycle promised 11, and the claim 14
	e.acts(election.Draining, cold(me), at(13))
	claim(election.Vacated, 13, election.WorkEnded())
}

func rule14ASuccessorThatIsNotReadyDoesNotAccept(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	_, err := e.transfer(token, "b", newNonce(), 1)
	require.NoError(t, err)
	e.heartbeat(cold(b))
	err = e.Try(func(tr kv.Transaction) error {
		_, err := e.RefreshLease(tr, e.currentToken(), at(2))
		return err
	})
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	require.ErrorContains(t, err, "cache is cold")
	e.acts(election.Vacated, cold(b), at(2), observing)
	require.True(t, e.leader().Vacant())
}

func rule14RequestsOfACandidateThatIsNotReadyAreRemoved(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	request := func() election.Request {
		request, err := suite.Read(e.Store, e.ReadRequest)
		require.NoError(t, err)
		return request
	}
	e.acts(election.RequestedPreemption, b, at(1), observing)
	e.acts(election.Withdrew, cold(b), at(2), observing)
	require.Equal(t, election.NoRequest, request().Kind)
	e.heartbeat(b)
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", newNonce()) })
	require.Equal(t, election.TransferRequest, request().Kind)
	e.heartbeat(cold(b))
	require.Equal(t, election.NoRequest, request().Kind)
}

func rule14RegisteringAndEvictingKeepTheRankIndex(t *testing.T, e *testElection) {
	e.initialized()
	a, b := cold(newProcess("a", 1)), newProcess("b", 1)
	e.register(a, at(0))
	e.register(b, at(0))
	require.Equal(t, "cache is cold", e.candidate("a").NotReady)
	require.Equal(t, []string{"b"}, e.shortlist(9))
	e.register(cold(b), at(0)) // again, and not ready
	require.Empty(t, e.shortlist(9))
	e.register(b, at(0))
	require.Equal(t, []string{"b"}, e.shortlist(9))
	e.register(b, at(0))
	require.Equal(t, []string{"b"}, e.shortlist(9))
	b.Role = election.Observer
	e.register(cold(b), at(0))
	require.Empty(t, e.shortlist(9))
	b.Role = election.Voter
	e.register(b, at(0))
	require.Equal(t, []string{"b"}, e.shortlist(9))
	seen := []election.Candidate{e.candidate("a"), e.candidate("b")}
	e.Do(func(tr kv.Transaction) error { _, err := e.EvictUnchanged(tr, seen); return err })
	require.Empty(t, e.ids())
	require.Empty(t, e.shortlist(9))
}

func rule14AReasonIsShortText(t *testing.T, e *testElection) {
	e.initialized()
	me := newProcess("me", 1)
	for reason, want := range map[string]string{
		strings.Repeat("x", 256): "has 256 bytes; use at most 255",
		"\xff":                   `"\xff" is not valid UTF-8`,
	} {
		me.NotReady = reason
		err := e.Try(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) })
		require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
		require.ErrorContains(t, err, want)
	}
	me.NotReady = strings.Repeat("x", 255)
	e.register(me, at(0))
	require.Equal(t, me.NotReady, e.candidate("me").NotReady)
}
