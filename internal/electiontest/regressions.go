package electiontest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

// regressionTests each reproduce a bug that was found and fixed.
var regressionTests = []test{
	regressionARequestWhoseTargetIsGoneDoesNotBlockChallengers,
	regressionARequestOfAnEarlierIncarnationDoesNotBlockOthers,
	regressionAClockAheadDoesNotProtectFromPreemption,
	regressionAClockSteppedBackDoesNotBlockAHandOver,
	regressionATransferWhileDisabledRecognisesItsOwnSuccess,
	regressionASuccessorDoesNotLeadBeforeItAccepts,
	regressionAnObservationHasAClockOfItsOwn,
	regressionRejoiningDoesNotReplaceANewerIncarnation,
	regressionOnlyTheRequestThatStandsCounts,
	regressionARequestIsAboutTheIncarnationOfItsTarget,
	regressionEvictUnchangedDependsOnlyOnTheEvicted,
	regressionARefusedEvictionDoesNotHideAPendingRegistration,
	regressionALateAcceptanceKeepsTheProtectionOfATransfer,
	regressionAVacancyNamesItsLastHolder,
	regressionARequestRunAgainDoesNotOverwriteALaterOne,
}

func regressionARequestWhoseTargetIsGoneDoesNotBlockChallengers(t *testing.T, e *testElection) {
	for name, gone := range map[string]func(e *testElection, target election.Registration){
		"left": func(e *testElection, target election.Registration) {
			e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, target.Identity, at(1)) })
		},
		"evicted": func(e *testElection, _ election.Registration) {
			e.Do(func(tr kv.Transaction) error {
				evicted, err := e.EvictDeadCandidates(tr, at(16))
				require.Contains(e.T, evicted, "target")
				return err
			})
		},
		"demoted": func(e *testElection, target election.Registration) {
			target.Role = election.Observer
			e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, target, at(1)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestElection(t, e.Engine).initialized(withGrace)
			a, target := e.join("a", 1, at(0)), e.join("target", 1, at(0))
			token := e.cycle(a, at(0)).Leader.Token()
			e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "target", uuid.New()) })
			for i := 1; i <= 6; i++ {
				require.Equal(t, election.Renewed, e.cycle(a, at(float64(3*i)), observing).Action)
			}
			gone(e, target)
			request := e.cycle(a, at(19), observing).Request
			if request.Kind == election.TransferRequest { // the leader tries to hand over, which removes a void request
				_ = e.Try(func(tr kv.Transaction) error {
					_, _, err := e.HandOver(tr, token, request, at(19))
					return err
				})
			}
			high := e.join("high", 100, at(0))
			require.Equal(t, election.RequestedPreemption.String(), e.cycle(high, at(20)).Action.String(),
				"a strictly higher priority must be able to request preemption; the request that stands is %v to %s", e.request().Kind, e.request().Identity)
		})
	}
}

func regressionARequestOfAnEarlierIncarnationDoesNotBlockOthers(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a := e.join("a", 1, at(0))
	e.cycle(a, at(0))
	old := e.join("b", 5, at(0))
	require.Equal(t, election.RequestedPreemption, e.cycle(old, at(0)).Action)
	restarted := e.join("b", 1, at(0)) // with a priority that is not higher than that of the leader
	require.Equal(t, election.Followed, e.cycle(restarted, at(1)).Action)
	c := e.join("c", 3, at(0))
	require.Equal(t, election.RequestedPreemption.String(), e.cycle(c, at(1)).Action.String(),
		"the request of an incarnation that is gone is void (rule 12)")
}

func regressionAClockAheadDoesNotProtectFromPreemption(t *testing.T, e *testElection) {
	e.initialized()
	a, high := e.join("a", 1, at(0)), e.join("high", 9, at(0))
	require.Equal(t, election.Claimed, e.cycle(a, at(3600)).Action) // its clock is an hour ahead
	require.Equal(t, election.Claimed.String(), e.cycle(high, at(0)).Action.String())
}

func regressionAClockSteppedBackDoesNotBlockAHandOver(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, high := e.join("a", 1, at(0)), e.join("high", 9, at(0))
	token := e.cycle(a, at(3600)).Leader.Token()
	request := e.cycle(high, at(3600)).Request
	require.Equal(t, election.PreemptionRequest, request.Kind)
	e.Do(func(tr kv.Transaction) error {
		_, handedOver, err := e.HandOver(tr, token, request, at(0))
		require.True(t, handedOver)
		return err
	})
}

func regressionATransferWhileDisabledRecognisesItsOwnSuccess(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	e.join("b", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	nonce := uuid.New()
	transfer := func(tr kv.Transaction) error {
		_, err := e.TransferLeadership(tr, token, "b", nonce, at(1))
		return err
	}
	require.NoError(t, e.Try(transfer))
	require.NoError(t, e.Try(transfer), "run again after an unknown result")
	require.True(t, e.leader().Vacant())
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	require.Contains(t, e.events()[1], "1 ended: a -> ")
}

func regressionASuccessorDoesNotLeadBeforeItAccepts(t *testing.T, e *testElection) {
	e.initialized()
	a, c := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error {
		_, err := e.TransferLeadership(tr, token, "b", uuid.New(), at(0))
		return err
	})
	e.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	result := e.cycle(c, at(1))
	require.False(t, result.Leader.Accepted)
	require.False(t, result.Leads(), "%s: it has not accepted, so it must not lead", result.Action)
}

func regressionAnObservationHasAClockOfItsOwn(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	a, c := e.join("a", 1, at(0)), e.join("b", 1, at(0))
	none := election.WithObservation(election.Observation{}, at(0))
	cycle := func(me election.Registration, now time.Time, opt election.CycleOption) (result election.CycleResult) {
		e.Do(func(tr kv.Transaction) (err error) {
			result, err = e.RunElectionCycle(tr, me, now, opt)
			return err
		})
		return result
	}
	cycle(a, at(0), none)
	sinceBoot := time.Unix(0, 0).Add(5 * time.Second) // a monotonic clock, five seconds after boot
	seen := election.Observation{}.Next(e.leader(), sinceBoot)
	result := cycle(c, at(0.001), election.WithObservation(seen, sinceBoot.Add(time.Millisecond)))
	require.Equal(t, election.Followed.String(), result.Action.String())
}

func regressionRejoiningDoesNotReplaceANewerIncarnation(t *testing.T, e *testElection) {
	e.initialized()
	e.cycle(e.join("leader", 9, at(0)), at(0))
	old := e.join("p", 1, at(0))
	e.Do(func(tr kv.Transaction) error {
		evicted, err := e.EvictDeadCandidates(tr, at(16))
		require.Equal(t, []string{"p"}, evicted)
		return err
	})
	newer := e.join("p", 1, at(0)) // the process that replaced it
	// The old process was told that it was evicted, and is paused before it joins again.
	require.ErrorIs(t, e.Try(func(tr kv.Transaction) error { return e.RejoinCandidate(tr, old, at(17)) }), fdbelection.ErrDuplicateID)
	err := e.Try(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, newer, at(18)) })
	require.NoError(t, err, "the newest incarnation must go on")
}

func regressionOnlyTheRequestThatStandsCounts(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	e.join("first", 1, at(0))
	e.join("second", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "first", uuid.New()) })
	request := e.cycle(a, at(1)).Request // the leader begins to drain
	e.Do(func(tr kv.Transaction) error { return e.CancelRequest(tr, request.Nonce) })
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "second", uuid.New()) })
	e.Do(func(tr kv.Transaction) error {
		_, handedOver, err := e.HandOver(tr, token, request, at(2))
		require.False(t, handedOver)
		return err
	})
	require.Equal(t, "a", e.leader().ID, "the operator has cancelled that request")
	second := e.cycle(a, at(3)).Request
	e.Do(func(tr kv.Transaction) error {
		_, handedOver, err := e.HandOver(tr, token, second, at(3))
		require.True(t, handedOver)
		return err
	})
	leader := e.leader()
	require.Equal(t, "second", leader.ID)
	require.Equal(t, second.Nonce, leader.Nonce)
	require.Equal(t, election.AcquireTransfer, leader.AcquireReason)
}

func regressionARequestIsAboutTheIncarnationOfItsTarget(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	target := e.join("b", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "b", uuid.New()) })
	request := e.cycle(a, at(1)).Request
	require.Equal(t, target.Identity, request.Identity)
	e.join("b", 1, at(0)) // restarts
	e.Do(func(tr kv.Transaction) error {
		_, handedOver, err := e.HandOver(tr, token, request, at(2))
		require.False(t, handedOver)
		return err
	})
	require.True(t, e.leader().HeldBy(a.Identity))
	require.Equal(t, election.NoRequest, e.request().Kind, "a void request is removed")
}

func regressionEvictUnchangedDependsOnlyOnTheEvicted(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	alive := e.join("alive", 1, at(0))
	e.join("dead", 1, at(0))
	seen, err := suite.Read(e.Store, e.ListCandidates)
	require.NoError(t, err)
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, alive, at(1)) })
	tr := e.Begin()
	evicted, err := e.EvictUnchanged(tr, seen)
	require.NoError(t, err)
	require.Equal(t, []string{"dead"}, evicted)
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, alive, at(2)) })
	require.NoError(t, tr.Commit(), "it did not evict that candidate")
}

func regressionARefusedEvictionDoesNotHideAPendingRegistration(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "me", Incarnation: uuid.New()}}
	require.ErrorIs(t, e.Try(func(tr kv.Transaction) error {
		if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
			return err
		}
		_, err := e.EvictDeadCandidates(tr, at(0))
		return err
	}), fdbelection.ErrRegistrationPending)
}

func regressionALateAcceptanceKeepsTheProtectionOfATransfer(t *testing.T, e *testElection) {
	e.initialized()
	a, c := e.join("a", 9, at(0)), e.join("b", 0, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	nonce := uuid.New()
	e.Do(func(tr kv.Transaction) error {
		_, err := e.TransferLeadership(tr, token, "b", nonce, at(0))
		return err
	})
	result := e.cycle(c, at(4.1)) // the acceptance lease of 4 s has expired
	require.True(t, result.Leads())
	require.Equal(t, election.Followed.String(), e.cycle(a, at(4.2)).Action.String(), "%s by %s", result.Action, result.Leader.AcquireReason)
}

func regressionAVacancyNamesItsLastHolder(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a := e.join("a", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
	require.True(t, e.leader().Vacant())
	status, err := suite.Read(e.Store, e.ReadStatus)
	require.NoError(t, err)
	require.Equal(t, election.TermRecord{Token: token, Ballot: status.Leader.Ballot}, status.Term)
	require.Equal(t, e.leader(), status.Leader)
}

func regressionARequestRunAgainDoesNotOverwriteALaterOne(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	e.join("first", 1, at(0))
	e.join("second", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	one, two := uuid.New(), uuid.New()
	first := func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "first", one) }
	e.Do(first) // it gets an unknown result
	second := func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "second", two) }
	require.ErrorIs(t, e.Try(second), fdbelection.ErrRequestPending, "only one of two operators succeeds")
	e.Do(func(tr kv.Transaction) error { return e.CancelRequest(tr, one) })
	e.Do(second)
	require.ErrorIs(t, e.Try(first), fdbelection.ErrRequestPending) // the retry after the unknown result
	require.Equal(t, two, e.request().Nonce)
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
	e.Do(second)
	require.Equal(t, election.NoRequest, e.request().Kind, "the tenure has ended, so there is nothing to ask")
}
