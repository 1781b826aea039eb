package electortest

import (
	"context"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

var workTests = []test{
	{"the seat is released after the work has returned", releaseAfterWork},
	{"work that returns lets others go first", workReturns},
	{"work that is done for good leaves", workIsDone},
	{"Campaign and Resign", campaignAndResign},
	{"IsLeader says what the context says", isLeaderAndContext},
}

// The context of the work ends when Run is asked to leave, and the seat is held
// until the work has returned.
func releaseAfterWork(tc *cluster) {
	ctx, cancel := context.WithCancel(tc.Context())
	defer cancel()
	asked, release := make(chan struct{}), make(chan struct{})
	var returned, overlap atomic.Bool
	a := tc.process("a")
	result := a.works(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		defer returned.Store(true)
		<-ctx.Done()
		close(asked)
		<-release
		return lead.LeaseContext().Err() // it may finish what it has begun
	})
	a.leads(patience)
	b := tc.following("b", whenElected(func() { overlap.Store(!returned.Load()) }))
	cancel()
	within(tc, patience, asked, "the end of the context")
	require.False(tc, a.Leading(), "it stops leading before it stops holding the seat")
	b.doesNotLead(quiet)
	require.Equal(tc, "a", tc.leader().ID)
	close(release)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.False(tc, overlap.Load())
	require.NoError(tc, within(tc, patience, result, "Run"))
	require.NotContains(tc, tc.candidates(), "a")
}

// Where work returns of itself the seat is given up, and who waits for it gets it.
func workReturns(tc *cluster) {
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
	require.Contains(tc, tc.candidates(), "a", "it stays a candidate")
}

// With ErrDone Run leaves the election and returns.
func workIsDone(tc *cluster) {
	a := tc.process("a")
	result := a.works(tc.Context(), func(context.Context, *elector.Leadership) error { return elector.ErrDone })
	require.NoError(tc, within(tc, patience, result, "Run"))
	require.True(tc, tc.leader().Vacant())
	require.Empty(tc, tc.candidates())
	require.Equal(tc, elector.StateStopped, a.State())
}

// A tenure that was campaigned for is given up by Resign, and not before; then the
// elector stays listed, and can campaign again.
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
	require.Equal(tc, uint64(3), within(tc, patience, again, "another campaign"))
	require.True(tc, a.Leading())
}

// A leader that is asked to resign stops leading at once, in every way that there
// is to ask, and holds the seat until it says that its work has ended.
func isLeaderAndContext(tc *cluster) {
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
