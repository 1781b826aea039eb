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

// statelessTests are about callers that keep nothing between two cycles.
var statelessTests = []test{
	{"Stateless_a_follower_takes_over_after_a_lease_on_its_own_clock", statelessTakeover},
	{"Stateless_the_wall_clock_of_the_caller_does_not_matter", statelessWallClock},
	{"Stateless_readings_of_another_run_of_the_clock_are_discarded", statelessOtherRun},
	{"Stateless_readings_that_the_clock_has_not_reached_are_discarded", statelessFutureReading},
	{"Stateless_a_new_incarnation_starts_over", statelessNewIncarnation},
	{"Stateless_a_holder_that_cycles_late_begins_a_new_term", statelessLateHolder},
	{"Stateless_a_claim_uses_what_heartbeats_have_noted", statelessClaim},
	{"Stateless_timed_out_candidates_are_evicted", statelessEviction},
	{"Stateless_eviction_forgets_a_heartbeat_that_was_not_committed", statelessAbortedEviction},
	{"Stateless_the_result_says_until_when_it_is_valid", statelessValidUntil},
	{"Stateless_a_caller_with_its_own_observation_stores_no_notes", statelessOwnObservation},
	{"Stateless_a_new_candidate_does_not_preempt_at_once", statelessPreemptDelay},
	{"Stateless_cycles_and_fenced_work_do_not_conflict", statelessConflicts},
}

// byDefault creates the election with fdbelection.DefaultConfig, changed by edits.
func (e *testElection) byDefault(edits ...func(*fdbelection.Config)) *testElection {
	e.t.Helper()
	return e.initialized(append([]func(*fdbelection.Config){func(c *fdbelection.Config) {
		*c = fdbelection.DefaultConfig()
	}}, edits...)...)
}

// unprotected allows a preemption request at any time.
func unprotected(c *fdbelection.Config) { c.MinimumTenure, c.PreemptDelay = 0, 0 }

// cycleAt runs a cycle with different readings of the wall clock and the clock of the election.
func (e *testElection) cycleAt(me election.Registration, wall, clock float64) (result election.CycleResult) {
	e.t.Helper()
	e.now = at(clock)
	e.do(func(tr kv.Transaction) (err error) {
		result, err = e.RunElectionCycle(tr, me, at(wall))
		return err
	})
	return result
}

func statelessTakeover(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(1))
	e.acts(election.Followed, b, at(1))
	e.acts(election.Renewed, a, at(3))
	e.acts(election.Followed, b, at(4))
	e.acts(election.Followed, b, at(13.9))
	e.acts(election.Claimed, b, at(14))
	require.Equal(t, election.AcquireExpiry, e.leader().AcquireReason)
	e.acts(election.Followed, a, at(15))
}

func statelessWallClock(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.cycleAt(a, 0, 0)
	b := e.join("b", 1, at(0))
	for _, wall := range []float64{0, 1e6, -1e6, 3600} { // it steps, and differs from that of the leader
		require.Equal(t, election.Followed, e.cycleAt(b, wall, 9).Action)
	}
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 18.9).Action)
	require.Equal(t, election.Claimed, e.cycleAt(b, 0, 19).Action)
}

// onAnotherClock returns the same election with another run of the clock.
func (e *testElection) onAnotherClock(now func() time.Time) *election.LeaderElection {
	return election.New(e.Subspace(), election.WithClock(election.Clock{Run: uuid.New(), Now: now}))
}

func statelessOtherRun(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := election.Registration{Identity: election.Identity{ID: "b"}, Priority: 1} // without an incarnation
	e.register(b, at(0))
	e.acts(election.Followed, b, at(0))
	restarted := e.onAnotherClock(func() time.Time { return at(10) })
	e.do(func(tr kv.Transaction) error {
		result, err := restarted.RunElectionCycle(tr, b, at(10))
		require.Equal(t, election.Followed, result.Action)
		return err
	})
	e.acts(election.Followed, b, at(19)) // its notes are of the other run now
	e.acts(election.Claimed, b, at(29))
}

func statelessFutureReading(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(0))
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 1000).Action)
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 500).Action) // the clock was set back
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 509.9).Action)
	require.Equal(t, election.Claimed, e.cycleAt(b, 0, 510).Action)
}

func statelessNewIncarnation(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(0))
	e.acts(election.Followed, b, at(0))
	again := e.join("b", 1, at(9))
	e.acts(election.Followed, again, at(10))
	e.acts(election.Followed, again, at(19.9))
	e.register(again, at(19.95)) // the same incarnation keeps what it has seen
	e.acts(election.Claimed, again, at(20))
}

func statelessLateHolder(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	e.acts(election.Renewed, a, at(9.9))
	late := e.acts(election.Claimed, a, at(19.9))
	require.Equal(t, election.AcquireReclaim, late.Leader.AcquireReason)
	require.EqualValues(t, 2, late.Leader.Term)
	e.acts(election.Renewed, a, at(100), observing) // with its own observation, only EndedTerm ends a tenure
	e.acts(election.Claimed, a, at(101), observing, election.EndedTerm(2))
}

func statelessClaim(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(0))
	claim := func(now float64) election.Action {
		e.now = at(now)
		result, err := e.tryClaim(b, now)
		require.NoError(t, err)
		return result.Action
	}
	require.Equal(t, election.Followed, claim(100), "it has seen nothing yet")
	e.do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(100)) })
	require.Equal(t, election.Followed, claim(109.9))
	e.do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(109.9)) })
	require.Equal(t, election.Claimed, claim(110))
}

func statelessEviction(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(0))
	e.join("c", 1, at(-1e6)) // its wall clock is far behind
	e.join("d", 1, at(1e6))  // and this one is ahead
	evict := func(now float64) []string {
		e.now = at(now)
		return e.evict(now)
	}
	require.Empty(t, evict(0))
	e.do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(1)) })
	require.Empty(t, evict(14.9))
	require.Equal(t, []string{"c", "d"}, evict(15), "the holder and a candidate with a new heartbeat are kept")
	require.Empty(t, evict(29.8))
	require.Equal(t, []string{"b"}, evict(29.9))
}

// statelessAbortedEviction: a transaction writes a heartbeat, evicts, and does not commit. The
// next one writes the same heartbeat counter.
func statelessAbortedEviction(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	errAborted := errors.New("not committed")
	heartbeatAndEvict := func(now float64, end error) (evicted []string) {
		e.now = at(now)
		err := e.try(func(tr kv.Transaction) (err error) {
			if err = e.HeartbeatCandidate(tr, b, at(now)); err == nil {
				evicted, err = e.EvictDeadCandidates(tr, at(now))
			}
			return errors.Join(err, end)
		})
		require.ErrorIs(t, err, end)
		return evicted
	}
	require.Empty(t, heartbeatAndEvict(0, errAborted))
	require.Empty(t, heartbeatAndEvict(15, nil))
	require.Equal(t, []string{"a", "b"}, e.ids())
}

func statelessValidUntil(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	claimed := e.acts(election.Claimed, a, at(0))
	require.Equal(t, at(9), claimed.ValidUntil)
	require.True(t, claimed.Leads())
	followed := e.acts(election.Followed, b, at(1))
	require.Zero(t, followed.ValidUntil)
	require.False(t, followed.Leads())
	require.Equal(t, at(11), e.acts(election.Renewed, a, at(2)).ValidUntil)
	e.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	draining := e.acts(election.Draining, a, at(3))
	require.False(t, draining.Leads(), "no work may begin in a disabled election")
	require.True(t, draining.Holds())
	require.Zero(t, draining.ValidUntil)
}

func statelessOwnObservation(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	e.acts(election.Claimed, a, at(0), observing)
	e.acts(election.Followed, b, at(0), observing)
	bare := len(e.raw("candidates", "b"))
	e.acts(election.Followed, b, at(3))
	noted := len(e.raw("candidates", "b"))
	t.Logf("a candidate record of %d bytes has %d with the notes of a follower", bare, noted)
	require.LessOrEqual(t, noted-bare, 120)
	e.acts(election.Followed, b, at(6), observing)
	require.Len(t, e.raw("candidates", "b"), bare)
}

func statelessPreemptDelay(t *testing.T, e *testElection) {
	e.byDefault(func(c *fdbelection.Config) { c.MinimumTenure, c.PreemptionGrace = 0, 0 })
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 2, at(0))
	for now := 1.0; now < 11; now += 3 {
		e.acts(election.Followed, b, at(now))
		e.acts(election.Renewed, a, at(now+0.5))
	}
	e.acts(election.Claimed, b, at(11))
	require.Equal(t, election.AcquirePreemption, e.leader().AcquireReason)
}

// statelessConflicts runs a leader, followers and fenced work at the same time. No transaction
// needs a second attempt.
func statelessConflicts(t *testing.T, e *testElection) {
	e.byDefault()
	leader := e.join("leader", 1, at(0))
	token := e.acts(election.Claimed, leader, at(0)).Leader.Token()
	jobs := []func(tr kv.Transaction) error{
		func(tr kv.Transaction) error {
			tr.Set(append(e.Subspace().Bytes(), "application"...), []byte("work"))
			return e.RequireLeadership(tr, token)
		},
		func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, leader, at(1)); return err },
	}
	for _, id := range []string{"b", "c", "d"} {
		me := e.join(id, 1, at(0))
		jobs = append(jobs, func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, me, at(1)); return err })
	}
	const rounds = 100
	var attempts atomic.Int64
	results := make(chan error, len(jobs))
	for _, job := range jobs {
		go func() {
			var err error
			for range rounds {
				err = errors.Join(err, e.try(func(tr kv.Transaction) error {
					attempts.Add(1)
					return job(tr)
				}))
			}
			results <- err
		}()
	}
	for range jobs {
		require.NoError(t, <-results)
	}
	require.EqualValues(t, rounds*len(jobs), attempts.Load(), "as many attempts as transactions")
	require.EqualValues(t, 1+rounds, e.leader().Ballot)
}
