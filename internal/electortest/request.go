package electortest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var requestTests = []test{
	{"a request to resign is obeyed", resignOnRequest},
	{"a request to transfer is obeyed", transferOnRequest},
}

// requestResign asks the leader of a term to step down.
func (w *world) requestResign(term uint64) {
	w.Helper()
	nonce := uuid.New()
	w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, term, nonce) })
}

// The leader is told by its watch, and lets the other go first, although it is of
// the higher rank itself.
func resignOnRequest(w *world) {
	a := w.leading("a")
	b := w.following("b")
	w.requestResign(1)
	require.Equal(w, uint64(2), b.leads(promptly))
	require.False(w, a.believes())
	require.Equal(w, "b", w.seat().ID)
	require.Contains(w, w.candidates(), "a")
}

// The seat goes to the one that was named, past another of a higher rank, in a
// tenure by which the author of the request knows that it was done.
func transferOnRequest(w *world) {
	a := w.leading("a")
	w.following("b")
	c := w.following("c")
	nonce := uuid.New()
	w.transact(func(tr kv.Transaction) error { return w.election.RequestTransfer(tr, 1, "c", nonce) })
	require.Equal(w, uint64(2), c.leads(promptly))
	seat := w.seat()
	require.Equal(w, "c", seat.ID)
	require.Equal(w, nonce, seat.Nonce)
	require.Equal(w, election.AcquireTransfer, seat.AcquireReason)
	require.True(w, seat.Accepted)
	require.False(w, a.believes())
}
