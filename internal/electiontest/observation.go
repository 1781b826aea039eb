package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var observationTests = []test{
	{"Time_by_observation_clocks_of_others_do_not_matter", clocksOfOthersDoNotMatter},
	{"Time_by_observation_any_change_of_the_ballot_starts_anew", ballotStartsAnew},
	{"Time_by_observation_the_persisted_lease_counts", persistedLeaseCounts},
	{"Time_by_observation_candidates_are_evicted_unchanged", evictedUnchanged},
	{"Time_by_observation_a_minimum_tenure_is_observed", minimumTenureIsObserved},
}

// watcher is a process that observes on its own clock.
type watcher struct {
	*world
	me   election.Registration
	seen election.Observation
}

// look reads the leader and stamps the observation.
func (o *watcher) look(now float64) {
	o.t.Helper()
	o.seen = o.seen.Next(o.leader(), at(now))
}

func (o *watcher) acts(want election.Action, now float64) election.CycleResult {
	o.t.Helper()
	return o.world.acts(want, o.me, at(now), election.WithObservation(o.seen, at(now)))
}

func clocksOfOthersDoNotMatter(t *testing.T, w *world) {
	w.initialized(byObservation)
	w.leads("a", 1, at(0))
	o := watcher{world: w, me: w.join("b", 1, at(0))}
	o.acts(election.Followed, 5000) // an hour ahead, and nothing seen yet
	o.look(5000)
	o.acts(election.Followed, 5009.999)
	o.acts(election.Claimed, 5010)
	require.EqualValues(t, 2, w.leader().Term)
}

func ballotStartsAnew(t *testing.T, w *world) {
	w.initialized(byObservation)
	a, _ := w.leads("a", 1, at(0))
	o := watcher{world: w, me: w.join("b", 1, at(0))}
	o.look(0)
	w.acts(election.Renewed, a, at(9))
	o.acts(election.Followed, 10) // that ballot is not the one it saw
	o.look(10)
	o.acts(election.Followed, 19.9)
	o.look(19.9) // the same ballot: the window goes on
	o.acts(election.Claimed, 20)
}

func persistedLeaseCounts(t *testing.T, w *world) {
	w.initialized(byObservation)
	w.leads("a", 1, at(0))
	o := watcher{world: w, me: w.join("b", 1, at(0))}
	o.look(0)
	w.configure(func(c *fdbelection.Config) {
		*c = withRevision(fdbelection.ConfigWithLease(at(3).Sub(epoch)), c.Revision)
	})
	o.acts(election.Followed, 9.9) // a shorter lease in the config is not the one that was promised
	o.acts(election.Claimed, 10)
}

func evictedUnchanged(t *testing.T, w *world) {
	w.initialized(byObservation)
	w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	w.join("c", 1, at(0))
	d, e := w.join("d", 1, at(0)), w.join("e", 1, at(0))
	seen, err := read(w, w.ListCandidates)
	require.NoError(t, err)
	require.Len(t, seen, 5)
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(0)) })
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, d.Identity, at(0)) })
	w.join("d", 1, at(0))
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, e.Identity, at(0)) })
	w.do(func(tr kv.Transaction) error { return w.RejoinCandidate(tr, e, at(0)) }) // its counter begins anew
	var evicted []string
	w.do(func(tr kv.Transaction) (err error) {
		evicted, err = w.EvictUnchanged(tr, seen)
		return err
	})
	require.Equal(t, []string{"c"}, evicted, "the holder, a moved counter, a new incarnation and a new registration are spared")
}

func minimumTenureIsObserved(t *testing.T, w *world) {
	w.initialized(byObservation, func(c *fdbelection.Config) { c.MinimumTenure = at(5).Sub(epoch) })
	a, _ := w.leads("a", 1, at(0))
	o := watcher{world: w, me: w.join("b", 9, at(0))}
	o.look(1000)
	o.acts(election.Followed, 1004.9)
	w.acts(election.Renewed, a, at(5), election.WithObservation(election.Observation{}, epoch))
	o.look(1004.95) // a renewal does not start the tenure anew
	o.acts(election.Claimed, 1005)
}
