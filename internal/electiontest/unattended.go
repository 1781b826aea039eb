package electiontest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Tests of callers that keep nothing between two cycles.
var unattendedTests = []test{
	{"Unattended_a_follower_takes_over_after_a_lease_on_its_own_clock", unattendedTakeover},
	{"Unattended_the_wall_clock_of_the_caller_does_not_matter", unattendedWallClock},
	{"Unattended_readings_of_another_run_of_the_clock_are_discarded", unattendedOtherRun},
	{"Unattended_readings_that_the_clock_has_not_reached_are_discarded", unattendedFutureReading},
	{"Unattended_a_new_incarnation_starts_over", unattendedNewIncarnation},
	{"Unattended_a_holder_that_comes_back_late_begins_a_new_term", unattendedLateHolder},
	{"Unattended_a_claim_uses_what_heartbeats_have_noted", unattendedClaim},
	{"Unattended_silent_candidates_are_evicted", unattendedEviction},
	{"Unattended_eviction_forgets_a_heartbeat_that_was_not_committed", unattendedAbortedEviction},
	{"Unattended_the_result_says_until_when_it_is_valid", unattendedValidUntil},
	{"Unattended_a_caller_with_its_own_observation_stores_none", unattendedObserverStoresNothing},
	{"Unattended_a_new_candidate_does_not_preempt_at_once", unattendedPreemptDelay},
	{"Unattended_cycles_and_fenced_work_do_not_conflict", unattendedConflicts},
}

// byDefault makes the election with the default config, which some tests edit.
func (w *world) byDefault(edits ...func(*fdbelection.Config)) *world {
	w.t.Helper()
	return w.initialized(append([]func(*fdbelection.Config){func(c *fdbelection.Config) {
		*c = fdbelection.DefaultConfig()
	}}, edits...)...)
}

// unprotected lets a challenge come at any time.
func unprotected(c *fdbelection.Config) { c.MinimumTenure, c.PreemptDelay = 0, 0 }

// cycleAt runs a cycle whose wall clock differs from the clock of the election.
func (w *world) cycleAt(me election.Registration, wall, clock float64) (result election.CycleResult) {
	w.t.Helper()
	w.now = at(clock)
	w.do(func(tr kv.Transaction) (err error) {
		result, err = w.RunElectionCycle(tr, me, at(wall))
		return err
	})
	return result
}

func unattendedTakeover(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 1, at(1))
	w.acts(election.Followed, b, at(1))
	w.acts(election.Renewed, a, at(3))
	w.acts(election.Followed, b, at(4))
	w.acts(election.Followed, b, at(13.9))
	w.acts(election.Claimed, b, at(14))
	require.Equal(t, election.AcquireExpiry, w.leader().AcquireReason)
	w.acts(election.Followed, a, at(15))
}

func unattendedWallClock(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.cycleAt(a, 0, 0)
	b := w.join("b", 1, at(0))
	for _, wall := range []float64{0, 1e6, -1e6, 3600} { // it steps, and is ahead of the leader's
		require.Equal(t, election.Followed, w.cycleAt(b, wall, 9).Action)
	}
	require.Equal(t, election.Followed, w.cycleAt(b, 0, 18.9).Action)
	require.Equal(t, election.Claimed, w.cycleAt(b, 0, 19).Action)
}

// onAnotherClock is the same election with a clock of another run.
func (w *world) onAnotherClock(now func() time.Time) *election.LeaderElection {
	return election.New(w.Subspace(), election.WithClock(election.Clock{Run: uuid.New(), Now: now}))
}

func unattendedOtherRun(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := election.Registration{Identity: election.Identity{ID: "b"}, Priority: 1} // without an incarnation
	w.register(b, at(0))
	w.acts(election.Followed, b, at(0))
	restarted := w.onAnotherClock(func() time.Time { return at(10) })
	w.do(func(tr kv.Transaction) error {
		result, err := restarted.RunElectionCycle(tr, b, at(10))
		require.Equal(t, election.Followed, result.Action)
		return err
	})
	w.acts(election.Followed, b, at(19)) // and again: its notes are of the other run now
	w.acts(election.Claimed, b, at(29))
}

func unattendedFutureReading(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 1, at(0))
	require.Equal(t, election.Followed, w.cycleAt(b, 0, 1000).Action)
	require.Equal(t, election.Followed, w.cycleAt(b, 0, 500).Action) // the clock was set back
	require.Equal(t, election.Followed, w.cycleAt(b, 0, 509.9).Action)
	require.Equal(t, election.Claimed, w.cycleAt(b, 0, 510).Action)
}

func unattendedNewIncarnation(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 1, at(0))
	w.acts(election.Followed, b, at(0))
	again := w.join("b", 1, at(9))
	w.acts(election.Followed, again, at(10))
	w.acts(election.Followed, again, at(19.9))
	w.register(again, at(19.95)) // the same incarnation keeps what it has seen
	w.acts(election.Claimed, again, at(20))
}

func unattendedLateHolder(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	w.acts(election.Renewed, a, at(9.9))
	late := w.acts(election.Claimed, a, at(19.9))
	require.Equal(t, election.AcquireReclaim, late.Leader.AcquireReason)
	require.EqualValues(t, 2, late.Leader.Term)
	w.acts(election.Renewed, a, at(100), observing) // such a caller says itself when a term has ended
	w.acts(election.Claimed, a, at(101), observing, election.EndedTerm(2))
}

func unattendedClaim(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 1, at(0))
	claim := func(now float64) election.Action {
		w.now = at(now)
		result, err := w.tryClaim(b, now)
		require.NoError(t, err)
		return result.Action
	}
	require.Equal(t, election.Followed, claim(100), "it has seen nothing yet")
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(100)) })
	require.Equal(t, election.Followed, claim(109.9))
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(109.9)) })
	require.Equal(t, election.Claimed, claim(110))
}

func unattendedEviction(t *testing.T, w *world) {
	w.byDefault()
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 1, at(0))
	w.join("c", 1, at(-1e6)) // its wall clock is far behind
	w.join("d", 1, at(1e6))  // and this one is ahead
	evict := func(now float64) []string {
		w.now = at(now)
		return w.evict(now)
	}
	require.Empty(t, evict(0))
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(1)) })
	require.Empty(t, evict(14.9))
	require.Equal(t, []string{"c", "d"}, evict(15), "the holder is spared, and so is a heartbeat that has changed")
	require.Empty(t, evict(29.8))
	require.Equal(t, []string{"b"}, evict(29.9))
}

// unattendedAbortedEviction: the transaction of a candidate writes its heartbeat and
// evicts. It is not committed, and the next one writes the same counter.
func unattendedAbortedEviction(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	errAborted := errors.New("not committed")
	beatAndEvict := func(now float64, end error) (evicted []string) {
		w.now = at(now)
		err := w.try(func(tr kv.Transaction) (err error) {
			if err = w.HeartbeatCandidate(tr, b, at(now)); err == nil {
				evicted, err = w.EvictDeadCandidates(tr, at(now))
			}
			return errors.Join(err, end)
		})
		require.ErrorIs(t, err, end)
		return evicted
	}
	require.Empty(t, beatAndEvict(0, errAborted))
	require.Empty(t, beatAndEvict(15, nil))
	require.Equal(t, []string{"a", "b"}, w.ids())
}

func unattendedValidUntil(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	claimed := w.acts(election.Claimed, a, at(0))
	require.Equal(t, at(9), claimed.ValidUntil)
	require.True(t, claimed.Leads())
	followed := w.acts(election.Followed, b, at(1))
	require.Zero(t, followed.ValidUntil)
	require.False(t, followed.Leads())
	require.Equal(t, at(11), w.acts(election.Renewed, a, at(2)).ValidUntil)
	w.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	draining := w.acts(election.Draining, a, at(3))
	require.False(t, draining.Leads(), "nothing may begin in a disabled election")
	require.True(t, draining.Holds())
	require.Zero(t, draining.ValidUntil)
}

func unattendedObserverStoresNothing(t *testing.T, w *world) {
	w.byDefault()
	a, b := w.join("a", 1, at(0)), w.join("b", 1, at(0))
	w.acts(election.Claimed, a, at(0), observing)
	w.acts(election.Followed, b, at(0), observing)
	bare := len(w.raw("candidates", "b"))
	w.acts(election.Followed, b, at(3))
	noted := len(w.raw("candidates", "b"))
	t.Logf("a candidate record of %d bytes has %d with the notes of a follower", bare, noted)
	require.LessOrEqual(t, noted-bare, 120)
	w.acts(election.Followed, b, at(6), observing)
	require.Len(t, w.raw("candidates", "b"), bare)
}

func unattendedPreemptDelay(t *testing.T, w *world) {
	w.byDefault(func(c *fdbelection.Config) { c.MinimumTenure, c.PreemptionGrace = 0, 0 })
	a := w.join("a", 1, at(0))
	w.acts(election.Claimed, a, at(0))
	b := w.join("b", 2, at(0))
	for now := 1.0; now < 11; now += 3 {
		w.acts(election.Followed, b, at(now))
		w.acts(election.Renewed, a, at(now+0.5))
	}
	w.acts(election.Claimed, b, at(11))
	require.Equal(t, election.AcquirePreemption, w.leader().AcquireReason)
}

// unattendedConflicts counts the attempts of a leader, of followers and of fenced
// work that run at the same time: none has to be repeated.
func unattendedConflicts(t *testing.T, w *world) {
	w.byDefault()
	leader := w.join("leader", 1, at(0))
	token := w.acts(election.Claimed, leader, at(0)).Leader.Token()
	works := []func(tr kv.Transaction) error{
		func(tr kv.Transaction) error {
			tr.Set(append(w.Subspace().Bytes(), "application"...), []byte("work"))
			return w.RequireLeadership(tr, token)
		},
		func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, leader, at(1)); return err },
	}
	for _, id := range []string{"b", "c", "d"} {
		me := w.join(id, 1, at(0))
		works = append(works, func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, me, at(1)); return err })
	}
	const rounds = 100
	var attempts atomic.Int64
	results := make(chan error, len(works))
	for _, work := range works {
		go func() {
			var err error
			for range rounds {
				err = errors.Join(err, w.try(func(tr kv.Transaction) error {
					attempts.Add(1)
					return work(tr)
				}))
			}
			results <- err
		}()
	}
	for range works {
		require.NoError(t, <-results)
	}
	require.EqualValues(t, rounds*len(works), attempts.Load(), "as many attempts as transactions")
	require.EqualValues(t, 1+rounds, w.leader().Ballot)
}
