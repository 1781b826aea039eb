package electortest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var identityTests = []test{
	aRestartIsANewIncarnation,
	aDuplicateOfALiveProcessStops,
	aProcessThatWasReplacedWhileItWasCutOffStops,
}

// A restarted process is a new incarnation. It waits for the lease of its predecessor and leads in
// a new term.
func aRestartIsANewIncarnation(tc *cluster) {
	tc.withLease(short)
	a := tc.leading("a")
	a.Abandon()
	left := tc.leader()
	require.NoError(tc, a.Start(tc.Context()))
	a.enters(elector.StateStopped, patience)
	require.Greater(tc, a.leads(patience), left.Term)
	leader := tc.leader()
	require.Equal(tc, "a", leader.ID)
	require.NotEqual(tc, left.Incarnation, leader.Incarnation)
	require.False(tc, leader.AcquiredAt.Before(left.LeaseExpiry.Add(-slack)), "it waits for the lease")
	require.Len(tc, tc.candidates(), 1)
}

// A process that is started under the id of a live one stops with ErrDuplicateID. The live one
// continues to lead.
func aDuplicateOfALiveProcessStops(tc *cluster) {
	tc.frequentHeartbeats()
	older := tc.leading("a")
	held := tc.leader()
	newer := tc.process("a")
	result := newer.works(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		<-ctx.Done()
		return nil
	})
	err := within(tc, patience, result, "Run")
	require.ErrorIs(tc, err, fdbelection.ErrDuplicateID)
	require.ErrorContains(tc, err, held.Identity.String())
	require.False(tc, newer.Leading())
	require.True(tc, older.Leading())
	require.Equal(tc, held.Token(), tc.leader().Token())
	require.Len(tc, tc.candidates(), 1)
	events := read(tc, func(tr kv.ReadTransaction) ([]election.Event, error) { return tc.election.History(tr, 1) })
	require.Equal(tc, election.EventDuplicate, events[0].Kind)
	require.Equal(tc, held.Identity, events[0].From)
}

// A process was cut off, and another one was started with its id. It stops when it can reach the
// database, and the new one continues to lead.
func aProcessThatWasReplacedWhileItWasCutOffStops(tc *cluster) {
	tc.withLease(short)
	db := &severed{Database: tc.handle()}
	older := tc.process("a", on(db))
	result := older.works(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		<-ctx.Done()
		return nil
	})
	older.leads(patience)
	held := tc.leader()
	db.cut.Store(true)
	newer := tc.begin("a")
	require.Greater(tc, newer.leads(patience), held.Term)
	leader := tc.leader()
	require.Equal(tc, "a", leader.ID)
	require.NotEqual(tc, held.Incarnation, leader.Incarnation)
	db.cut.Store(false)
	require.ErrorIs(tc, within(tc, patience, result, "Run"), fdbelection.ErrDuplicateID)
	require.False(tc, older.Leading())
	require.Len(tc, tc.candidates(), 1)
}
