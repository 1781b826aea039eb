package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var observationTests = []test{
	timeByObservationClocksOfOthersDoNotMatter,
	timeByObservationAChangeOfTheBallotRestartsTheLease,
	timeByObservationTheStoredLeaseCounts,
	timeByObservationCandidatesAreEvictedUnchanged,
	timeByObservationAMinimumTenureIsObserved,
}

// observingProcess is a process that keeps its own observation, on its own clock.
type observingProcess struct {
	*testElection
	me   election.Registration
	seen election.Observation
}

// observe reads the leader record and dates the observation.
func (o *observingProcess) observe(now float64) {
	o.T.Helper()
	o.seen = o.seen.Next(o.leader(), at(now))
}

func (o *observingProcess) acts(want election.Action, now float64) election.CycleResult {
	o.T.Helper()
	return o.testElection.acts(want, o.me, at(now), election.WithObservation(o.seen, at(now)))
}

func timeByObservationClocksOfOthersDoNotMatter(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	e.leads("a", 1, at(0))
	o := observingProcess{testElection: e, me: e.join("b", 1, at(0))}
	o.acts(election.Followed, 5000) // its clock is more than an hour ahead, and it has seen nothing yet
	o.observe(5000)
	o.acts(election.Followed, 5009.999)
	o.acts(election.Claimed, 5010)
	require.EqualValues(t, 2, e.leader().Term)
}

func timeByObservationAChangeOfTheBallotRestartsTheLease(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	a, _ := e.leads("a", 1, at(0))
	o := observingProcess{testElection: e, me: e.join("b", 1, at(0))}
	o.observe(0)
	e.acts(election.Renewed, a, at(9))
	o.acts(election.Followed, 10) // it has not seen this ballot before
	o.observe(10)
	o.acts(election.Followed, 19.9)
	o.observe(19.9) // the same ballot, so the lease is not restarted
	o.acts(election.Claimed, 20)
}

func timeByObservationTheStoredLeaseCounts(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	e.leads("a", 1, at(0))
	o := observingProcess{testElection: e, me: e.join("b", 1, at(0))}
	o.observe(0)
	e.configure(func(c *fdbelection.Config) {
		*c = withRevision(fdbelection.ConfigWithLease(at(3).Sub(epoch)), c.Revision)
	})
	o.acts(election.Followed, 9.9) // the lease in the leader record counts, not the new one
	o.acts(election.Claimed, 10)
}

func timeByObservationCandidatesAreEvictedUnchanged(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	e.join("c", 1, at(0))
	d, f := e.join("d", 1, at(0)), e.join("f", 1, at(0))
	seen, err := suite.Read(e.Store, e.ListCandidates)
	require.NoError(t, err)
	require.Len(t, seen, 5)
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(0)) })
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, d.Identity, at(0)) })
	e.join("d", 1, at(0))
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, f.Identity, at(0)) })
	e.Do(func(tr kv.Transaction) error { return e.RejoinCandidate(tr, f, at(0)) }) // its counter restarts
	var evicted []string
	e.Do(func(tr kv.Transaction) (err error) {
		evicted, err = e.EvictUnchanged(tr, seen)
		return err
	})
	require.Equal(t, []string{"c"}, evicted, "the holder, a changed counter, a new incarnation and a new registration are kept")
}

func timeByObservationAMinimumTenureIsObserved(t *testing.T, e *testElection) {
	e.initialized(byObservation, func(c *fdbelection.Config) { c.MinimumTenure = at(5).Sub(epoch) })
	a, _ := e.leads("a", 1, at(0))
	o := observingProcess{testElection: e, me: e.join("b", 9, at(0))}
	o.observe(1000)
	o.acts(election.Followed, 1004.9)
	e.acts(election.Renewed, a, at(5), election.WithObservation(election.Observation{}, epoch))
	o.observe(1004.95) // a renewal does not restart the tenure
	o.acts(election.Claimed, 1005)
}
