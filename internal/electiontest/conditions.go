package electiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// conditionTests check single conditions of the protocol. Each fails if only that condition
// is removed from the sources.
var conditionTests = []test{
	conditionCancelRemovesRequestsOfOperatorsOnly,
	conditionEvictingAChallengerDependsOnTheRequest,
	conditionWithdrawingDependsOnTheRequest,
	conditionRemovingAVoidRequestDependsOnIt,
	conditionNoHandOverIfTheConfigForbidsIt,
	conditionAHolderDatesItsTenureByItsObservation,
	conditionARequestThatWasReplacedIsIgnored,
	conditionConcurrentInitialisationsConflict,
	conditionAVacancyOfAnotherTenureIsNotASuccess,
	conditionAMinimumTenureLongerThanTheLeaseProtectsATransfer,
	conditionARequestNeedsANonce,
	conditionAnObserverNeedsNoObservation,
	conditionAHolderWithoutARecordDrainsAndVacates,
	conditionARefreshTakesThePriorityOfTheRecord,
	conditionShortlistNeverConflicts,
	conditionEvictUnchangedIsBounded,
	conditionNoHistoryAtLimitZero,
	conditionInvalidFieldsAreRefused,
}

// An eviction that removes a request has a read conflict on it.
func conditionEvictingAChallengerDependsOnTheRequest(t *testing.T, e *testElection) {
	e, _, _, _, _ = newChallenged(e)
	tr := e.Begin()
	evicted, err := e.EvictDeadCandidates(tr, at(16))
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, evicted)
	e.DependsOn(tr, "intent")
}

// The withdrawal has a read conflict on the request, and the result has no Request.
func conditionWithdrawingDependsOnTheRequest(t *testing.T, e *testElection) {
	e, _, c, _, _ := newChallenged(e)
	c.Priority = 1
	tr := e.Begin()
	result, err := e.RunElectionCycle(tr, c, at(1))
	require.NoError(t, err)
	require.Equal(t, election.Withdrew, result.Action)
	require.Equal(t, election.NoRequest, result.Request.Kind)
	e.DependsOn(tr, "intent")
}

// The removal of a void request has read conflicts on it and on the leader record.
func conditionRemovingAVoidRequestDependsOnIt(t *testing.T, e *testElection) {
	for _, key := range []string{"intent", "leader"} {
		e, a, c, token, request := newChallenged(e)
		a.Priority = c.Priority
		e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, a, at(1)) })
		e.Do(func(tr kv.Transaction) error {
			_, err := e.RefreshLease(tr, token, at(1))
			return err
		})
		tr := e.Begin()
		_, handedOver, err := e.HandOver(tr, token, request, at(1))
		require.NoError(t, err)
		require.False(t, handedOver)
		e.DependsOn(tr, key)
	}
}

// ElectionEnabled and AllowPreemption each have to be true.
func conditionNoHandOverIfTheConfigForbidsIt(t *testing.T, e *testElection) {
	for _, edit := range []func(*fdbelection.Config){
		func(c *fdbelection.Config) { c.ElectionEnabled = false },
		func(c *fdbelection.Config) { c.AllowPreemption = false },
	} {
		e, _, _, token, request := newChallenged(e)
		e.configure(edit)
		e.Do(func(tr kv.Transaction) error {
			_, handedOver, err := e.HandOver(tr, token, request, at(1))
			require.False(t, handedOver)
			return err
		})
		require.Equal(t, token, e.leader().Token())
	}
}

// If the wall clock was set back, the tenure seems to begin in the future. The observation of
// the holder still has its age. Without an observation, the wall clock counts.
func conditionAHolderDatesItsTenureByItsObservation(t *testing.T, e *testElection) {
	e, a, _, token, request := newChallenged(e)
	e.configure(func(c *fdbelection.Config) {
		c.Expiry = fdbelection.ExpiryByObservation
		c.MinimumTenure = 5 * time.Second
	})
	setBack, begun := at(-3600), at(0)
	seen := election.Observation{}.Next(e.leader(), begun)
	for _, c := range []struct {
		name   string
		opts   []election.CycleOption
		grants bool
	}{
		{"by the wall clock", nil, false},
		{"seen for less than the minimum tenure", []election.CycleOption{election.WithObservation(seen, begun.Add(5*time.Second-1))}, false},
		{"seen for the minimum tenure", []election.CycleOption{election.WithObservation(seen, begun.Add(5*time.Second))}, true},
	} {
		e.Do(func(tr kv.Transaction) error {
			result, err := e.RunElectionCycle(tr, a, setBack, election.WithObservation(seen, begun))
			require.NoError(t, err)
			can, err := e.CanHandOver(tr, &result, setBack, c.opts...)
			require.Equal(t, c.grants, can, c.name)
			return err
		})
		e.Do(func(tr kv.Transaction) error {
			_, handedOver, err := e.HandOver(tr, token, request, setBack, c.opts...)
			require.Equal(t, c.grants, handedOver, c.name)
			return err
		})
	}
}

// The nonce and the author have to be those of the request that stands.
func conditionARequestThatWasReplacedIsIgnored(t *testing.T, e *testElection) {
	e, _, _, token, request := newChallenged(e)
	other, author := request, request
	other.Nonce = uuid.New()
	author.Identity = election.Identity{ID: "c", Incarnation: uuid.New()}
	for _, wrong := range []election.Request{other, author} {
		e.Do(func(tr kv.Transaction) error {
			_, handedOver, err := e.HandOver(tr, token, wrong, at(1))
			require.False(t, handedOver)
			return err
		})
	}
	require.Equal(t, request, e.request(), "it is not removed either")
}

// The read of the config has a read conflict.
func conditionConcurrentInitialisationsConflict(t *testing.T, e *testElection) {
	e.initialized()
	e.Do(func(tr kv.Transaction) error { tr.Clear(e.Key("config")); return nil })
	one, two := e.Begin(), e.Begin()
	_, err := e.InitializeWithConfig(one, fdbelection.ConfigWithLease(time.Minute))
	require.NoError(t, err)
	_, err = e.InitializeWithConfig(two, fdbelection.ConfigWithLease(time.Hour))
	require.NoError(t, err)
	require.NoError(t, one.Commit())
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(two.Commit()))
}

// The nonce of the vacancy has to be that of the token.
func conditionAVacancyOfAnotherTenureIsNotASuccess(t *testing.T, e *testElection) {
	e.initialized()
	token := e.cycle(e.join("a", 1, at(0)), at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(0)) })
	token.Nonce = uuid.New() // as before a restore of the database
	require.ErrorIs(t, e.Try(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(0)) }), fdbelection.ErrNotLeader)
}

// The longer of minimum tenure and lease counts.
func conditionAMinimumTenureLongerThanTheLeaseProtectsATransfer(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.MinimumTenure = time.Minute })
	a, c := e.join("a", 9, at(0)), e.join("c", 0, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error {
		_, err := e.TransferLeadership(tr, token, "c", uuid.New(), at(0))
		return err
	})
	for i := 1; i <= 16; i++ {
		require.Equal(t, election.Renewed, e.cycle(c, at(float64(3*i))).Action)
	}
	require.Equal(t, election.Followed, e.cycle(a, at(49)).Action)
}

// A request without a nonce is refused.
func conditionARequestNeedsANonce(t *testing.T, e *testElection) {
	e.initialized()
	token := e.cycle(e.join("a", 1, at(0)), at(0)).Leader.Token()
	require.ErrorContains(t, e.Try(func(tr kv.Transaction) error { return e.RequestResign(tr, token.Term, uuid.Nil) }), "nonce")
}

// An observer can run cycles without an observation.
func conditionAnObserverNeedsNoObservation(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "o"}, Role: election.Observer}
	e.Do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) })
	require.Equal(t, election.Followed, e.cycle(me, at(0)).Action)
}

// A holder without a candidate record can drain. It can also vacate, as an observer.
func conditionAHolderWithoutARecordDrainsAndVacates(t *testing.T, e *testElection) {
	for want, change := range map[election.Action]func(e *testElection, me *election.Registration){
		election.Draining: func(e *testElection, _ *election.Registration) {
			e.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		},
		election.Vacated: func(_ *testElection, me *election.Registration) { me.Role = election.Observer },
	} {
		e := newTestElection(t, e.Engine).initialized()
		me := e.join("a", 1, at(0))
		e.cycle(me, at(0))
		e.Do(func(tr kv.Transaction) error { tr.Clear(e.Key("candidates", "a")); return nil })
		change(e, &me)
		require.Equal(t, want, e.cycle(me, at(1)).Action)
	}
}

// RefreshLease writes the priority of the candidate record to the leader record.
func conditionARefreshTakesThePriorityOfTheRecord(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("a", 1, at(0))
	token := e.cycle(me, at(0)).Leader.Token()
	me.Priority = 8
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) })
	e.Do(func(tr kv.Transaction) error { _, err := e.RefreshLease(tr, token, at(1)); return err })
	require.EqualValues(t, 8, e.leader().Priority)
}

// Shortlist adds no read conflict.
func conditionShortlistNeverConflicts(t *testing.T, e *testElection) {
	e.initialized()
	e.join("a", 1, at(0))
	tr := e.Begin()
	_, err := e.Shortlist(tr, 5)
	require.NoError(t, err)
	tr.Set(append(e.Subspace().Bytes(), "application"...), nil)
	e.join("b", 9, at(0))
	require.NoError(t, tr.Commit())
}

// EvictUnchanged evicts MaxEvictions candidates at most.
func conditionEvictUnchangedIsBounded(t *testing.T, e *testElection) {
	e.initialized()
	const n = election.MaxEvictions + 1
	e.Do(func(tr kv.Transaction) error {
		for i := range n {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprint(i)}, UserVersion: uint16(i)}
			if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	seen, err := suite.Read(e.Store, e.ListCandidates)
	require.NoError(t, err)
	require.Len(t, seen, n)
	e.Do(func(tr kv.Transaction) error {
		evicted, err := e.EvictUnchanged(tr, seen)
		require.Len(t, evicted, election.MaxEvictions)
		return err
	})
}

// If the limit is zero, not even the end of a tenure is written.
func conditionNoHistoryAtLimitZero(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	token := e.cycle(e.join("a", 1, at(0)), at(0)).Leader.Token()
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(0)) })
	events, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 0) })
	require.NoError(t, err)
	require.Empty(t, events)
}

// A record with well-formed elements and invalid values is refused, with an error that names its key.
func conditionInvalidFieldsAreRefused(t *testing.T, e *testElection) {
	stamp := subspace.Versionstamp{Transaction: [10]byte{1}}
	i, u, s := subspace.AppendInt, subspace.AppendUint, subspace.AppendString
	leader := func(ballot, term uint64, lease int64) []byte {
		v := s(u(u(i(nil, 1), ballot), term), "x")
		v = i(i(i(subspace.AppendUUID(v, uuid.New()), 1), at(0).UnixNano()), lease)
		v = subspace.AppendBool(i(subspace.AppendVersionstamp(v, stamp), 0), true)
		return i(subspace.AppendUUID(v, uuid.New()), 0)
	}
	config := func(format int64, revision uint64, lease int64) []byte {
		v := i(subspace.AppendUUID(u(i(i(nil, 1), format), revision), uuid.Nil), lease)
		v = subspace.AppendBool(subspace.AppendBool(i(i(v, int64(3*time.Second)), int64(15*time.Second)), true), true)
		return i(i(i(i(i(v, 0), 0), 0), 128), 0)
	}
	candidate := func(stamp subspace.Versionstamp) []byte {
		v := subspace.AppendVersionstamp(u(i(i(i(nil, 1), 1), 0), 1), stamp)
		return subspace.CloseNested(subspace.OpenNested(subspace.AppendBool(subspace.AppendUUID(v, uuid.Nil), true)))
	}
	request := func(kind int64) []byte {
		v := subspace.AppendUUID(s(u(i(i(nil, 1), kind), 1), "x"), uuid.Nil)
		return i(u(subspace.AppendUUID(v, uuid.New()), 1), 1)
	}
	lease := int64(10 * time.Second)
	for name, c := range map[string]struct {
		path  []string
		value []byte
		good  bool
	}{
		"a valid leader":      {[]string{"leader"}, leader(7, 3, lease), true},
		"term above ballot":   {[]string{"leader"}, leader(3, 7, lease), false},
		"ballot out of range": {[]string{"leader"}, leader(1<<62+1, 3, lease), false},
		"negative lease":      {[]string{"leader"}, leader(7, 3, -1), false},
		"a valid config":      {[]string{"config"}, config(1, 1, lease), true},
		"newer records":       {[]string{"config"}, config(2, 1, lease), false},
		"revision zero":       {[]string{"config"}, config(1, 0, lease), false},
		"an invalid config":   {[]string{"config"}, config(1, 1, 1), false},
		"a valid candidate":   {[]string{"candidates", "me"}, candidate(stamp), true},
		"an incomplete stamp": {[]string{"candidates", "me"}, candidate(subspace.IncompleteVersionstamp(0)), false},
		"a valid request":     {[]string{"intent"}, request(1), true},
		"kind of request":     {[]string{"intent"}, request(4), false},
	} {
		e := newTestElection(t, e.Engine).initialized()
		key := e.Key(c.path...)
		e.Do(func(tr kv.Transaction) error { tr.Set(key, c.value); return nil })
		_, err := suite.Read(e.Store, func(tr kv.ReadTransaction) (any, error) {
			switch c.path[0] {
			case "intent":
				return e.ReadRequest(tr)
			case "candidates":
				return e.GetCandidate(tr, "me")
			default:
				return e.ReadStatus(tr)
			}
		})

		if c.good {
			require.NoError(t, err, name)
			continue
		}
		var invalid *fdbelection.InvalidStateError
		require.ErrorAs(t, err, &invalid, name)
		require.Equal(t, key, invalid.Key, name)
	}
}

// newChallenged returns a new election in which "c" has requested preemption of "a".
func newChallenged(e *testElection) (fresh *testElection, a, c election.Registration, token election.Token, request election.Request) {
	e.T.Helper()
	fresh = newTestElection(e.T, e.Engine).initialized(withGrace)
	a, token = fresh.leads("a", 1, at(0))
	c = fresh.join("c", 5, at(0))
	return fresh, a, c, token, fresh.acts(election.RequestedPreemption, c, at(0)).Request
}

func conditionCancelRemovesRequestsOfOperatorsOnly(t *testing.T, e *testElection) {
	e, _, _, _, request := newChallenged(e)
	cancel := func(tr kv.Transaction) error { return e.CancelRequest(tr, request.Nonce) }
	e.Do(cancel)
	require.Equal(t, request, e.request(), "a preemption request is not removed by CancelRequest")
	nonce := newNonce()
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, request.Term, nonce) })
	e.Do(cancel)
	require.Equal(t, nonce, e.request().Nonce, "a request with another nonce stays")
	request.Nonce = nonce
	e.Do(cancel)
	require.Equal(t, election.NoRequest, e.request().Kind)
}
