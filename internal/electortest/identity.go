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
	{"a restart is a new incarnation", restart},
	{"a duplicate of a live process stops", duplicateID},
	{"a process that was replaced while it was cut off stops", replacedWhileCutOff},
}

// A process that starts again under its id is a stranger to the seat of its
// predecessor: it waits for the lease, and leads in a term of its own.
func restart(w *world) {
	w.withLease(short)
	a := w.leading("a")
	a.Abandon()
	left := w.seat()
	require.NoError(w, a.Start(w.Context()))
	a.enters(elector.StateStopped, patience)
	require.Greater(w, a.leads(patience), left.Term)
	seat := w.seat()
	require.Equal(w, "a", seat.ID)
	require.NotEqual(w, left.Incarnation, seat.Incarnation)
	require.False(w, seat.AcquiredAt.Before(left.LeaseExpiry.Add(-slack)), "it inherits nothing")
	require.Len(w, w.candidates(), 1)
}

// A process that is started under the id of a live one stops, with an error that says
// so, and the live one leads on.
func duplicateID(w *world) {
	w.brisk()
	older := w.leading("a")
	held := w.seat()
	newer := w.process("a")
	result := newer.works(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		<-ctx.Done()
		return nil
	})
	err := within(w, patience, result, "Run")
	require.ErrorIs(w, err, fdbelection.ErrDuplicateID)
	require.ErrorContains(w, err, held.Identity.String())
	require.False(w, newer.believes())
	require.True(w, older.believes())
	require.Equal(w, held.Token(), w.seat().Token())
	require.Len(w, w.candidates(), 1)
	events := read(w, func(tr kv.ReadTransaction) ([]election.Event, error) { return w.election.History(tr, 1) })
	require.Equal(w, election.EventDuplicate, events[0].Kind)
	require.Equal(w, held.Identity, events[0].From)
}

// A process that was cut off has lost its id to the one that was started in its place:
// it stops when it is back, and the new one leads on.
func replacedWhileCutOff(w *world) {
	w.withLease(short)
	db := &severed{Database: w.handle()}
	older := w.process("a", on(db))
	result := older.works(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		<-ctx.Done()
		return nil
	})
	older.leads(patience)
	held := w.seat()
	db.cut.Store(true)
	newer := w.begin("a")
	require.Greater(w, newer.leads(patience), held.Term)
	seat := w.seat()
	require.Equal(w, "a", seat.ID)
	require.NotEqual(w, held.Incarnation, seat.Incarnation)
	db.cut.Store(false)
	require.ErrorIs(w, within(w, patience, result, "Run"), fdbelection.ErrDuplicateID)
	require.False(w, older.believes())
	require.Len(w, w.candidates(), 1)
}
