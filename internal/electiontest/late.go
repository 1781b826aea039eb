package electiontest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// lateTests let a transaction that was abandoned in its commit arrive after
// something that outdates it: it must conflict instead of landing.
var lateTests = []test{
	{"Rule05_nothing_of_a_stopped_process_lands_later", nothingLandsAfterStop},
	{"Rule05_a_stop_sees_the_seat_that_was_won_meanwhile", stopSeesTheSeat},
	{"Rule05_a_late_renewal_does_not_land_on_a_successor", lateRenewalDoesNotLand},
	{"Rule05_a_late_claim_does_not_seat_an_observer", lateClaimDoesNotSeatAnObserver},
	{"Rule05_a_late_eviction_does_not_remove_a_new_leader", lateEvictionSparesNewLeader},
	{"Rule05_a_request_to_transfer_is_seen_by_what_makes_it_void", transferRequestIsSeen},
	{"Rule06_settling_stops_what_is_still_on_its_way", settlingStopsLateCommits},
}

func newNonce() uuid.UUID { return uuid.New() }

func nothingLandsAfterStop(t *testing.T, w *world) {
	w.initialized(withGrace)
	holder, token := w.leads("holder", 1, at(0))
	me := newProcess("me", 5)
	attempts := map[string]func(tr kv.Transaction) error{
		"register":  func(tr kv.Transaction) error { return w.RegisterCandidate(tr, me, at(1)) },
		"heartbeat": func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, me, at(1)) },
		"challenge": func(tr kv.Transaction) error {
			result, err := w.TryClaimLeadership(tr, me.Identity, at(1))
			require.Equal(t, election.RequestedPreemption, result.Action)
			return err
		},
		"take-over": func(tr kv.Transaction) error {
			result, err := w.TryClaimLeadership(tr, me.Identity, at(100))
			require.Equal(t, election.Claimed, result.Action)
			return err
		},
		"hand-over to it": func(tr kv.Transaction) error {
			_, err := w.TransferLeadership(tr, token, "me", newNonce(), at(1))
			return err
		},
	}
	for name, attempt := range attempts {
		if name != "register" {
			w.register(me, at(0))
		}
		late := w.open()
		require.NoError(t, attempt(late), name)
		for range 2 { // also where there is nothing left to clear
			w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, me.Identity, at(2)) })
		}
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(late.Commit()), "a late %s must not land", name)
		require.Equal(t, []string{"holder"}, w.ids())
		require.Equal(t, token, w.currentToken())
	}
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, holder, at(3)).Request.Kind)
}

func stopSeesTheSeat(t *testing.T, w *world) {
	w.initialized()
	me := w.join("me", 5, at(0))
	stop, claim := w.open(), w.open()
	require.NoError(t, w.UnregisterCandidate(stop, me.Identity, at(1)))
	_, err := w.TryClaimLeadership(claim, me.Identity, at(1))
	require.NoError(t, err)
	require.NoError(t, claim.Commit())
	w.requireConflict(stop) // run again it finds the seat and vacates it
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, me.Identity, at(1)) })
	require.True(t, w.leader().Vacant())
	require.Empty(t, w.ids())
}

func lateRenewalDoesNotLand(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	renewal, refresh, resign, transfer := w.open(), w.open(), w.open(), w.open()
	_, err := w.RunElectionCycle(renewal, a, at(9))
	require.NoError(t, err)
	_, err = w.RefreshLease(refresh, token, at(9))
	require.NoError(t, err)
	require.NoError(t, w.ResignLeadership(resign, token, at(9)))
	_, err = w.TransferLeadership(transfer, token, "b", newNonce(), at(9))
	require.NoError(t, err)
	w.acts(election.Claimed, b, at(10))
	after := w.leader()
	for _, late := range []kv.OwnedTransaction{renewal, refresh, resign, transfer} {
		w.requireConflict(late)
	}
	require.Equal(t, after, w.leader())
}

func lateClaimDoesNotSeatAnObserver(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	claim := w.open()
	_, err := w.TryClaimLeadership(claim, a.Identity, at(1))
	require.NoError(t, err)
	demotion := w.open()
	observer := a
	observer.Role = election.Observer
	require.NoError(t, w.HeartbeatCandidate(demotion, observer, at(1)))

	t.Log("the demotion first: the claim conflicts")
	second := w.open()
	require.NoError(t, w.HeartbeatCandidate(second, observer, at(1)))
	require.NoError(t, second.Commit())
	w.requireConflict(claim)
	w.requireConflict(demotion)

	t.Log("the claim first: the demotion conflicts, and vacates when run again")
	w.register(a, at(2))
	claim, demotion = w.open(), w.open()
	_, err = w.TryClaimLeadership(claim, a.Identity, at(2))
	require.NoError(t, err)
	require.NoError(t, w.HeartbeatCandidate(demotion, observer, at(2)))
	require.NoError(t, claim.Commit())
	w.requireConflict(demotion)
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, observer, at(2)) })
	require.True(t, w.leader().Vacant())
}

func lateEvictionSparesNewLeader(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	eviction := w.open()
	evicted, err := w.EvictDeadCandidates(eviction, at(20))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, evicted)
	w.do(func(tr kv.Transaction) error { // takes the seat without a heartbeat
		_, err := w.TryClaimLeadership(tr, a.Identity, at(20))
		return err
	})
	w.requireConflict(eviction)
}

func settlingStopsLateCommits(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	late := map[string]kv.OwnedTransaction{}
	for name, attempt := range map[string]func(tr kv.Transaction) error{
		"renewal": func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, a, at(1)); return err },
		"resign":  func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(1)) },
		"transfer": func(tr kv.Transaction) error {
			_, err := w.TransferLeadership(tr, token, "b", newNonce(), at(1))
			return err
		},
		"claim": func(tr kv.Transaction) error { _, err := w.TryClaimLeadership(tr, b.Identity, at(99)); return err },
	} {
		late[name] = w.open()
		require.NoError(t, attempt(late[name]))
	}
	var settled election.LeaderRecord
	w.do(func(tr kv.Transaction) (err error) {
		settled, err = w.Settle(tr)
		return err
	})
	for name, tr := range late {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "a late %s must not land after settling", name)
	}
	require.Equal(t, settled, w.leader(), "settling writes nothing")
}

// What ends the target of a transfer, or its vote, and began before the request
// was committed, has to begin anew: it removes the request then.
func transferRequestIsSeen(t *testing.T, w *world) {
	w.initialized(withGrace)
	_, token := w.leads("holder", 1, at(0))
	for name, void := range map[string]func(tr kv.Transaction, me election.Registration) error{
		"another incarnation": func(tr kv.Transaction, me election.Registration) error {
			return w.RegisterCandidate(tr, newProcess(me.ID, 5), at(1))
		},
		"an observer": func(tr kv.Transaction, me election.Registration) error {
			me.Role = election.Observer
			return w.HeartbeatCandidate(tr, me, at(1))
		},
		"an eviction": func(tr kv.Transaction, _ election.Registration) error {
			_, err := w.EvictDeadCandidates(tr, at(1000))
			return err
		},
		"leaving": func(tr kv.Transaction, me election.Registration) error {
			return w.UnregisterCandidate(tr, me.Identity, at(1))
		},
	} {
		me := newProcess("me", 1)
		w.register(me, at(0))
		early := w.open()
		require.NoError(t, void(early, me), name)
		w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, token.Term, me.ID, newNonce()) })
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(early.Commit()), "%s, without knowing of the request", name)
		w.do(func(tr kv.Transaction) error { return void(tr, me) })
		w.do(func(tr kv.Transaction) error {
			intent, err := w.ReadRequest(tr)
			require.Equal(t, election.NoRequest, intent.Kind, name)
			return err
		})
	}
}
