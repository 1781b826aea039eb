package electiontest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Tests of records that were removed under a live election.
var lostTests = []test{
	{"Lost_leader_record_is_restored_by_its_holder", lostLeaderRestored},
	{"Lost_leader_record_twice_still_raises_the_ballot", lostLeaderTwice},
	{"Lost_leader_record_of_a_dead_holder_is_claimed_after_a_lease", lostLeaderDeadHolder},
	{"Lost_leader_record_of_a_vacancy_does_not_stop_claims", lostLeaderVacant},
	{"Lost_leader_record_by_clock_is_claimed_after_a_lease_too", lostLeaderByClock},
	{"Lost_leader_record_is_raised_by_an_operator", lostLeaderRaised},
	{"Lost_leader_record_is_not_raised_by_a_term_record_that_cannot_be_read", lostLeaderAndTerm},
	{"Lost_leader_record_is_told", lostLeaderTold},
	{"Lost_election_is_not_claimed_for_a_lease_by_those_who_saw_it", lostElection},
	{"Lost_election_with_a_shorter_lease_is_not_claimed_before_the_longer_one", lostLongerLease},
}

// oneMore is the ballot after the gap that a lost leader record leaves.
const oneMore = uint64(1<<40 + 1)

func lostLeaderRestored(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	token := w.acts(election.Claimed, a, at(0)).Leader.Token()
	for range 5 {
		w.acts(election.Renewed, a, at(1))
	}
	w.remove("leader")
	w.acts(election.Followed, b, at(2))
	renewal := w.open()
	_, err := w.RunElectionCycle(renewal, a, at(3))
	require.NoError(t, err)
	w.dependsOn(renewal, "term")
	restored := w.acts(election.Renewed, a, at(3)).Leader
	require.Equal(t, token, restored.Token())
	require.Equal(t, 1+oneMore, restored.Ballot, "above any that can have been written")
	require.NoError(t, w.fenced(token), "it is the same tenure")
	require.Equal(t, restored.Ballot+1, w.acts(election.Renewed, a, at(4)).Leader.Ballot)
	w.remove("leader")
	w.do(func(tr kv.Transaction) error { _, err := w.RefreshLease(tr, token, at(5)); return err })
	require.Equal(t, token, w.leader().Token())
	w.remove("leader")
	w.acts(election.Claimed, a, at(6), observing, election.EndedTerm(1)) // a holder that has ended its tenure
	require.EqualValues(t, 2, w.leader().Term)
}

func lostLeaderTwice(t *testing.T, w *world) {
	w.byDefault(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a := w.join("a", 1, at(0))
	highest := w.acts(election.Claimed, a, at(0)).Leader.Ballot
	for range 3 {
		w.remove("leader")
		for range 2 {
			ballot := w.acts(election.Renewed, a, at(1)).Leader.Ballot
			require.Greater(t, ballot, highest)
			highest = ballot
		}
	}
}

func lostLeaderDeadHolder(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 9, at(0))
	w.acts(election.Claimed, a, at(0))
	w.remove("leader")
	for now := 1.0; now < 11; now += 3 {
		w.acts(election.Followed, b, at(now)) // its priority may have been any: it is not challenged
	}
	w.acts(election.Claimed, b, at(11))
	require.EqualValues(t, 2, w.leader().Term)
}

func lostLeaderVacant(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	token := w.acts(election.Claimed, a, at(0)).Leader.Token()
	w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(1)) })
	w.remove("leader")
	b := w.join("b", 1, at(1))
	w.acts(election.Claimed, b, at(1))
	require.EqualValues(t, 2, w.leader().Term)
	require.Equal(t, 2+oneMore, w.leader().Ballot)
}

func lostLeaderByClock(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	w.remove("leader")
	w.acts(election.Followed, b, at(1000)) // no clock says when the lease of a lost record ends
	w.acts(election.Renewed, a, at(1))
	w.remove("leader")
	w.acts(election.Followed, b, at(1001))
	w.acts(election.Followed, b, at(1010.9))
	w.acts(election.Claimed, b, at(1011))
}

func lostLeaderRaised(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	token := w.acts(election.Claimed, a, at(0)).Leader.Token()
	w.remove("leader")
	for range 2 { // run again it changes nothing
		leader, err := w.raise(1, 1)
		require.NoError(t, err)
		require.True(t, leader.Vacant())
		require.EqualValues(t, 1, leader.Term)
		require.Equal(t, 1+oneMore, leader.Ballot)
		require.Equal(t, leader, w.leader())
	}
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	w.acts(election.Claimed, a, at(2))
}

// lostLeaderAndTerm: the number of the term can be read, and the rest of the term
// record cannot; or its counts leave no room for the gap.
func lostLeaderAndTerm(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	for term := range uint64(3) {
		w.acts(election.Claimed, a, at(0), observing, election.EndedTerm(term))
	}
	leader, term := w.raw("leader"), w.raw("term")
	cut := term[:len(term)-1]
	full := subspace.AppendUint(slices.Clone(term[:len(term)-2]), 1<<62-1) // in place of ballot 3
	for _, lost := range []func(){
		func() { w.remove("leader") },
		func() { w.spoil(leader[:len(leader)-1], "leader") },
	} {
		for _, value := range [][]byte{cut, full} {
			lost()
			w.spoil(value, "term")
			before := w.dump()
			_, err := w.raise(1, 1)
			require.ErrorIs(t, err, fdbelection.ErrInvalidState)
			for _, done := range w.repair(1) {
				require.Empty(t, done.Done)
			}
			require.Equal(t, before, w.dump())
		}
	}
}

func lostLeaderTold(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	token := w.acts(election.Claimed, a, at(0)).Leader.Token()
	w.remove("leader")
	_, err := read(w, w.GetLeaderRaw)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.ErrorContains(t, err, "raise-term")
	state, err := read(w, w.ReadStatus)
	require.NoError(t, err)
	require.Equal(t, token, state.Leader.Token())
	require.ErrorContains(t, state.Unreadable, "is missing although a term record stands")
	w.remove("term") // then there never was a leader, as far as the records tell
	_, err = read(w, w.GetLeaderRaw)
	require.NoError(t, err)
}

// lostElection: the records are cleared while "a" leads, and the election is made
// again at once. What "b" saw before is in its own hands; "c" is new.
func lostElection(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	var seen election.Observation
	w.acts(election.Claimed, a, at(0))
	seen = seen.Next(w.leader(), at(1))
	w.do(func(tr kv.Transaction) error {
		begin, end := w.Subspace().Range()
		tr.ClearRange(begin, end)
		_, err := w.Initialize(tr)
		return err
	})
	w.register(b, at(2))
	seen = seen.Next(w.leader(), at(2))
	w.acts(election.Followed, b, at(2), election.WithObservation(seen, at(2)))
	seen = seen.Next(w.leader(), at(5))
	w.acts(election.Followed, b, at(11.9), election.WithObservation(seen, at(11.9)))
	w.acts(election.Claimed, b, at(12), election.WithObservation(seen, at(12)))
	require.Equal(t, at(2), seen.LostAt)

	// The notes in a candidate record that was spared serve as well.
	c := w.join("c", 1, at(12))
	w.acts(election.Followed, c, at(12))
	w.remove("leader")
	w.remove("term")
	w.acts(election.Followed, c, at(13))
	w.acts(election.Followed, c, at(22.9))
	w.acts(election.Claimed, c, at(23))
	require.Equal(t, 10*time.Second, w.leader().LeaseDuration)
}

// lostLongerLease: "c" is new. It makes the election again with a short lease, and
// leads at once; "b" has seen "a", which may believe in its long lease.
func lostLongerLease(t *testing.T, w *world) {
	for _, end := range map[string]func(c election.Registration){
		"it dies": func(election.Registration) {},
		"it resigns": func(election.Registration) {
			w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, w.leader().Token(), at(2)) })
		},
		"it can be preempted": func(c election.Registration) { w.acts(election.Renewed, c, at(8.5), observing) },
	} {
		w.do(func(tr kv.Transaction) error {
			begin, end := w.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		w.byDefault()
		a := w.join("a", 1, at(0))
		w.acts(election.Claimed, a, at(0), observing)
		seen := election.Observation{}.Next(w.leader(), at(1))
		w.do(func(tr kv.Transaction) error {
			begin, end := w.Subspace().Range()
			tr.ClearRange(begin, end)
			config := fdbelection.ConfigWithLease(time.Second)
			config.PreemptionGrace, config.MinimumTenure = 0, 0
			_, err := w.InitializeWithConfig(tr, config)
			return err
		})
		c := w.join("c", 1, at(1))
		w.acts(election.Claimed, c, at(1), observing)
		for range 3 {
			w.acts(election.Renewed, c, at(1), observing)
		}
		b := w.join("b", 2, at(1))
		seen = seen.Lost(at(1)).Next(w.leader(), at(1))
		end(c)
		seen = seen.Next(w.leader(), at(8.5))
		w.acts(election.Followed, b, at(10.9), election.WithObservation(seen, at(10.9)))
		w.acts(election.Claimed, b, at(11), election.WithObservation(seen, at(11)))
	}
}
