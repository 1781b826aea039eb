package electortest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var configTests = []test{
	{"a disabled election has no leader", disabledElection},
	{"a longer lease is adopted", longerLease},
	{"an election that must exist is waited for", electionMustExist},
}

// While the election is disabled nobody leads and all stay listed; when it is
// enabled again one of them leads.
func disabledElection(w *world) {
	w.brisk()
	a := w.leading("a")
	b := w.following("b")
	w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	var vacant election.LeaderRecord
	w.until("the seat is vacant", func() bool { vacant = w.seat(); return vacant.Vacant() })
	require.False(w, a.believes())
	w.beats("a", "b")
	require.Equal(w, vacant, w.seat())
	require.False(w, a.believes() || b.believes())

	w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	w.until("the seat is taken", func() bool { return !w.seat().Vacant() })
	require.Greater(w, w.seat().Term, vacant.Term)
	w.until("its holder leads", func() bool { return a.believes() || b.believes() })
}

// A leader that finds a longer lease in the config writes it with its next
// renewal, believes in it, and the others honour it.
func longerLease(w *world) {
	w.withLease(short)
	a := w.leading("a")
	b := w.following("b")
	longer := eager(long)
	w.reconfigure(func(c *fdbelection.Config) {
		c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout = longer.LeaseDuration, longer.HeartbeatInterval, longer.CandidateTimeout
	})
	w.until("the longer lease is written", func() bool { return w.seat().LeaseDuration == long })
	term := w.seat().Term
	w.until("both have adopted it", func() bool {
		return a.ClusterState().Config.LeaseDuration == long && b.ClusterState().Config.LeaseDuration == long
	})
	b.doesNotLead(3 * short / 2)
	require.True(w, a.believes() || b.believes(), "though it was not renewed")
	require.Equal(w, term, w.seat().Term)
}

// With MustExist nothing is written before somebody else has made the election,
// and its config is the one that stands.
func electionMustExist(w *world) {
	trouble := make(chan error, 100)
	a := w.begin("a", mustExist, func(s *settings) {
		s.Callbacks.OnStoreError = func(_ context.Context, err error) { trouble <- err }
	})
	require.ErrorIs(w, within(w, patience, trouble, "its complaint"), fdbelection.ErrNotInitialized)
	a.doesNotLead(quiet)
	_, err := kv.ReadTransact(w.patient(), w.db, w.election.ReadConfig)
	require.ErrorIs(w, err, fdbelection.ErrNotInitialized)

	config := eager(long + time.Second)
	w.transact(func(tr kv.Transaction) error {
		_, err := w.election.InitializeWithConfig(tr, config)
		return err
	})
	require.Equal(w, uint64(1), a.leads(patience))
	require.Equal(w, config.LeaseDuration, w.seat().LeaseDuration)
	require.NoError(w, within(w, patience, trouble, "the end of its complaint"))
}
