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
func (tc *cluster) requestResign(term uint64) {
	tc.Helper()
	nonce := uuid.New()
	tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, term, nonce) })
}

// The leader is told by its watch, and lets the other go first, although it is of
// the higher rank itself.
func resignOnRequest(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	tc.requestResign(1)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.False(tc, a.Leading())
	require.Equal(tc, "b", tc.leader().ID)
	require.Contains(tc, tc.candidates(), "a")
}

// The seat goes to the one that was named, past another of a higher rank, in a
// tenure by which the author of the request knows that it was done.
func transferOnRequest(tc *cluster) {
	a := tc.leading("a")
	tc.following("b")
	c := tc.following("c")
	nonce := uuid.New()
	tc.transact(func(tr kv.Transaction) error { return tc.election.RequestTransfer(tr, 1, "c", nonce) })
	require.Equal(tc, uint64(2), c.leads(promptly))
	leader := tc.leader()
	require.Equal(tc, "c", leader.ID)
	require.Equal(tc, nonce, leader.Nonce)
	require.Equal(tc, election.AcquireTransfer, leader.AcquireReason)
	require.True(tc, leader.Accepted)
	require.False(tc, a.Leading())
}
