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
func releaseAfterWork(w *world) {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	asked, release := make(chan struct{}), make(chan struct{})
	var returned, overlap atomic.Bool
	a := w.process("a")
	result := a.works(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		defer returned.Store(true)
		<-ctx.Done()
		close(asked)
		<-release
		return lead.LeaseContext().Err() // it may finish what it has begun
	})
	a.leads(patience)
	b := w.following("b", whenElected(func() { overlap.Store(!returned.Load()) }))
	cancel()
	within(w, patience, asked, "the end of the context")
	require.False(w, a.believes(), "it stops leading before it stops holding the seat")
	b.doesNotLead(quiet)
	require.Equal(w, "a", w.seat().ID)
	close(release)
	require.Equal(w, uint64(2), b.leads(promptly))
	require.False(w, overlap.Load())
	require.NoError(w, within(w, patience, result, "Run"))
	require.NotContains(w, w.candidates(), "a")
}

// Where work returns of itself the seat is given up, and who waits for it gets it.
func workReturns(w *world) {
	release := make(chan struct{})
	var calls atomic.Int64
	a := w.process("a")
	a.works(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		if calls.Add(1) == 1 {
			<-release
			return nil
		}
		<-ctx.Done()
		return nil
	})
	a.leads(patience)
	b := w.following("b")
	close(release)
	require.Equal(w, uint64(2), b.leads(promptly))
	require.False(w, a.believes())
	require.EqualValues(w, 1, calls.Load())
	require.Contains(w, w.candidates(), "a", "it stays a candidate")
}

// With ErrDone Run leaves the election and returns.
func workIsDone(w *world) {
	a := w.process("a")
	result := a.works(w.Context(), func(context.Context, *elector.Leadership) error { return elector.ErrDone })
	require.NoError(w, within(w, patience, result, "Run"))
	require.True(w, w.seat().Vacant())
	require.Empty(w, w.candidates())
	require.Equal(w, elector.StateStopped, a.State())
}

// A tenure that was campaigned for is given up by Resign, and not before; then the
// elector stays listed, and can campaign again.
func campaignAndResign(w *world) {
	w.withLease(medium)
	a := w.process("a")
	first := a.campaigns()
	require.True(w, first.Leads())
	require.Equal(w, uint64(1), first.Term())
	b := w.following("b")
	require.NoError(w, first.Resign(w.patient()))
	require.False(w, first.Leads())
	require.Error(w, first.LeaseContext().Err())
	require.Equal(w, uint64(2), b.leads(patience))
	require.Contains(w, w.candidates(), "a")

	again := make(chan uint64, 1)
	go func() {
		if lead, err := a.Campaign(w.patient()); err == nil {
			again <- lead.Term()
		}
	}()
	b.stop()
	require.Equal(w, uint64(3), within(w, patience, again, "another campaign"))
	require.True(w, a.believes())
}

// A leader that is asked to resign stops leading at once, in every way that there
// is to ask, and holds the seat until it says that its work has ended.
func isLeaderAndContext(w *world) {
	a := w.process("a")
	lead := a.campaigns()
	require.NoError(w, lead.Context().Err())
	require.NoError(w, a.IsLeader(w.Context()))
	require.True(w, lead.Leads())

	w.requestResign(1)
	within(w, promptly, lead.Context().Done(), "the end of leadership")
	require.ErrorIs(w, a.IsLeader(w.Context()), fdbelection.ErrNotLeader)
	require.False(w, lead.Leads())
	require.Error(w, context.Cause(lead.Context()))
	require.NotEqual(w, elector.StateLeader, a.State())
	require.NoError(w, lead.LeaseContext().Err(), "there is time to finish")
	require.Equal(w, "a", w.seat().ID)

	require.NoError(w, lead.Resign(w.patient()))
	require.Error(w, lead.LeaseContext().Err())
	require.True(w, w.seat().Vacant())
}
