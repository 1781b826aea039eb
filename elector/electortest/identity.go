package electortest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

var identityTests = []test{
	{"a restart is a new incarnation", restart},
	{"the older of one id stops", duplicateID},
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

// Where two run under one id the older one stops, with an error that says so, and
// the younger one takes the seat when it is free.
func duplicateID(w *world) {
	w.withLease(short)
	older := w.process("a")
	result := older.works(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		<-ctx.Done()
		return nil
	})
	older.leads(patience)
	held := w.seat()
	younger := w.begin("a")
	require.ErrorIs(w, within(w, patience, result, "Run"), fdbelection.ErrDuplicateID)
	require.False(w, older.believes())
	require.Greater(w, younger.leads(patience), held.Term)
	seat := w.seat()
	require.Equal(w, "a", seat.ID)
	require.NotEqual(w, held.Incarnation, seat.Incarnation)
	require.Len(w, w.candidates(), 1)
}
