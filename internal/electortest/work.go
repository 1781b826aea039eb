package electortest

import (
	"context"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

var workTests = []test{
	leadershipIsReleasedAfterTheWorkHasReturned,
	othersClaimFirstAfterWorkHasReturned,
	errDoneLeavesTheElection,
	campaignAndResign,
	isLeaderAndTheContextAgree,
}

// The context of the work ends when the context of Run ends. Leadership is held until the work has
// returned.
func leadershipIsReleasedAfterTheWorkHasReturned(tc *cluster) {
	ctx, cancel := context.WithCancel(tc.Context())
	defer cancel()
	stopping, release := make(chan struct{}), make(chan struct{})
	var returned, overlap atomic.Bool
	a := tc.process("a")
	result := a.works(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		defer returned.Store(true)
		<-ctx.Done()
		close(stopping)
		<-release
		return lead.LeaseContext().Err() // the work may still use the lease
	})
	a.leads(patience)
	b := tc.following("b", whenElected(func() { overlap.Store(!returned.Load()) }))
	cancel()
	within(tc, patience, stopping, "the end of the context")
	require.False(tc, a.Leading(), "it stops leading before leadership is released")
	b.doesNotLead(pause)
	require.Equal(tc, "a", tc.leader().ID)
	close(release)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.False(tc, overlap.Load())
	require.NoError(tc, within(tc, patience, result, "Run"))
	require.NotContains(tc, tc.candidates(), "a")
}

// If work returns by itself, leadership is released, and a waiting candidate claims it.
func othersClaimFirstAfterWorkHasReturned(tc *cluster) {
	release := make(chan struct{})
	var calls atomic.Int64
	a := tc.process("a")
	a.works(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		if calls.Add(1) == 1 {
			<-release
			return nil
		}
		<-ctx.Done()
		return nil
	})
	a.leads(patience)
	b := tc.following("b")
	close(release)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.False(tc, a.Leading())
	require.EqualValues(tc, 1, calls.Load())
	require.Contains(tc, tc.candidates(), "a", "it stays registered")
}

// If work returns ErrDone, Run leaves the election and returns.
func errDoneLeavesTheElection(tc *cluster) {
	a := tc.process("a")
	result := a.works(tc.Context(), func(context.Context, *elector.Leadership) error { return elector.ErrDone })
	require.NoError(tc, within(tc, patience, result, "Run"))
	require.True(tc, tc.leader().Vacant())
	require.Empty(tc, tc.candidates())
	require.Equal(tc, elector.StateStopped, a.State())
}

// Resign releases the leadership of a Campaign. The elector stays registered and can campaign
// again.
func campaignAndResign(tc *cluster) {
	tc.withLease(medium)
	a := tc.process("a")
	first := a.campaigns()
	require.True(tc, first.Leads())
	require.Equal(tc, uint64(1), first.Term())
	b := tc.following("b")
	require.NoError(tc, first.Resign(tc.patient()))
	require.False(tc, first.Leads())
	require.Error(tc, first.LeaseContext().Err())
	require.Equal(tc, uint64(2), b.leads(patience))
	require.Contains(tc, tc.candidates(), "a")

	again := make(chan uint64, 1)
	go func() {
		if lead, err := a.Campaign(tc.patient()); err == nil {
			again <- lead.Term()
		}
	}()
	b.stop()
	require.Equal(tc, uint64(3), within(tc, patience, again, "the next campaign"))
	require.True(tc, a.Leading())
}

// After a resign request every method says at once that the process does not lead. Leadership is
// held until the caller reports with Resign that its work has ended.
func isLeaderAndTheContextAgree(tc *cluster) {
	a := tc.process("a")
	lead := a.campaigns()
	require.NoError(tc, lead.Context().Err())
	require.NoError(tc, a.IsLeader(tc.Context()))
	require.True(tc, lead.Leads())

	tc.requestResign(1)
	within(tc, promptly, lead.Context().Done(), "the end of leadership")
	require.ErrorIs(tc, a.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
	require.False(tc, lead.Leads())
	require.Error(tc, context.Cause(lead.Context()))
	require.NotEqual(tc, elector.StateLeader, a.State())
	require.NoError(tc, lead.LeaseContext().Err(), "there is time to finish")
	require.Equal(tc, "a", tc.leader().ID)

	require.NoError(tc, lead.Resign(tc.patient()))
	require.Error(tc, lead.LeaseContext().Err())
	require.True(tc, tc.leader().Vacant())
}
