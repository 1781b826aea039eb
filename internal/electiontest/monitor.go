package electiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var monitorTests = []test{
	monitorTheLeaderByClock,
	monitorReadsNeverMakeATransactionConflict,
	monitorAWatchFiresOnTheTenureAndNotOnRenewals,
	monitorAWatchOnTheRequestFires,
	monitorTheHistoryIsTrimmed,
	monitorAnOverviewHasAllThatTheSingleReadsHave,
}

func monitorTheLeaderByClock(t *testing.T, e *testElection) {
	e.initialized()
	require.Zero(t, e.leader())
	a, _ := e.leads("a", 1, at(0))
	for now, want := range map[float64]bool{0: true, 9.999: true, 10: false, 99: false} {
		tr := e.Begin()
		leader, leads, err := e.GetLeader(tr, at(now))
		require.NoError(t, err)
		require.Equal(t, want, leads, now)
		require.Equal(t, want, leader.HeldBy(a.Identity), now)
		leads, err = e.IsLeader(tr, a.Identity, at(now))
		require.NoError(t, err)
		require.Equal(t, want, leads, now)
		unregistered := newProcess("a", 1)
		leads, err = e.IsLeader(tr, unregistered.Identity, at(now))
		require.NoError(t, err)
		require.False(t, leads, "another incarnation does not lead")
	}
	require.True(t, e.leaderIs(a), "GetLeaderRaw compares no clock")
}

func monitorReadsNeverMakeATransactionConflict(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	tr := e.Begin()
	for _, read := range []func() error{
		func() error { _, err := e.GetLeaderRaw(tr); return err },
		func() error { _, _, err := e.GetLeader(tr, at(1)); return err },
		func() error { _, err := e.ListCandidates(tr); return err },
		func() error { _, err := e.GetCandidate(tr, "a"); return err },
		func() error { _, err := e.ReadConfig(tr); return err },
		func() error { _, err := e.ReadRequest(tr); return err },
		func() error { _, err := e.History(tr, 1); return err },
		func() error { _, err := e.Shortlist(tr, 1); return err },
		func() error { _, err := e.BeginOverview(tr, 1).Await(); return err },
		func() error { _, _, err := e.ListShortlist(tr, 1, "b"); return err },
	} {
		require.NoError(t, read())
	}
	tr.Set(append(e.Subspace().Bytes(), "application"...), nil)
	e.acts(election.Renewed, a, at(1))
	e.configure(func(c *fdbelection.Config) { c.HistoryLimit++ })
	require.NoError(t, e.resign(e.currentToken(), 2))
	require.NoError(t, tr.Commit())
}

// fires waits for a watch, and fails the test after 30 s.
func fires(t *testing.T, watch kv.Watch) {
	t.Helper()
	select {
	case <-watch.Done():
		require.NoError(t, watch.Err())
	case <-time.After(30 * time.Second):
		require.Fail(t, "the watch has not fired")
	}
}

func (e *testElection) watch(arm func(tr kv.Transaction) kv.Watch) kv.Watch {
	e.T.Helper()
	var watch kv.Watch
	e.Do(func(tr kv.Transaction) error {
		watch = arm(tr)
		return nil
	})
	e.T.Cleanup(watch.Cancel)
	return watch
}

func monitorAWatchFiresOnTheTenureAndNotOnRenewals(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	watch := e.watch(e.Watch)
	marker := e.watch(func(tr kv.Transaction) kv.Watch {
		return tr.Watch(append(e.Subspace().Bytes(), "application"...))
	})
	e.acts(election.Renewed, a, at(1))
	require.NoError(t, e.fenced(token)) // fires the marker after the renewal
	fires(t, marker)
	if !e.Engine.SpuriousWatches {
		select {
		case <-watch.Done():
			require.Fail(t, "a renewal has fired the watch")
		default:
		}
	}
	watch = e.watch(e.Watch)
	require.NoError(t, e.resign(token, 2))
	fires(t, watch)
}

func monitorAWatchOnTheRequestFires(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	watch := e.watch(e.WatchRequest)
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, token.Term, newNonce()) })
	fires(t, watch)
}

func monitorTheHistoryIsTrimmed(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 2 })
	a := e.join("a", 1, at(0))
	for i := range 5 {
		token := e.acts(election.Claimed, a, at(float64(i))).Leader.Token()
		require.NoError(t, e.resign(token, float64(i)))
	}
	require.Equal(t, []string{
		"4 began:  -> a (vacancy) ballot 7", "4 ended: a ->  (resigned) ballot 8",
		"5 began:  -> a (vacancy) ballot 9", "5 ended: a ->  (resigned) ballot 10",
	}, e.events())
	newest, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 1) })
	require.NoError(t, err)
	require.Equal(t, election.EventEnded, newest[0].Kind)
	e.configure(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	e.acts(election.Claimed, a, at(9))
	require.Empty(t, e.events())
}

func monitorAnOverviewHasAllThatTheSingleReadsHave(t *testing.T, e *testElection) {
	overview := func(events int) (election.Overview, error) {
		return suite.Read(e.Store, func(tr kv.ReadTransaction) (election.Overview, error) { return e.BeginOverview(tr, events).Await() })
	}
	_, err := overview(0)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	e.initialized()
	e.join("b", 2, at(0))
	_, token := e.leads("a", 1, at(0))
	require.NoError(t, e.resign(token, 1))
	var want election.Overview
	e.Do(func(tr kv.Transaction) (err error) {
		if want.Status, err = e.ReadStatus(tr); err != nil {
			return err
		}
		if want.Candidates, err = e.ListCandidates(tr); err != nil {
			return err
		}
		want.History, err = e.History(tr, 0)
		return err
	})
	got, err := overview(0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Len(t, got.Candidates, 2)
	require.Len(t, got.History, 2)
	got, err = overview(1)
	require.NoError(t, err)
	require.Equal(t, want.History[:1], got.History)

	e.Do(func(tr kv.Transaction) error {
		tr.Set(e.Key("candidates", "a"), []byte("damaged"))
		tr.Set(e.eventKey(1, 0), []byte("damaged"))
		return nil
	})
	got, err = overview(0)
	require.NoError(t, err)
	require.ErrorIs(t, got.Unreadable, fdbelection.ErrInvalidState)
	require.ErrorContains(t, got.Unreadable, "candidate")
	require.ErrorContains(t, got.Unreadable, "history")
	require.Len(t, got.Candidates, 1)
	require.Len(t, got.History, 1)
}
