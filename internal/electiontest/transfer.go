package electiontest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var transferTests = []test{
	{"Rule12_a_transfer_waits_for_its_acceptance", transferWaitsForAcceptance},
	{"Rule12_a_seat_handed_to_a_dead_successor_is_soon_free", deadSuccessor},
	{"Rule12_a_transferred_seat_is_protected_for_one_lease", transferIsProtected},
	{"Rule12_a_transfer_goes_to_a_registered_voter_only", transferTargets},
	{"Rule12_a_transfer_is_by_the_holder_of_the_exact_tenure", transferByHolder},
}

func tupleOf(id string) subspace.Tuple { return subspace.Tuple{subspace.String(id)} }

func (w *world) transfer(token election.Token, to string, nonce uuid.UUID, now float64) (leader election.LeaderRecord, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		leader, err = w.TransferLeadership(tr, token, to, nonce, at(now))
		return err
	})
	return leader, err
}

func transferWaitsForAcceptance(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 0, at(0))
	nonce := newNonce()
	next, err := w.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, next.Ballot)
	require.EqualValues(t, 2, next.Term)
	require.Equal(t, nonce, next.Nonce)
	require.False(t, next.Accepted)
	require.Equal(t, at(5), next.LeaseExpiry, "a heartbeat and the margin")
	leads, err := read(w, func(tr kv.ReadTransaction) (bool, error) { return w.IsLeader(tr, b.Identity, at(2)) })
	require.NoError(t, err)
	require.False(t, leads, "not before it has accepted")
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	w.acts(election.Followed, a, at(2))
	result := w.acts(election.Renewed, b, at(3))
	require.True(t, result.Leader.Accepted)
	require.Equal(t, at(13), result.Leader.LeaseExpiry)
	require.NoError(t, w.fenced(result.Leader.Token()))
}

func deadSuccessor(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	w.join("b", 0, at(0))
	_, err := w.transfer(token, "b", newNonce(), 1)
	require.NoError(t, err)
	w.acts(election.Followed, a, at(4.9))
	require.EqualValues(t, 3, w.acts(election.Claimed, a, at(5)).Leader.Term)
}

func transferIsProtected(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 9, at(0))
	b := w.join("b", 0, at(0))
	_, err := w.transfer(token, "b", newNonce(), 1)
	require.NoError(t, err)
	w.acts(election.Renewed, b, at(2)) // accepted: the protection counts from here
	w.acts(election.Followed, a, at(8))
	w.acts(election.Renewed, b, at(8))
	w.acts(election.Followed, a, at(11.9))
	w.acts(election.Claimed, a, at(12))
}

func transferTargets(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	observer := newProcess("observer", 1)
	observer.Role = election.Observer
	w.register(observer, at(0))
	for to, want := range map[string]error{
		"nobody": fdbelection.ErrProcessNotFound, "observer": fdbelection.ErrNotVoting,
		"a": fdbelection.ErrInvalidCandidate, "": fdbelection.ErrInvalidCandidate,
	} {
		_, err := w.transfer(token, to, newNonce(), 1)
		require.ErrorIs(t, err, want, "transfer to %q", to)
		err = w.try(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, to, newNonce()) })
		require.ErrorIs(t, err, want, "request for %q", to)
	}
	_, err := w.transfer(token, "observer", uuid.Nil, 1)
	require.ErrorContains(t, err, "nonce is zero")
	require.Equal(t, token, w.currentToken())
}

func transferByHolder(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	w.join("b", 1, at(0))
	before := w.leader()
	token.Incarnation = newNonce()
	_, err := w.transfer(token, "b", newNonce(), 1)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.Equal(t, before, w.leader())
}
