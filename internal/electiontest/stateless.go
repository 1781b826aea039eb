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
	statelessAFollowerTakesOverAfterALeaseOnItsOwnClock,
	statelessTheWallClockOfTheCallerDoesNotMatter,
	statelessReadingsOfAnotherRunOfTheClockAreDiscarded,
	statelessReadingsThatTheClockHasNotReachedAreDiscarded,
	statelessANewIncarnationStartsOver,
	statelessAHolderThatCyclesLateBeginsANewTerm,
	statelessAClaimUsesWhatHeartbeatsHaveNoted,
	statelessTimedOutCandidatesAreEvicted,
	statelessEvictionForgetsAHeartbeatThatWasNotCommitted,
	statelessTheResultSaysUntilWhenItIsValid,
	statelessACallerWithItsOwnObservationStoresNoNotes,
	statelessANewCandidateDoesNotPreemptAtOnce,
	statelessCyclesAndFencedWorkDoNotConflict,
}

// byDefault creates the election with fdbelection.DefaultConfig, changed by edits.
func (e *testElection) byDefault(edits ...func(*fdbelection.Config)) *testElection {
	e.T.Helper()
	return e.initialized(append([]func(*fdbelection.Config){func(c *fdbelection.Config) {
		*c = fdbelection.DefaultConfig()
	}}, edits...)...)
}

// unprotected allows a preemption request at any time.
func unprotected(c *fdbelection.Config) { c.MinimumTenure, c.PreemptDelay = 0, 0 }

// cycleAt runs a cycle with different readings of the wall clock and the clock of the election.
func (e *testElection) cycleAt(me election.Registration, wall, clock float64) (result election.CycleResult) {
	e.T.Helper()
	e.now = at(clock)
	e.Do(func(tr kv.Transaction) (err error) {
		result, err = e.RunElectionCycle(tr, me, at(wall))
		return err
	})
	return result
}

func statelessAFollowerTakesOverAfterALeaseOnItsOwnClock(t *testing.T, e *testElection) {
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

func statelessTheWallClockOfTheCallerDoesNotMatter(t *testing.T, e *testElection) {
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

func statelessReadingsOfAnotherRunOfTheClockAreDiscarded(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := election.Registration{Identity: election.Identity{ID: "b"}, Priority: 1} // without an incarnation
	e.register(b, at(0))
	e.acts(election.Followed, b, at(0))
	restarted := e.onAnotherClock(func() time.Time { return at(10) })
	e.Do(func(tr kv.Transaction) error {
		result, err := restarted.RunElectionCycle(tr, b, at(10))
		require.Equal(t, election.Followed, result.Action)
		return err
	})
	e.acts(election.Followed, b, at(19)) // its notes are of the other run now
	e.acts(election.Claimed, b, at(29))
}

func statelessReadingsThatTheClockHasNotReachedAreDiscarded(t *testing.T, e *testElection) {
	e.byDefault()
	a := e.join("a", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	b := e.join("b", 1, at(0))
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 1000).Action)
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 500).Action) // the clock was set back
	require.Equal(t, election.Followed, e.cycleAt(b, 0, 509.9).Action)
	require.Equal(t, election.Claimed, e.cycleAt(b, 0, 510).Action)
}

func statelessANewIncarnationStartsOver(t *testing.T, e *testElection) {
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

func statelessAHolderThatCyclesLateBeginsANewTerm(t *testing.T, e *testElection) {
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

func statelessAClaimUsesWhatHeartbeatsHaveNoted(t *testing.T, e *testElection) {
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
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(100)) })
	require.Equal(t, election.Followed, claim(109.9))
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(109.9)) })
	require.Equal(t, election.Claimed, claim(110))
}

func statelessTimedOutCandidatesAreEvicted(t *testing.T, e *testElection) {
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
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(1)) })
	require.Empty(t, evict(14.9))
	require.Equal(t, []string{"c", "d"}, evict(15), "the holder and a candidate with a new heartbeat are kept")
	require.Empty(t, evict(29.8))
	require.Equal(t, []string{"b"}, evict(29.9))
}

// statelessEvictionForgetsAHeartbeatThatWasNotCommitted: a transaction writes a heartbeat, evicts, and does not commit. The
// next one writes the same heartbeat counter.
func statelessEvictionForgetsAHeartbeatThatWasNotCommitted(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	e.acts(election.Claimed, a, at(0))
	errAborted := errors.New("not committed")
	heartbeatAndEvict := func(now float64, end error) (evicted []string) {
		e.now = at(now)
		err := e.Try(func(tr kv.Transaction) (err error) {
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

func statelessTheResultSaysUntilWhenItIsValid(t *testing.T, e *testElection) {
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

func statelessACallerWithItsOwnObservationStoresNoNotes(t *testing.T, e *testElection) {
	e.byDefault()
	a, b := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	e.acts(election.Claimed, a, at(0), observing)
	e.acts(election.Followed, b, at(0), observing)
	bare := len(e.Raw("candidates", "b"))
	e.acts(election.Followed, b, at(3))
	noted := len(e.Raw("candidates", "b"))
	t.Logf("a candidate record of %d bytes has %d with the notes of a follower", bare, noted)
	require.LessOrEqual(t, noted-bare, 120)
	e.acts(election.Followed, b, at(6), observing)
	require.Len(t, e.Raw("candidates", "b"), bare)
}

func statelessANewCandidateDoesNotPreemptAtOnce(t *testing.T, e *testElection) {
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

// statelessCyclesAndFencedWorkDoNotConflict runs a leader, followers and fenced work at the same time. No transaction
// needs a second attempt.
func statelessCyclesAndFencedWorkDoNotConflict(t *testing.T, e *testElection) {
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
				err = errors.Join(err, e.Try(func(tr kv.Transaction) error {
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
