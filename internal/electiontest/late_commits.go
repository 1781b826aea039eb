package electiontest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// lateTests commit a transaction after another one that makes it out of date. The late commit
// must conflict.
var lateTests = []test{
	rule05NoAttemptOfAStoppedProcessCommitsLater,
	rule05LeavingConflictsWithAConcurrentClaim,
	rule05ALateRenewalDoesNotReplaceASuccessor,
	rule05ALateClaimDoesNotMakeAnObserverLead,
	rule05ALateEvictionDoesNotRemoveANewLeader,
	rule05ATransferRequestConflictsWithWhatMakesItVoid,
	rule06SettlingStopsLateCommits,
}

func newNonce() uuid.UUID { return uuid.New() }

func rule05NoAttemptOfAStoppedProcessCommitsLater(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	holder, token := e.leads("holder", 1, at(0))
	me := newProcess("me", 5)
	attempts := map[string]func(tr kv.Transaction) error{
		"register":  func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(1)) },
		"heartbeat": func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(1)) },
		"preemption request": func(tr kv.Transaction) error {
			result, err := e.TryClaimLeadership(tr, me.Identity, at(1))
			require.Equal(t, election.RequestedPreemption, result.Action)
			return err
		},
		"claim": func(tr kv.Transaction) error {
			result, err := e.TryClaimLeadership(tr, me.Identity, at(100))
			require.Equal(t, election.Claimed, result.Action)
			return err
		},
		"hand-over": func(tr kv.Transaction) error {
			_, err := e.TransferLeadership(tr, token, "me", newNonce(), at(1))
			return err
		},
	}
	for name, attempt := range attempts {
		if name != "register" {
			e.register(me, at(0))
		}
		late := e.Begin()
		require.NoError(t, attempt(late), name)
		for range 2 { // the second time there is nothing left to clear
			e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, at(2)) })
		}
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(late.Commit()), "a late %s must not commit", name)
		require.Equal(t, []string{"holder"}, e.ids())
		require.Equal(t, token, e.currentToken())
	}
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, holder, at(3)).Request.Kind)
}

func rule05LeavingConflictsWithAConcurrentClaim(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("me", 5, at(0))
	leave, claim := e.Begin(), e.Begin()
	require.NoError(t, e.UnregisterCandidate(leave, me.Identity, at(1)))
	_, err := e.TryClaimLeadership(claim, me.Identity, at(1))
	require.NoError(t, err)
	require.NoError(t, claim.Commit())
	e.RequireConflict(leave) // a second run reads the claim and vacates leadership
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, at(1)) })
	require.True(t, e.leader().Vacant())
	require.Empty(t, e.ids())
}

func rule05ALateRenewalDoesNotReplaceASuccessor(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	renewal, refresh, resign, transfer := e.Begin(), e.Begin(), e.Begin(), e.Begin()
	_, err := e.RunElectionCycle(renewal, a, at(9))
	require.NoError(t, err)
	_, err = e.RefreshLease(refresh, token, at(9))
	require.NoError(t, err)
	require.NoError(t, e.ResignLeadership(resign, token, at(9)))
	_, err = e.TransferLeadership(transfer, token, "b", newNonce(), at(9))
	require.NoError(t, err)
	e.acts(election.Claimed, b, at(10))
	after := e.leader()
	for _, late := range []kv.OwnedTransaction{renewal, refresh, resign, transfer} {
		e.RequireConflict(late)
	}
	require.Equal(t, after, e.leader())
}

func rule05ALateClaimDoesNotMakeAnObserverLead(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	claim := e.Begin()
	_, err := e.TryClaimLeadership(claim, a.Identity, at(1))
	require.NoError(t, err)
	demotion := e.Begin()
	observer := a
	observer.Role = election.Observer
	require.NoError(t, e.HeartbeatCandidate(demotion, observer, at(1)))

	t.Log("the demotion first: the claim conflicts")
	second := e.Begin()
	require.NoError(t, e.HeartbeatCandidate(second, observer, at(1)))
	require.NoError(t, second.Commit())
	e.RequireConflict(claim)
	e.RequireConflict(demotion)

	t.Log("the claim first: the demotion conflicts, and vacates when run again")
	e.register(a, at(2))
	claim, demotion = e.Begin(), e.Begin()
	_, err = e.TryClaimLeadership(claim, a.Identity, at(2))
	require.NoError(t, err)
	require.NoError(t, e.HeartbeatCandidate(demotion, observer, at(2)))
	require.NoError(t, claim.Commit())
	e.RequireConflict(demotion)
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, observer, at(2)) })
	require.True(t, e.leader().Vacant())
}

func rule05ALateEvictionDoesNotRemoveANewLeader(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	eviction := e.Begin()
	evicted, err := e.EvictDeadCandidates(eviction, at(20))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, evicted)
	e.Do(func(tr kv.Transaction) error { // claims without a heartbeat
		_, err := e.TryClaimLeadership(tr, a.Identity, at(20))
		return err
	})
	e.RequireConflict(eviction)
}

func rule06SettlingStopsLateCommits(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	late := map[string]kv.OwnedTransaction{}
	for name, attempt := range map[string]func(tr kv.Transaction) error{
		"renewal": func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, a, at(1)); return err },
		"resign":  func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) },
		"transfer": func(tr kv.Transaction) error {
			_, err := e.TransferLeadership(tr, token, "b", newNonce(), at(1))
			return err
		},
		"claim": func(tr kv.Transaction) error { _, err := e.TryClaimLeadership(tr, b.Identity, at(99)); return err },
	} {
		late[name] = e.Begin()
		require.NoError(t, attempt(late[name]))
	}
	var settled election.LeaderRecord
	e.Do(func(tr kv.Transaction) (err error) {
		settled, err = e.Settle(tr)
		return err
	})
	for name, tr := range late {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "a late %s must not commit after settling", name)
	}
	require.Equal(t, settled, e.leader(), "settling does not change the record")
}

// rule05ATransferRequestConflictsWithWhatMakesItVoid: a transaction removes the target of a transfer request or makes
// it an observer, and has begun before the request was committed. It must conflict. When it
// is run again, it removes the request.
func rule05ATransferRequestConflictsWithWhatMakesItVoid(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	_, token := e.leads("holder", 1, at(0))
	for name, void := range map[string]func(tr kv.Transaction, me election.Registration) error{
		"another incarnation": func(tr kv.Transaction, me election.Registration) error {
			return e.RegisterCandidate(tr, newProcess(me.ID, 5), at(1))
		},
		"an observer": func(tr kv.Transaction, me election.Registration) error {
			me.Role = election.Observer
			return e.HeartbeatCandidate(tr, me, at(1))
		},
		"an eviction": func(tr kv.Transaction, _ election.Registration) error {
			_, err := e.EvictDeadCandidates(tr, at(1000))
			return err
		},
		"leaving": func(tr kv.Transaction, me election.Registration) error {
			return e.UnregisterCandidate(tr, me.Identity, at(1))
		},
	} {
		me := newProcess("me", 1)
		e.register(me, at(0))
		early := e.Begin()
		require.NoError(t, void(early, me), name)
		e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, me.ID, newNonce()) })
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(early.Commit()), "%s, which has not read the request", name)
		e.Do(func(tr kv.Transaction) error { return void(tr, me) })
		e.Do(func(tr kv.Transaction) error {
			request, err := e.ReadRequest(tr)
			require.Equal(t, election.NoRequest, request.Kind, name)
			return err
		})
	}
}
