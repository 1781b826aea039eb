package electiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var monitorTests = []test{
	{"Monitor_the_leader_by_the_clock", leaderByTheClock},
	{"Monitor_reads_never_make_a_transaction_conflict", readsNeverConflict},
	{"Monitor_a_watch_fires_on_the_tenure_and_not_on_renewals", watchFiresOnTenure},
	{"Monitor_a_watch_on_the_intent_fires_for_the_leader", watchFiresOnIntent},
	{"Monitor_the_history_is_trimmed", historyIsTrimmed},
}

func leaderByTheClock(t *testing.T, w *world) {
	w.initialized()
	require.Zero(t, w.leader())
	a, _ := w.leads("a", 1, at(0))
	for now, want := range map[float64]bool{0: true, 9.999: true, 10: false, 99: false} {
		tr := w.open()
		leader, leads, err := w.GetLeader(tr, at(now))
		require.NoError(t, err)
		require.Equal(t, want, leads, now)
		require.Equal(t, want, leader.HeldBy(a.Identity), now)
		leads, err = w.IsLeader(tr, a.Identity, at(now))
		require.NoError(t, err)
		require.Equal(t, want, leads, now)
		stranger := newProcess("a", 1)
		leads, err = w.IsLeader(tr, stranger.Identity, at(now))
		require.NoError(t, err)
		require.False(t, leads, "another incarnation does not lead")
	}
	require.True(t, w.leaderIs(a), "GetLeaderRaw asks no clock")
}

func readsNeverConflict(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	tr := w.open()
	for _, look := range []func() error{
		func() error { _, err := w.GetLeaderRaw(tr); return err },
		func() error { _, _, err := w.GetLeader(tr, at(1)); return err },
		func() error { _, err := w.ListCandidates(tr); return err },
		func() error { _, err := w.GetCandidate(tr, "a"); return err },
		func() error { _, err := w.ReadConfig(tr); return err },
		func() error { _, err := w.ReadRequest(tr); return err },
		func() error { _, err := w.History(tr, 1); return err },
		func() error { _, err := w.Preferred(tr, 1); return err },
		func() error { _, _, err := w.ListPreferred(tr, 1, "b"); return err },
	} {
		require.NoError(t, look())
	}
	tr.Set(append(w.Subspace().Bytes(), "application"...), nil)
	w.acts(election.Renewed, a, at(1))
	w.configure(func(c *fdbelection.Config) { c.HistoryLimit++ })
	require.NoError(t, w.resign(w.currentToken(), 2))
	require.NoError(t, tr.Commit())
}

// fires waits for a watch, and fails the test where it takes far too long.
func fires(t *testing.T, watch kv.Watch) {
	t.Helper()
	select {
	case <-watch.Done():
		require.NoError(t, watch.Err())
	case <-time.After(30 * time.Second):
		require.Fail(t, "the watch has not fired")
	}
}

func (w *world) watch(arm func(tr kv.Transaction) kv.Watch) kv.Watch {
	w.t.Helper()
	var watch kv.Watch
	w.do(func(tr kv.Transaction) error {
		watch = arm(tr)
		return nil
	})
	w.t.Cleanup(watch.Cancel)
	return watch
}

func watchFiresOnTenure(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	watch := w.watch(w.Watch)
	marker := w.watch(func(tr kv.Transaction) kv.Watch {
		return tr.Watch(append(w.Subspace().Bytes(), "application"...))
	})
	w.acts(election.Renewed, a, at(1))
	require.NoError(t, w.fenced(token)) // fires the marker, after the renewal
	fires(t, marker)
	if !w.engine.SpuriousWatches {
		select {
		case <-watch.Done():
			require.Fail(t, "a renewal has fired the watch")
		default:
		}
	}
	watch = w.watch(w.Watch)
	require.NoError(t, w.resign(token, 2))
	fires(t, watch)
}

func watchFiresOnIntent(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	watch := w.watch(w.WatchRequest)
	w.do(func(tr kv.Transaction) error { return w.RequestResign(tr, token.Term, newNonce()) })
	fires(t, watch)
}

func historyIsTrimmed(t *testing.T, w *world) {
	w.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 2 })
	a := w.join("a", 1, at(0))
	for i := range 5 {
		token := w.acts(election.Claimed, a, at(float64(i))).Leader.Token()
		require.NoError(t, w.resign(token, float64(i)))
	}
	require.Equal(t, []string{
		"4 began:  -> a (vacancy) ballot 7", "4 ended: a ->  (resigned) ballot 8",
		"5 began:  -> a (vacancy) ballot 9", "5 ended: a ->  (resigned) ballot 10",
	}, w.events())
	newest, err := read(w, func(tr kv.ReadTransaction) ([]election.Event, error) { return w.History(tr, 1) })
	require.NoError(t, err)
	require.Equal(t, election.EventEnded, newest[0].Kind)
	w.configure(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	w.acts(election.Claimed, a, at(9))
	require.Empty(t, w.events())
}
