package electortest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var crashTests = []test{
	anotherCandidateLeadsAfterTheLeaseOfACrashedLeader,
	aLeaderWithoutADatabaseStopsInTime,
	aProcessThatCannotUnregisterReturnsALeaveError,
}

// In virtual time this test would hang, because a goroutine waits for a mutex.
var realTimeTests = []test{
	aLeaderWhoseLoopHangsStopsInTime,
}

// slack is how far two clocks of one machine may drift apart within a test.
const slack = 10 * time.Millisecond

func anotherCandidateLeadsAfterTheLeaseOfACrashedLeader(tc *cluster) {
	tc.withLease(short)
	a := tc.leading("a")
	b := tc.following("b")
	a.Abandon()
	require.False(tc, a.Leading())
	left := tc.leader()
	require.Equal(tc, "a", left.ID, "nothing is released")
	b.leads(patience)
	leader := tc.leader()
	require.Equal(tc, "b", leader.ID)
	require.Greater(tc, leader.Term, left.Term)
	require.False(tc, leader.AcquiredAt.Before(left.LeaseExpiry.Add(-slack)),
		"acquired at %v although the lease lasted until %v", leader.AcquiredAt, left.LeaseExpiry)
}

// A leader that cannot reach the database ends its tenure by its own clock before another process
// takes over. It follows when it can reach the database again.
func aLeaderWithoutADatabaseStopsInTime(tc *cluster) {
	tc.withLease(short)
	db := &severed{Database: tc.handle()}
	a := tc.process("a", on(db))
	lead := a.campaigns()
	var overlap atomic.Bool
	b := tc.following("b", whenElected(func() { overlap.Store(a.Leading() || lead.LeaseContext().Err() == nil) }))
	db.cut.Store(true)
	within(tc, patience, lead.LeaseContext().Done(), "the end of the lease")
	require.False(tc, lead.Leads())
	term := b.leads(patience)
	require.Greater(tc, term, lead.Term())
	require.False(tc, overlap.Load(), "both led")
	a.leads(patience)
	a.demoted(patience) // its loop notices too, by its clock

	db.cut.Store(false)
	a.enters(elector.StateFollower, patience)
	require.NoError(tc, lead.Resign(tc.patient()), "there is nothing to release")
	b.stop()
	require.Greater(tc, a.campaigns().Term(), term)
}

// While the logger blocks the loop of a leader, a timer ends its tenure. The test does not call
// Err of the contexts, which would compare the clock.
func aLeaderWhoseLoopHangsStopsInTime(tc *cluster) {
	tc.withLease(short)
	log := &hanging{release: make(chan struct{})}
	a := tc.process("a", func(s *settings) { s.Logger = slog.New(log) })
	tc.Cleanup(func() { close(log.release) }) // before the process is stopped
	lead := a.campaigns()
	b := tc.following("b")
	log.hangs.Store(true)
	within(tc, patience, lead.Context().Done(), "the end of the context")
	within(tc, patience, lead.LeaseContext().Done(), "the end of the lease")
	require.Greater(tc, b.leads(patience), lead.Term())
}

// hanging is a log handler that blocks.
type hanging struct {
	hangs   atomic.Bool
	release chan struct{}
}

func (h *hanging) Enabled(context.Context, slog.Level) bool { return true }
func (h *hanging) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *hanging) WithGroup(string) slog.Handler            { return h }

func (h *hanging) Handle(context.Context, slog.Record) error {
	if h.hangs.Load() {
		<-h.release
	}
	return nil
}

// If a process cannot reach the database, Stop returns a LeaveError, and its records stay.
func aProcessThatCannotUnregisterReturnsALeaveError(tc *cluster) {
	db := &severed{Database: tc.handle()}
	a := tc.leading("a", on(db), func(s *settings) { s.LeaveLimit = pause })
	db.cut.Store(true)
	var leaveErr *elector.LeaveError
	require.ErrorAs(tc, a.Stop(tc.patient()), &leaveErr)
	require.ErrorIs(tc, leaveErr, errSevered)
	require.ErrorIs(tc, a.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
	require.Equal(tc, "a", tc.leader().ID)
	require.Contains(tc, tc.candidates(), "a")
}

// severed is a handle that can be cut off from its database.
type severed struct {
	kv.Database
	cut atomic.Bool
}

var errSevered = errors.New("cut off from the database")

func (s *severed) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if s.cut.Load() {
		return errSevered
	}
	return s.Database.Transact(ctx, fn)
}

func (s *severed) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if s.cut.Load() {
		return errSevered
	}
	return s.Database.ReadTransact(ctx, fn)
}

func (s *severed) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if s.cut.Load() {
		return nil, errSevered
	}
	return s.Database.CreateTransaction(ctx)
}
