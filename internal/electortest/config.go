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
	aDisabledElectionHasNoLeader,
	aLongerLeaseIsAdopted,
	anElectionThatMustExistIsWaitedFor,
}

// While the election is disabled there is no leader and all stay registered. When it is enabled,
// one of them leads.
func aDisabledElectionHasNoLeader(tc *cluster) {
	tc.frequentHeartbeats()
	a := tc.leading("a")
	b := tc.following("b")
	tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	var vacant election.LeaderRecord
	tc.until("leadership is vacant", func() bool { vacant = tc.leader(); return vacant.Vacant() })
	require.False(tc, a.Leading())
	tc.heartbeats("a", "b")
	require.Equal(tc, vacant, tc.leader())
	require.False(tc, a.Leading() || b.Leading())

	tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	tc.until("leadership is held", func() bool { return !tc.leader().Vacant() })
	require.Greater(tc, tc.leader().Term, vacant.Term)
	tc.until("the holder leads", func() bool { return a.Leading() || b.Leading() })
}

// A leader writes a longer lease with its next renewal and leads for that long. The others wait
// for it.
func aLongerLeaseIsAdopted(tc *cluster) {
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
	require.True(tc, a.Leading() || b.Leading(), "leadership lasts although it was not renewed")
	require.Equal(tc, term, tc.leader().Term)
}

// With MustExist a process writes nothing before the election exists. It uses the stored
// config.
func anElectionThatMustExistIsWaitedFor(tc *cluster) {
	storeErrors := make(chan error, 100)
	a := tc.begin("a", mustExist, func(s *settings) {
		s.Callbacks.OnStoreError = func(_ context.Context, err error) { storeErrors <- err }
	})
	require.ErrorIs(tc, within(tc, patience, storeErrors, "the error of the store"), fdbelection.ErrNotInitialized)
	a.doesNotLead(pause)
	_, err := kv.ReadTransact(tc.patient(), tc.db, tc.election.ReadConfig)
	require.ErrorIs(tc, err, fdbelection.ErrNotInitialized)

	config := eager(long + time.Second)
	tc.transact(func(tr kv.Transaction) error {
		_, err := tc.election.InitializeWithConfig(tr, config)
		return err
	})
	require.Equal(tc, uint64(1), a.leads(patience))
	require.Equal(tc, config.LeaseDuration, tc.leader().LeaseDuration)
	require.NoError(tc, within(tc, patience, storeErrors, "the store is available again"))
}
