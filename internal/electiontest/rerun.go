package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

// rerunTests run a function again after its first run has committed, as a retry loop does
// after an unknown result.
var rerunTests = []test{
	rule07AClaimRunAgainRenewsInTheSameTerm,
	rule07AClaimRunAgainAfterAPreemptionFollows,
	rule07RegisteringAgainKeepsTheVersionstamp,
	rule07AResignationRunAgainIsDone,
	rule07AResignationOfAnotherTenureDoesNothing,
	rule07ATransferRunAgainIsDone,
	rule07ATransferRunAgainWithoutHistoryReportsThatItCannotKnow,
	rule07RequestsRunAgainAreDoneAndVoidInAnotherTerm,
	rule07LeavingRunAgainKeepsTheNextIncarnation,
}

func rule07AClaimRunAgainRenewsInTheSameTerm(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	first := e.acts(election.Claimed, a, at(1))
	second := e.acts(election.Renewed, a, at(1.5))
	require.Equal(t, first.Leader.Token(), second.Leader.Token())
	require.EqualValues(t, 2, second.Leader.Ballot)
}

func rule07AClaimRunAgainAfterAPreemptionFollows(t *testing.T, e *testElection) {
	e.initialized()
	a, b := e.join("a", 1, at(0)), e.join("b", 2, at(0))
	e.acts(election.Claimed, a, at(1))
	e.acts(election.Claimed, b, at(1.1))
	result := e.acts(election.Followed, a, at(1.5))
	require.True(t, result.Leader.HeldBy(b.Identity))
}

func rule07RegisteringAgainKeepsTheVersionstamp(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	before := e.candidate("a")
	a.Priority, a.Metadata = 4, map[string]string{"addr": "10.0.0.1:80"}
	e.register(a, at(1))
	again := e.candidate("a")
	require.Equal(t, before.Versionstamp, again.Versionstamp)
	require.EqualValues(t, 2, again.Heartbeats)
	require.Equal(t, a.Metadata, again.Metadata)
	restarted := e.join("a", 1, at(2))
	require.Positive(t, e.candidate("a").Versionstamp.Compare(before.Versionstamp))
	require.Equal(t, restarted.Incarnation, e.candidate("a").Incarnation)
	shortlist, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 9) })
	require.NoError(t, err)
	require.Len(t, shortlist, 1, "the old rank entry is removed")
}

func (e *testElection) resign(token election.Token, now float64) error {
	return e.Try(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(now)) })
}

func rule07AResignationRunAgainIsDone(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	require.NoError(t, e.resign(token, 1))
	vacant := e.leader()
	require.NoError(t, e.resign(token, 2))
	require.Equal(t, vacant, e.leader())
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced, "a fenced write is refused in a vacancy")
	b := e.join("b", 1, at(2))
	after := e.acts(election.Claimed, b, at(3)).Leader
	require.NoError(t, e.resign(token, 4), "a later term means that it has resigned")
	require.Equal(t, after, e.leader())
	require.Equal(t, []string{
		"1 began:  -> a (vacancy) ballot 1",
		"1 ended: a ->  (resigned) ballot 2",
		"2 began:  -> b (vacancy) ballot 3",
	}, e.events())
}

func rule07AResignationOfAnotherTenureDoesNothing(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	before := e.leader()
	laterTerm, otherNonce := token, token
	laterTerm.Term++
	otherNonce.Nonce = newNonce()
	require.ErrorIs(t, e.resign(laterTerm, 1), fdbelection.ErrNotLeader)
	require.ErrorIs(t, e.resign(otherNonce, 1), fdbelection.ErrNotLeader)
	require.Equal(t, before, e.leader())
}

func rule07ATransferRunAgainIsDone(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	c := e.join("c", 1, at(0))
	nonce := newNonce()
	first, err := e.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	again, err := e.transfer(token, "b", nonce, 1.5)
	require.NoError(t, err)
	require.Equal(t, first, again)
	e.acts(election.Renewed, b, at(2))
	_, err = e.transfer(token, "b", nonce, 2)
	require.NoError(t, err, "accepted meanwhile")
	e.acts(election.Claimed, c, at(50))
	_, err = e.transfer(token, "b", nonce, 51)
	require.NoError(t, err, "the history tells how the next term began")
	_, err = e.transfer(token, "b", newNonce(), 51)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.NotContains(t, err.Error(), "may have", "the history tells how the next term began")
	require.True(t, e.leaderIs(c))
}

// rule07ATransferRunAgainWithoutHistoryReportsThatItCannotKnow: later terms have begun and there is no history. The error
// says that an earlier run may have succeeded.
func rule07ATransferRunAgainWithoutHistoryReportsThatItCannotKnow(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	c := e.join("c", 1, at(0))
	nonce := newNonce()
	_, err := e.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	e.acts(election.Renewed, b, at(2))
	_, err = e.transfer(token, "b", nonce, 2)
	require.NoError(t, err, "the leader record has the nonce")
	e.acts(election.Claimed, c, at(50))
	_, err = e.transfer(token, "b", nonce, 51)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.ErrorContains(t, err, "an earlier run may have handed the leadership over: the history (HistoryLimit 0) does not tell how term 2 began")
}

func rule07RequestsRunAgainAreDoneAndVoidInAnotherTerm(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	ask := func(term uint64) func(tr kv.Transaction) error {
		nonce := newNonce()
		return func(tr kv.Transaction) error { return e.RequestTransfer(tr, term, "b", nonce) }
	}
	require.ErrorIs(t, e.Try(ask(2)), fdbelection.ErrNotLeader)
	ask1 := ask(1)
	e.Do(ask1)
	e.Do(ask1)
	request := e.acts(election.Renewed, a, at(1)).Request
	require.Equal(t, election.TransferRequest, request.Kind)
	require.Equal(t, b.Identity, request.Identity)
	stands, err := suite.Read(e.Store, e.ReadRequest)
	require.NoError(t, err)
	require.Equal(t, request, stands)
	stored := len(e.Dump())
	require.NoError(t, e.resign(token, 2))
	require.Len(t, e.Dump(), stored, "one event was added, and the request was removed")
	e.acts(election.Claimed, b, at(3))
	e.Do(ask1) // late: the term that it names has ended
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, b, at(4)).Request.Kind)
}

func rule07LeavingRunAgainKeepsTheNextIncarnation(t *testing.T, e *testElection) {
	e.initialized()
	old := e.join("a", 1, at(0))
	leave := func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, old.Identity, at(1)) }
	e.Do(leave)
	restarted := e.join("a", 1, at(2))
	e.acts(election.Claimed, restarted, at(2))
	e.Do(leave)
	require.Equal(t, []string{"a"}, e.ids())
	require.True(t, e.leaderIs(restarted))
}
