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

var registrationTests = []test{
	rule08ARegistrationIsPendingUntilItsCommit,
	rule08RegistrationsOfOneTransactionDifferByUserVersion,
	rule08RegistrationsThatShareAStampAreOrderedByID,
	rule08HeartbeatsCarryACounterAndKeepTheStamp,
	rule12CandidatesAreRankedByPriorityThenAge,
	rule12TheFirstByRankAreListedWithTheirRecords,
	rule09AHolderThatBecomesAnObserverVacates,
	rule09AHolderThatLeavesVacates,
}

func rule08ARegistrationIsPendingUntilItsCommit(t *testing.T, e *testElection) {
	e.initialized()
	me := newProcess("me", 1)
	reads := map[string]func(tr kv.Transaction) error{
		"heartbeat":      func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) },
		"cycle":          func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, me, at(0)); return err },
		"register":       func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) },
		"get":            func(tr kv.Transaction) error { _, err := e.GetCandidate(tr, "me"); return err },
		"list":           func(tr kv.Transaction) error { _, err := e.ListCandidates(tr); return err },
		"shortlist":      func(tr kv.Transaction) error { _, err := e.Shortlist(tr, 1); return err },
		"list shortlist": func(tr kv.Transaction) error { _, _, err := e.ListShortlist(tr, 1); return err },
		"list one":       func(tr kv.Transaction) error { _, _, err := e.ListShortlist(tr, 1, "me"); return err },
		"evict":          func(tr kv.Transaction) error { _, err := e.EvictDeadCandidates(tr, at(0)); return err },
		"leave":          func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, at(0)) },
	}
	for name, fn := range reads {
		tr := e.Begin()
		require.NoError(t, e.RegisterCandidate(tr, me, at(0)))
		require.ErrorIs(t, fn(tr), fdbelection.ErrRegistrationPending, name)
	}
	require.Empty(t, e.ids())
}

func rule08RegistrationsOfOneTransactionDifferByUserVersion(t *testing.T, e *testElection) {
	e.initialized()
	e.Do(func(tr kv.Transaction) error {
		for i, id := range []string{"third", "first", "second"} {
			me := newProcess(id, 1)
			me.UserVersion = uint16([]int{2, 0, 1}[i])
			if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, []string{"first", "second", "third"}, e.ids())
	first, second := e.candidate("first").Versionstamp, e.candidate("second").Versionstamp
	require.Equal(t, first.Transaction, second.Transaction, "one commit")
	require.Negative(t, first.Compare(second))
}

// rule08RegistrationsThatShareAStampAreOrderedByID: two registrations of one transaction without user versions share a stamp.
// They are still two candidates. ListCandidates and Shortlist return them in the same order,
// and each can be evicted alone.
func rule08RegistrationsThatShareAStampAreOrderedByID(t *testing.T, e *testElection) {
	e.initialized()
	second, first := newProcess("b", 1), newProcess("a", 1)
	e.Do(func(tr kv.Transaction) error {
		if err := e.RegisterCandidate(tr, second, at(0)); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, first, at(0))
	})
	e.join("c", 1, at(0))
	require.Equal(t, e.candidate("a").Versionstamp, e.candidate("b").Versionstamp)
	require.Equal(t, []string{"a", "b", "c"}, e.ids())
	require.Equal(t, []string{"a", "b", "c"}, e.shortlist(9))
	seen := e.candidate("b")
	e.Do(func(tr kv.Transaction) error {
		evicted, err := e.EvictUnchanged(tr, []election.Candidate{seen})
		require.Equal(t, []string{"b"}, evicted)
		return err
	})
	require.Equal(t, []string{"a", "c"}, e.ids())
	require.Equal(t, []string{"a", "c"}, e.shortlist(9))
}

func rule08HeartbeatsCarryACounterAndKeepTheStamp(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("me", 1, at(0))
	before := e.candidate("me")
	for i := 2; i <= 4; i++ {
		e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) }) // at the same instant each time
		now := e.candidate("me")
		require.EqualValues(t, i, now.Heartbeats)
		require.Equal(t, before.Versionstamp, now.Versionstamp)
	}
	require.Zero(t, e.leader(), "a heartbeat claims nothing")
}

func rule12CandidatesAreRankedByPriorityThenAge(t *testing.T, e *testElection) {
	e.initialized()
	e.join("low", -5, at(0))
	high := e.join("high", 9, at(0))
	e.join("older", 1, at(0))
	e.join("younger", 1, at(0))
	observer := newProcess("observer", 99)
	observer.Role = election.Observer
	e.register(observer, at(0))
	require.Equal(t, []string{"high", "older", "younger", "low", "observer"}, e.ids())
	require.Equal(t, []string{"high", "older"}, e.shortlist(2))
	high.Priority = 0
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, high, at(1)) })
	require.Equal(t, []string{"older", "younger", "high", "low"}, e.shortlist(10), "observers are not ranked")
	observer.Role = election.Voter
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, observer, at(1)) })
	require.Equal(t, []string{"observer"}, e.shortlist(1))
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, observer.Identity, at(1)) })
	require.Equal(t, []string{"older"}, e.shortlist(1))
	require.Empty(t, e.shortlist(0))
}

func (e *testElection) shortlist(k int) []string {
	e.T.Helper()
	ranked, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, k) })
	require.NoError(e.T, err)
	ids := make([]string, len(ranked))
	for i, r := range ranked {
		ids[i] = r.ID
	}
	return ids
}

func rule12TheFirstByRankAreListedWithTheirRecords(t *testing.T, e *testElection) {
	e.initialized()
	for i, id := range []string{"low", "high", "middle"} {
		e.join(id, []int32{-5, 9, 1}[i], at(0))
	}
	observer := newProcess("observer", 99)
	observer.Role = election.Observer
	e.register(observer, at(0))
	list := func(k int, also ...string) (ranked, listed []string, err error) {
		err = e.DB.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
			entries, candidates, err := e.ListShortlist(tr, k, also...)
			for _, r := range entries {
				ranked = append(ranked, r.ID)
			}
			for i := range candidates {
				require.Equal(t, e.candidate(candidates[i].ID), candidates[i])
				listed = append(listed, candidates[i].ID)
			}
			return err
		})
		return ranked, listed, err
	}
	for _, c := range []struct {
		k              int
		also           []string
		ranked, listed []string
	}{
		{2, nil, []string{"high", "middle"}, []string{"high", "middle"}},
		{1, []string{"high", "high"}, []string{"high"}, []string{"high"}},
		{1, []string{"observer", "low", "absent", ""}, []string{"high"}, []string{"high", "low", "observer"}},
		{9, nil, []string{"high", "middle", "low"}, []string{"high", "middle", "low"}},
	} {
		ranked, listed, err := list(c.k, c.also...)
		require.NoError(t, err)
		require.Equal(t, c.ranked, ranked)
		require.Equal(t, c.listed, listed)
	}

	record, _ := e.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("high")})
	e.Do(func(tr kv.Transaction) error { tr.Set(record, []byte("rubbish")); return nil })
	ranked, listed, err := list(2)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, []string{"high", "middle"}, ranked)
	require.Equal(t, []string{"middle"}, listed, "a damaged record hides no other")
	e.Do(func(tr kv.Transaction) error { tr.Clear(record); return nil })
	ranked, listed, err = list(2)
	require.NoError(t, err)
	require.Equal(t, []string{"high", "middle"}, ranked, "the rank entry has no candidate")
	require.Equal(t, []string{"middle"}, listed)
}

func rule09AHolderThatBecomesAnObserverVacates(t *testing.T, e *testElection) {
	e.initialized()
	for name, demote := range map[string]func(tr kv.Transaction, me election.Registration) error{
		"register":  func(tr kv.Transaction, me election.Registration) error { return e.RegisterCandidate(tr, me, at(1)) },
		"heartbeat": func(tr kv.Transaction, me election.Registration) error { return e.HeartbeatCandidate(tr, me, at(1)) },
		"cycle": func(tr kv.Transaction, me election.Registration) error {
			result, err := e.RunElectionCycle(tr, me, at(1))
			require.Equal(t, election.Vacated, result.Action)
			return err
		},
	} {
		me, token := e.leads("a", 1, at(0))
		ballot := e.leader().Ballot
		me.Role = election.Observer
		e.Do(func(tr kv.Transaction) error { return demote(tr, me) })
		vacant := e.leader()
		require.True(t, vacant.Vacant(), name)
		require.Equal(t, ballot+1, vacant.Ballot, name)
		require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced, name)
		e.acts(election.Followed, me, at(2))
	}
}

func rule09AHolderThatLeavesVacates(t *testing.T, e *testElection) {
	e.initialized()
	me, token := e.leads("a", 1, at(0))
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, at(1)) })
	vacant := e.leader()
	require.True(t, vacant.Vacant())
	require.EqualValues(t, 2, vacant.Ballot)
	require.Equal(t, token.Term, vacant.Term)
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	require.Empty(t, e.ids())
	require.Empty(t, e.shortlist(9))
	require.Equal(t, "1 ended: a ->  (left) ballot 2", e.events()[1])
}
