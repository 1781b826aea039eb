package electiontest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// lostTests remove records of a live election.
var lostTests = []test{
	lostLeaderRecordIsRestoredByItsHolder,
	lostLeaderRecordTwiceStillRaisesTheBallot,
	lostLeaderRecordOfADeadHolderIsClaimedAfterALease,
	lostLeaderRecordOfAVacancyDoesNotStopClaims,
	lostLeaderRecordByClockIsClaimedAfterALease,
	lostLeaderRecordIsRaisedByAnOperator,
	lostLeaderRecordIsNotRaisedWithAnUnreadableTermRecord,
	lostLeaderRecordIsReported,
	lostElectionIsNotClaimedForOneLease,
	lostElectionWithAShorterLeaseIsClaimedAfterTheLongerOne,
}

// oneMore is 1 more than what is added to the ballot when a leader record is lost.
const oneMore = uint64(1<<40 + 1)

func lostLeaderRecordIsRestoredByItsHolder(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	token := e.acts(election.Claimed, a, at(0)).Leader.Token()
	for range 5 {
		e.acts(election.Renewed, a, at(1))
	}
	e.Remove("leader")
	e.acts(election.Followed, b, at(2))
	renewal := e.Begin()
	_, err := e.RunElectionCycle(renewal, a, at(3))
	require.NoError(t, err)
	e.DependsOn(renewal, "term")
	restored := e.acts(election.Renewed, a, at(3)).Leader
	require.Equal(t, token, restored.Token())
	require.Equal(t, 1+oneMore, restored.Ballot, "above any ballot that can have been written")
	require.NoError(t, e.fenced(token), "it is the same tenure")
	require.Equal(t, restored.Ballot+1, e.acts(election.Renewed, a, at(4)).Leader.Ballot)
	e.Remove("leader")
	e.Do(func(tr kv.Transaction) error { _, err := e.RefreshLease(tr, token, at(5)); return err })
	require.Equal(t, token, e.leader().Token())
	e.Remove("leader")
	e.acts(election.Claimed, a, at(6), observing, election.EndedTerm(1)) // it has ended its tenure
	require.EqualValues(t, 2, e.leader().Term)
}

func lostLeaderRecordTwiceStillRaisesTheBallot(t *testing.T, e *testElection) {
	e.byDefault(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a := e.join("a", 1, at(0))
	highest := e.acts(election.Claimed, a, at(0)).Leader.Ballot
	for range 3 {
		e.Remove("leader")
		for range 2 {
			ballot := e.acts(election.Renewed, a, at(1)).Leader.Ballot
			require.Greater(t, ballot, highest)
			highest = ballot
		}
	}
}

func lostLeaderRecordOfADeadHolderIsClaimedAfterALease(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 9, at(0))
	e.acts(election.Claimed, a, at(0))
	e.Remove("leader")
	for now := 1.0; now < 11; now += 3 {
		e.acts(election.Followed, b, at(now)) // the priority of the holder is not known, so b does not request preemption
	}
	e.acts(election.Claimed, b, at(11))
	require.EqualValues(t, 2, e.leader().Term)
}

func lostLeaderRecordOfAVacancyDoesNotStopClaims(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	token := e.acts(election.Claimed, a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
	e.Remove("leader")
	b := e.join("b", 1, at(1))
	e.acts(election.Claimed, b, at(1))
	require.EqualValues(t, 2, e.leader().Term)
	require.Equal(t, 2+oneMore, e.leader().Ballot)
}

func lostLeaderRecordByClockIsClaimedAfterALease(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	e.Remove("leader")
	e.acts(election.Followed, b, at(1000)) // a lost record does not say when its lease ends
	e.acts(election.Renewed, a, at(1))
	e.Remove("leader")
	e.acts(election.Followed, b, at(1001))
	e.acts(election.Followed, b, at(1010.9))
	e.acts(election.Claimed, b, at(1011))
}

func lostLeaderRecordIsRaisedByAnOperator(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	token := e.acts(election.Claimed, a, at(0)).Leader.Token()
	e.Remove("leader")
	for range 2 { // the second time it changes nothing
		leader, err := e.raise(1, 1)
		require.NoError(t, err)
		require.True(t, leader.Vacant())
		require.EqualValues(t, 1, leader.Term)
		require.Equal(t, 1+oneMore, leader.Ballot)
		require.Equal(t, leader, e.leader())
	}
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	e.acts(election.Claimed, a, at(2))
}

// lostLeaderRecordIsNotRaisedWithAnUnreadableTermRecord: the term record is truncated after its term, or its ballot is so high
// that the gap cannot be added.
func lostLeaderRecordIsNotRaisedWithAnUnreadableTermRecord(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	for term := range uint64(3) {
		e.acts(election.Claimed, a, at(0), observing, election.EndedTerm(term))
	}
	leader, term := e.Raw("leader"), e.Raw("term")
	cut := term[:len(term)-1]
	full := subspace.AppendUint(slices.Clone(term[:len(term)-2]), 1<<62-1) // instead of ballot 3
	for _, lost := range []func(){
		func() { e.Remove("leader") },
		func() { e.Spoil(leader[:len(leader)-1], "leader") },
	} {
		for _, value := range [][]byte{cut, full} {
			lost()
			e.Spoil(value, "term")
			before := e.Dump()
			_, err := e.raise(1, 1)
			require.ErrorIs(t, err, fdbelection.ErrInvalidState)
			for _, done := range e.repair(1) {
				require.Empty(t, done.Done)
			}
			require.Equal(t, before, e.Dump())
		}
	}
}

func lostLeaderRecordIsReported(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	token := e.acts(election.Claimed, a, at(0)).Leader.Token()
	e.Remove("leader")
	_, err := suite.Read(e.Store, e.GetLeaderRaw)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.ErrorContains(t, err, "raise-term")
	status, err := suite.Read(e.Store, e.ReadStatus)
	require.NoError(t, err)
	require.Equal(t, token, status.Leader.Token())
	require.ErrorContains(t, status.Unreadable, "is missing although a term record stands")
	e.Remove("term") // now the records look as if there never was a leader
	_, err = suite.Read(e.Store, e.GetLeaderRaw)
	require.NoError(t, err)
}

// lostElectionIsNotClaimedForOneLease: the records are cleared while "a" leads, and the election is created again at
// once. "b" keeps its own observation, and "c" is new.
func lostElectionIsNotClaimedForOneLease(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	var seen election.Observation
	e.acts(election.Claimed, a, at(0))
	seen = seen.Next(e.leader(), at(1))
	e.Do(func(tr kv.Transaction) error {
		begin, end := e.Subspace().Range()
		tr.ClearRange(begin, end)
		_, err := e.Initialize(tr)
		return err
	})
	e.register(b, at(2))
	seen = seen.Next(e.leader(), at(2))
	e.acts(election.Followed, b, at(2), election.WithObservation(seen, at(2)))
	seen = seen.Next(e.leader(), at(5))
	e.acts(election.Followed, b, at(11.9), election.WithObservation(seen, at(11.9)))
	e.acts(election.Claimed, b, at(12), election.WithObservation(seen, at(12)))
	require.Equal(t, at(2), seen.LostAt)

	// Notes in a candidate record that was not cleared have the same effect.
	c := e.join("c", 1, at(12))
	e.acts(election.Followed, c, at(12))
	e.Remove("leader")
	e.Remove("term")
	e.acts(election.Followed, c, at(13))
	e.acts(election.Followed, c, at(22.9))
	e.acts(election.Claimed, c, at(23))
	require.Equal(t, 10*time.Second, e.leader().LeaseDuration)
}

// lostElectionWithAShorterLeaseIsClaimedAfterTheLongerOne: "c" is new. It creates the election again with a short lease, and leads at
// once. "b" has seen "a", which may lead until its longer lease ends.
func lostElectionWithAShorterLeaseIsClaimedAfterTheLongerOne(t *testing.T, e *testElection) {
	for _, end := range map[string]func(c election.Registration){
		"it dies": func(election.Registration) {},
		"it resigns": func(election.Registration) {
			e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, e.leader().Token(), at(2)) })
		},
		"it can be preempted": func(c election.Registration) { e.acts(election.Renewed, c, at(8.5), observing) },
	} {
		e.Do(func(tr kv.Transaction) error {
			begin, end := e.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		e.byDefault()
		a := e.join("a", 1, at(0))
		e.acts(election.Claimed, a, at(0), observing)
		seen := election.Observation{}.Next(e.leader(), at(1))
		e.Do(func(tr kv.Transaction) error {
			begin, end := e.Subspace().Range()
			tr.ClearRange(begin, end)
			config := fdbelection.ConfigWithLease(time.Second)
			config.PreemptionGrace, config.MinimumTenure = 0, 0
			_, err := e.InitializeWithConfig(tr, config)
			return err
		})
		c := e.join("c", 1, at(1))
		e.acts(election.Claimed, c, at(1), observing)
		for range 3 {
			e.acts(election.Renewed, c, at(1), observing)
		}
		b := e.join("b", 2, at(1))
		seen = seen.NextLost(at(1)).Next(e.leader(), at(1))
		end(c)
		seen = seen.Next(e.leader(), at(8.5))
		e.acts(election.Followed, b, at(10.9), election.WithObservation(seen, at(10.9)))
		e.acts(election.Claimed, b, at(11), election.WithObservation(seen, at(11)))
	}
}
