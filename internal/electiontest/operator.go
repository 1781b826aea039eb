package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// operatorTests are about ForceResign and RaiseTerm.
var operatorTests = []test{
	forceResignEndsTheExactTenure,
	forceResignKeepsALeaderThatHasRenewed,
	forceResignDoesNotEndAnotherTenure,
	forceResignConflictsWithARenewal,
	raiseTermEndsTheTenureAndRaisesTheTerm,
	raiseTermNeverLowersAndCanBeRunAgain,
	raiseTermContinuesWithAHigherBallot,
	raiseTermWithoutALeader,
	raiseTermConflictsWithConcurrentWrites,
	raiseTermRefusesBadFloorsAndUnreadableRecords,
}

func (e *testElection) forceResign(token election.Token, ballot uint64, now float64) error {
	return e.Try(func(tr kv.Transaction) error { return e.ForceResign(tr, token, ballot, at(now)) })
}

func (e *testElection) raise(floor uint64, now float64) (leader election.LeaderRecord, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		leader, err = e.RaiseTerm(tr, floor, at(now))
		return err
	})
	return leader, err
}

func forceResignEndsTheExactTenure(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 0, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, token.Term, newNonce()) })
	require.NoError(t, e.forceResign(token, e.leader().Ballot, 1))
	require.True(t, e.leader().Vacant())
	require.EqualValues(t, 2, e.leader().Ballot)
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	require.Equal(t, election.NoRequest, e.request().Kind)
	require.Equal(t, []string{"1 began:  -> a (vacancy) ballot 1", "1 ended: a ->  (deposed by an operator) ballot 2"}, e.events())
	require.Equal(t, []string{"a", "b"}, e.ids(), "it stays a candidate")

	require.NoError(t, e.forceResign(token, 1, 2), "run again, it has nothing to do")
	require.EqualValues(t, 2, e.leader().Ballot)
	e.acts(election.Claimed, b, at(2))
	require.NoError(t, e.forceResign(token, 1, 3))
	require.True(t, e.leader().HeldBy(b.Identity), "it does not end a later term")
	_, err := e.tryCycle(a, at(3))
	require.NoError(t, err)
}

func forceResignKeepsALeaderThatHasRenewed(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	seen := e.leader().Ballot
	e.acts(election.Renewed, a, at(1))
	before := e.leader()
	err := e.forceResign(token, seen, 2)
	require.ErrorIs(t, err, fdbelection.ErrLeaderRenewed)
	require.ErrorContains(t, err, "the ballot is 2, and was 1")
	require.Equal(t, before, e.leader())
	require.NoError(t, e.fenced(token))
	require.NoError(t, e.forceResign(token, 0, 3), "without a ballot, a renewal does not matter")
	require.True(t, e.leader().Vacant())
}

func forceResignDoesNotEndAnotherTenure(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	before := e.leader()
	for name, change := range map[string]func(*election.Token){
		"a later term":        func(t *election.Token) { t.Term = 2 },
		"another incarnation": func(t *election.Token) { t.Incarnation = newNonce() },
		"another nonce":       func(t *election.Token) { t.Nonce = newNonce() },
	} {
		other := token
		change(&other)
		require.ErrorIs(t, e.forceResign(other, 0, 1), fdbelection.ErrNotLeader, name)
		require.Equal(t, before, e.leader(), name)
	}
	e.acts(election.Renewed, a, at(1))
}

func forceResignConflictsWithARenewal(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	late := e.Begin()
	require.NoError(t, e.ForceResign(late, token, e.leader().Ballot, at(1)))
	e.acts(election.Renewed, a, at(1))
	e.RequireConflict(late)

	renewal := e.Begin()
	_, err := e.RunElectionCycle(renewal, a, at(2))
	require.NoError(t, err)
	require.NoError(t, e.forceResign(token, 0, 2))
	e.RequireConflict(renewal)
	require.True(t, e.leader().Vacant())
}

func raiseTermEndsTheTenureAndRaisesTheTerm(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, token.Term, newNonce()) })
	leader, err := e.raise(1000, 1)
	require.NoError(t, err)
	require.Equal(t, leader, e.leader())
	require.True(t, leader.Vacant())
	require.EqualValues(t, 1000, leader.Term)
	require.EqualValues(t, 1000, leader.Ballot)
	require.Equal(t, election.NoRequest, e.request().Kind)
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	forged := token
	forged.Term = 1000
	require.ErrorIs(t, e.fenced(forged), fdbelection.ErrFenced, "there is no tenure with the term of the floor")

	_, err = e.transfer(token, "b", newNonce(), 1)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.NoError(t, e.Try(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) }))
	status, err := suite.Read(e.Store, e.ReadStatus)
	require.NoError(t, err)
	require.EqualValues(t, 1000, status.Term.Term)
	require.False(t, status.Term.Held)
	require.Equal(t, "a", status.Term.ID, "the last holder")

	next := e.acts(election.Claimed, a, at(2)).Leader
	require.EqualValues(t, 1001, next.Term)
	require.EqualValues(t, 1001, next.Ballot)
	require.NoError(t, e.fenced(next.Token()))
	require.Equal(t, []string{
		"1000 ended: a ->  (raised from term 1 by an operator) ballot 1000",
		"1001 began:  -> a (vacancy) ballot 1001",
	}, e.events(), "older entries are trimmed as always")
}

func raiseTermNeverLowersAndCanBeRunAgain(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	_, err := e.raise(10, 1)
	require.NoError(t, err)
	unchanged := func(floor uint64) {
		leader, term := e.Raw("leader"), e.Raw("term")
		events := e.events()
		stands, err := e.raise(floor, 2)
		require.NoError(t, err)
		require.Equal(t, e.leader(), stands)
		require.Equal(t, leader, e.Raw("leader"))
		require.Equal(t, term, e.Raw("term"))
		require.Equal(t, events, e.events())
	}
	unchanged(10)
	unchanged(3)
	next := e.acts(election.Claimed, a, at(3)).Leader
	require.EqualValues(t, 11, next.Term)
	unchanged(10)
	unchanged(1)
	require.NoError(t, e.fenced(next.Token()))

	// A tenure of the floor itself may come from the restored data, so it is ended.
	leader, err := e.raise(11, 4)
	require.NoError(t, err)
	require.EqualValues(t, 11, leader.Term)
	require.Equal(t, next.Ballot+1, leader.Ballot)
	require.ErrorIs(t, e.fenced(next.Token()), fdbelection.ErrFenced)
	unchanged(11)
	require.EqualValues(t, 12, e.acts(election.Claimed, a, at(5)).Leader.Term)
}

func raiseTermContinuesWithAHigherBallot(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a, _ := e.leads("a", 1, at(0))
	for i := range 7 {
		e.acts(election.Renewed, a, at(float64(i)))
	}
	leader, err := e.raise(3, 8)
	require.NoError(t, err)
	require.EqualValues(t, 3, leader.Term)
	require.EqualValues(t, 9, leader.Ballot)
	require.Empty(t, e.events(), "the config keeps no history")
}

func raiseTermWithoutALeader(t *testing.T, e *testElection) {
	_, err := e.raise(5, 0)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	e.initialized(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	leader, err := e.raise(5, 0)
	require.NoError(t, err)
	require.True(t, leader.Vacant())
	require.Equal(t, []string{"5 ended:  ->  (raised from term 0 by an operator) ballot 5"}, e.events())
	e.configure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	_, token := e.leads("a", 1, at(1))
	require.EqualValues(t, 6, token.Term)
}

func raiseTermConflictsWithConcurrentWrites(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	e.join("b", 0, at(0))
	late := e.Begin()
	_, err := e.RaiseTerm(late, 5, at(1))
	require.NoError(t, err)
	e.acts(election.Renewed, a, at(1))
	e.RequireConflict(late)

	attempts := map[string]kv.OwnedTransaction{"renewal": e.Begin(), "transfer": e.Begin(), "request": e.Begin(), "fenced write": e.Begin()}
	_, err = e.RunElectionCycle(attempts["renewal"], a, at(2))
	require.NoError(t, err)
	_, err = e.TransferLeadership(attempts["transfer"], token, "b", newNonce(), at(2))
	require.NoError(t, err)
	require.NoError(t, e.RequestResign(attempts["request"], token.Term, newNonce()))
	require.NoError(t, e.RequireLeadership(attempts["fenced write"], token))
	attempts["fenced write"].Set(e.Key("application"), []byte("work"))
	_, err = e.raise(5, 2)
	require.NoError(t, err)
	for name, tr := range attempts {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), name)
	}
	for _, record := range [][]string{{"leader"}, {"config"}, {"intent"}, {"term"}} {
		tr := e.Begin()
		_, err := e.RaiseTerm(tr, 100, at(3))
		require.NoError(t, err)
		e.DependsOn(tr, record...)
	}
}

func raiseTermRefusesBadFloorsAndUnreadableRecords(t *testing.T, e *testElection) {
	e.initialized()
	e.leads("a", 1, at(0))
	before := e.leader()
	for _, floor := range []uint64{0, election.MaxTermFloor + 1, 1<<64 - 1} {
		_, err := e.raise(floor, 1)
		require.ErrorIs(t, err, fdbelection.ErrTermFloor)
	}
	for record, value := range map[string][]byte{"config": []byte("rubbish"), "leader": subspace.AppendInt(nil, 2)} {
		before := e.Dump()
		e.Spoil(value, record)
		_, err := e.raise(5, 1)
		require.ErrorIs(t, err, fdbelection.ErrInvalidState, record)
		require.Equal(t, value, e.Raw(record))
		e.Restore(before)
	}
	require.Equal(t, before, e.leader())
	e.Spoil([]byte("rubbish"), "term")
	e.Remove("leader")
	_, err := e.raise(5, 1)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "neither record can be used")

	fresh := newTestElection(t, e.Engine).initialized()
	leader, err := fresh.raise(election.MaxTermFloor, 1)
	require.NoError(t, err)
	require.Equal(t, uint64(election.MaxTermFloor), leader.Ballot, "higher ballots are left")
	_, token := fresh.leads("a", 1, at(1))
	require.NoError(t, fresh.fenced(token))
}
