package electortest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var requestTests = []test{
	theLeaderResignsOnRequest,
	theLeaderHandsOverOnRequest,
}

// requestResign requests the resignation of the leader of a term.
func (tc *cluster) requestResign(term uint64) {
	tc.Helper()
	nonce := uuid.New()
	tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, term, nonce) })
}

// A watch informs the leader of the request. It lets the other candidate claim first, although its
// own rank is higher.
func theLeaderResignsOnRequest(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	tc.requestResign(1)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.False(tc, a.Leading())
	require.Equal(tc, "b", tc.leader().ID)
	require.Contains(tc, tc.candidates(), "a")
}

// Leadership goes to the named candidate, although another one has a higher rank. The tenure has
// the nonce of the request.
func theLeaderHandsOverOnRequest(tc *cluster) {
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
