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
func disabledElection(tc *cluster) {
	tc.brisk()
	a := tc.leading("a")
	b := tc.following("b")
	tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	var vacant election.LeaderRecord
	tc.until("the seat is vacant", func() bool { vacant = tc.leader(); return vacant.Vacant() })
	require.False(tc, a.Leading())
	tc.heartbeats("a", "b")
	require.Equal(tc, vacant, tc.leader())
	require.False(tc, a.Leading() || b.Leading())

	tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	tc.until("the seat is taken", func() bool { return !tc.leader().Vacant() })
	require.Greater(tc, tc.leader().Term, vacant.Term)
	tc.until("its holder leads", func() bool { return a.Leading() || b.Leading() })
}

// A leader that finds a longer lease in the config writes it with its next
// renewal, believes in it, and the others honour it.
func longerLease(tc *cluster) {
	tc.withLease(short)
	a := tc.leading("a")
	b := tc.following("b")
	longer := eager(long)
	tc.reconfigure(func(c *fdbelection.Config) {
		c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout = longer.LeaseDuration, longer.HeartbeatInterval, longer.CandidateTimeout
	})
	tc.until("the longer lease is written", func() bool { return tc.leader().LeaseDuration == long })
	term := tc.leader().Term
	tc.until("both have adopted it", func() bool {
		return a.ClusterState().Config.LeaseDuration == long && b.ClusterState().Config.LeaseDuration == long
	})
	b.doesNotLead(3 * short / 2)
	require.True(tc, a.Leading() || b.Leading(), "though it was not renewed")
	require.Equal(tc, term, tc.leader().Term)
}

// With MustExist nothing is written before somebody else has made the election,
// and its config is the one that stands.
func electionMustExist(tc *cluster) {
	trouble := make(chan error, 100)
	a := tc.begin("a", mustExist, func(s *settings) {
		s.Callbacks.OnStoreError = func(_ context.Context, err error) { trouble <- err }
	})
	require.ErrorIs(tc, within(tc, patience, trouble, "its complaint"), fdbelection.ErrNotInitialized)
	a.doesNotLead(quiet)
	_, err := kv.ReadTransact(tc.patient(), tc.db, tc.election.ReadConfig)
	require.ErrorIs(tc, err, fdbelection.ErrNotInitialized)

	config := eager(long + time.Second)
	tc.transact(func(tr kv.Transaction) error {
		_, err := tc.election.InitializeWithConfig(tr, config)
		return err
	})
	require.Equal(tc, uint64(1), a.leads(patience))
	require.Equal(tc, config.LeaseDuration, tc.leader().LeaseDuration)
	require.NoError(tc, within(tc, patience, trouble, "the end of its complaint"))
}
