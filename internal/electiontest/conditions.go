package electiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// conditionTests hold single conditions of the protocol to what they are for: each
// fails where just that condition is dropped.
var conditionTests = []test{
	{"Condition_cancelling_is_for_requests", cancellingIsForRequests},
	{"Condition_evicting_a_challenger_depends_on_the_intent", evictingAChallengerDependsOnTheIntent},
	{"Condition_withdrawing_depends_on_the_intent", withdrawingDependsOnTheIntent},
	{"Condition_removing_a_void_challenge_depends_on_it", removingAVoidChallengeDependsOnIt},
	{"Condition_no_yield_where_the_config_forbids_it", noYieldWhereTheConfigForbidsIt},
	{"Condition_a_holder_judges_its_tenure_by_what_it_observed", aHolderJudgesItsTenureByWhatItObserved},
	{"Condition_a_challenge_that_was_replaced_is_not_yielded_to", aChallengeThatWasReplacedIsNotYieldedTo},
	{"Condition_concurrent_initialisations_conflict", concurrentInitialisationsConflict},
	{"Condition_a_vacancy_of_another_tenure_is_no_success", aVacancyOfAnotherTenureIsNoSuccess},
	{"Condition_a_minimum_tenure_longer_than_the_lease_protects_a_transferred_seat", aMinimumTenureLongerThanTheLeaseProtectsATransferredSeat},
	{"Condition_a_request_needs_a_nonce", aRequestNeedsANonce},
	{"Condition_an_observer_needs_no_observation", anObserverNeedsNoObservation},
	{"Condition_a_holder_without_a_record_drains_and_vacates", aHolderWithoutARecordDrainsAndVacates},
	{"Condition_a_refresh_takes_the_priority_of_the_record", aRefreshTakesThePriorityOfTheRecord},
	{"Condition_preferred_never_conflicts", preferredNeverConflicts},
	{"Condition_evict_unchanged_is_bounded", evictUnchangedIsBounded},
	{"Condition_no_history_at_limit_zero", noHistoryAtLimitZero},
	{"Condition_absurd_fields_are_refused", absurdFieldsAreRefused},
}

// The conflict on the intent that an eviction clears.
func evictingAChallengerDependsOnTheIntent(t *testing.T, w *world) {
	b, _, _, _, _ := standingChallenge(w)
	tr := b.open()
	evicted, err := b.EvictDeadCandidates(tr, at(16))
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, evicted)
	b.dependsOn(tr, "intent")
}

// The conflict on the intent; and the result's Intent.
func withdrawingDependsOnTheIntent(t *testing.T, w *world) {
	b, _, c, _, _ := standingChallenge(w)
	c.Priority = 1
	tr := b.open()
	result, err := b.RunElectionCycle(tr, c, at(1))
	require.NoError(t, err)
	require.Equal(t, election.Withdrew, result.Action)
	require.Equal(t, election.NoRequest, result.Request.Kind)
	b.dependsOn(tr, "intent")
}

// The conflicts of removing a void challenge.
func removingAVoidChallengeDependsOnIt(t *testing.T, w *world) {
	for _, key := range []string{"intent", "leader"} {
		b, a, c, token, challenge := standingChallenge(w)
		a.Priority = c.Priority
		b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, a, at(1)) })
		b.do(func(tr kv.Transaction) error {
			_, err := b.RefreshLease(tr, token, at(1))
			return err
		})
		tr := b.open()
		_, yielded, err := b.HandOver(tr, token, challenge, at(1))
		require.NoError(t, err)
		require.False(t, yielded)
		b.dependsOn(tr, key)
	}
}

// ElectionEnabled and AllowPreemption.
func noYieldWhereTheConfigForbidsIt(t *testing.T, w *world) {
	for _, edit := range []func(*fdbelection.Config){
		func(c *fdbelection.Config) { c.ElectionEnabled = false },
		func(c *fdbelection.Config) { c.AllowPreemption = false },
	} {
		b, _, _, token, challenge := standingChallenge(w)
		b.configure(edit)
		b.do(func(tr kv.Transaction) error {
			_, yielded, err := b.HandOver(tr, token, challenge, at(1))
			require.False(t, yielded)
			return err
		})
		require.Equal(t, token, b.leader().Token())
	}
}

// A wall clock that was set back makes a tenure look as if it had not begun yet;
// the holder's own observation does not. Without one, the clock counts.
func aHolderJudgesItsTenureByWhatItObserved(t *testing.T, w *world) {
	b, a, _, token, challenge := standingChallenge(w)
	b.configure(func(c *fdbelection.Config) {
		c.Expiry = fdbelection.ExpiryByObservation
		c.MinimumTenure = 5 * time.Second
	})
	setBack, begun := at(-3600), at(0)
	seen := election.Observation{}.Next(b.leader(), begun)
	for _, c := range []struct {
		name   string
		opts   []election.CycleOption
		grants bool
	}{
		{"by the clock", nil, false},
		{"observed for less", []election.CycleOption{election.WithObservation(seen, begun.Add(5*time.Second-1))}, false},
		{"observed for as long", []election.CycleOption{election.WithObservation(seen, begun.Add(5*time.Second))}, true},
	} {
		b.do(func(tr kv.Transaction) error {
			result, err := b.RunElectionCycle(tr, a, setBack, election.WithObservation(seen, begun))
			require.NoError(t, err)
			grantable, err := b.CanHandOver(tr, &result, setBack, c.opts...)
			require.Equal(t, c.grants, grantable, c.name)
			return err
		})
		b.do(func(tr kv.Transaction) error {
			_, yielded, err := b.HandOver(tr, token, challenge, setBack, c.opts...)
			require.Equal(t, c.grants, yielded, c.name)
			return err
		})
	}
}

// The nonce, and the author, of the challenge that stands.
func aChallengeThatWasReplacedIsNotYieldedTo(t *testing.T, w *world) {
	b, _, c, token, challenge := standingChallenge(w)
	other, author := challenge, challenge
	other.Nonce = uuid.New()
	author.Identity = election.Identity{ID: "c", Incarnation: uuid.New()}
	for _, wrong := range []election.Request{other, author} {
		b.do(func(tr kv.Transaction) error {
			_, yielded, err := b.HandOver(tr, token, wrong, at(1))
			require.False(t, yielded)
			return err
		})
	}
	require.Equal(t, challenge, b.intent(), "nor removed")
	_ = c
}

// Its read must be serialisable.
func concurrentInitialisationsConflict(t *testing.T, w *world) {
	b := w.initialized()
	b.do(func(tr kv.Transaction) error { tr.Clear(b.key("config")); return nil })
	one, two := b.open(), b.open()
	_, err := b.InitializeWithConfig(one, fdbelection.ConfigWithLease(time.Minute))
	require.NoError(t, err)
	_, err = b.InitializeWithConfig(two, fdbelection.ConfigWithLease(time.Hour))
	require.NoError(t, err)
	require.NoError(t, one.Commit())
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(two.Commit()))
}

// The nonce of a vacancy.
func aVacancyOfAnotherTenureIsNoSuccess(t *testing.T, w *world) {
	b := w.initialized()
	token := b.cycle(b.join("a", 1, at(0)), at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(0)) })
	token.Nonce = uuid.New() // of a database before it was restored
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(0)) }), fdbelection.ErrNotLeader)
}

// The longer of the two.
func aMinimumTenureLongerThanTheLeaseProtectsATransferredSeat(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.MinimumTenure = time.Minute })
	a, c := b.join("a", 9, at(0)), b.join("c", 0, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "c", uuid.New(), at(0))
		return err
	})
	for i := 1; i <= 16; i++ {
		require.Equal(t, election.Renewed, b.cycle(c, at(float64(3*i))).Action)
	}
	require.Equal(t, election.Followed, b.cycle(a, at(49)).Action)
}

// A request without a nonce.
func aRequestNeedsANonce(t *testing.T, w *world) {
	b := w.initialized()
	token := b.cycle(b.join("a", 1, at(0)), at(0)).Leader.Token()
	require.ErrorContains(t, b.try(func(tr kv.Transaction) error { return b.RequestResign(tr, token.Term, uuid.Nil) }), "nonce")
}

// An observer need not observe.
func anObserverNeedsNoObservation(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "o"}, Role: election.Observer}
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, me, at(0)) })
	require.Equal(t, election.Followed, b.cycle(me, at(0)).Action)
}

// A holder whose record is gone registers again while it drains, and
// vacates as an observer (actions Draining and Vacated without a record).
func aHolderWithoutARecordDrainsAndVacates(t *testing.T, w *world) {
	for want, change := range map[election.Action]func(b *world, me *election.Registration){
		election.Draining: func(b *world, _ *election.Registration) {
			b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		},
		election.Vacated: func(_ *world, me *election.Registration) { me.Role = election.Observer },
	} {
		b := newWorld(t, w.engine).initialized()
		me := b.join("a", 1, at(0))
		b.cycle(me, at(0))
		b.do(func(tr kv.Transaction) error { tr.Clear(b.key("candidates", "a")); return nil })
		change(b, &me)
		require.Equal(t, want, b.cycle(me, at(1)).Action)
	}
}

// A refresh writes the priority of the candidate record.
func aRefreshTakesThePriorityOfTheRecord(t *testing.T, w *world) {
	b := w.initialized()
	me := b.join("a", 1, at(0))
	token := b.cycle(me, at(0)).Leader.Token()
	me.Priority = 8
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, me, at(0)) })
	b.do(func(tr kv.Transaction) error { _, err := b.RefreshLease(tr, token, at(1)); return err })
	require.EqualValues(t, 8, b.leader().Priority)
}

// Preferred reads by snapshot.
func preferredNeverConflicts(t *testing.T, w *world) {
	b := w.initialized()
	b.join("a", 1, at(0))
	tr := b.open()
	_, err := b.Preferred(tr, 5)
	require.NoError(t, err)
	tr.Set(append(b.Subspace().Bytes(), "application"...), nil)
	b.join("b", 9, at(0))
	require.NoError(t, tr.Commit())
}

// EvictUnchanged is bounded.
func evictUnchangedIsBounded(t *testing.T, w *world) {
	b := w.initialized()
	const n = election.MaxEvictions + 1
	b.do(func(tr kv.Transaction) error {
		for i := range n {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprint(i)}, UserVersion: uint16(i)}
			if err := b.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	seen, err := read(b, b.ListCandidates)
	require.NoError(t, err)
	require.Len(t, seen, n)
	b.do(func(tr kv.Transaction) error {
		evicted, err := b.EvictUnchanged(tr, seen)
		require.Len(t, evicted, election.MaxEvictions)
		return err
	})
}

// Nothing is written where the limit is zero, not even an end.
func noHistoryAtLimitZero(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	token := b.cycle(b.join("a", 1, at(0)), at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(0)) })
	events, err := read(b, func(tr kv.ReadTransaction) ([]election.Event, error) { return b.History(tr, 0) })
	require.NoError(t, err)
	require.Empty(t, events)
}

// A record of well-formed tuples whose fields make no sense is refused by name.
func absurdFieldsAreRefused(t *testing.T, w *world) {
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
	intent := func(kind int64) []byte {
		v := subspace.AppendUUID(s(u(i(i(nil, 1), kind), 1), "x"), uuid.Nil)
		return i(u(subspace.AppendUUID(v, uuid.New()), 1), 1)
	}
	lease := int64(10 * time.Second)
	for name, c := range map[string]struct {
		path  []string
		value []byte
		good  bool
	}{
		"a sound leader":      {[]string{"leader"}, leader(7, 3, lease), true},
		"term above ballot":   {[]string{"leader"}, leader(3, 7, lease), false},
		"ballot out of range": {[]string{"leader"}, leader(1<<62+1, 3, lease), false},
		"negative lease":      {[]string{"leader"}, leader(7, 3, -1), false},
		"a sound config":      {[]string{"config"}, config(1, 1, lease), true},
		"newer records":       {[]string{"config"}, config(2, 1, lease), false},
		"revision zero":       {[]string{"config"}, config(1, 0, lease), false},
		"an invalid config":   {[]string{"config"}, config(1, 1, 1), false},
		"a sound candidate":   {[]string{"candidates", "me"}, candidate(stamp), true},
		"a stamp not filled":  {[]string{"candidates", "me"}, candidate(subspace.IncompleteVersionstamp(0)), false},
		"a sound intent":      {[]string{"intent"}, intent(1), true},
		"kind of intent":      {[]string{"intent"}, intent(4), false},
	} {
		b := newWorld(t, w.engine).initialized()
		key := b.key(c.path...)
		b.do(func(tr kv.Transaction) error { tr.Set(key, c.value); return nil })
		_, err := read(b, func(tr kv.ReadTransaction) (any, error) {
			switch c.path[0] {
			case "intent":
				return b.ReadRequest(tr)
			case "candidates":
				return b.GetCandidate(tr, "me")
			default:
				return b.ReadStatus(tr)
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

// standingChallenge is a world of its own in which "c" challenges "a".
func standingChallenge(w *world) (fresh *world, a, c election.Registration, token election.Token, challenge election.Request) {
	w.t.Helper()
	fresh = newWorld(w.t, w.engine).initialized(withGrace)
	a, token = fresh.leads("a", 1, at(0))
	c = fresh.join("c", 5, at(0))
	return fresh, a, c, token, fresh.acts(election.RequestedPreemption, c, at(0)).Request
}

func cancellingIsForRequests(t *testing.T, w *world) {
	b, _, _, _, challenge := standingChallenge(w)
	cancel := func(tr kv.Transaction) error { return b.CancelRequest(tr, challenge.Nonce) }
	b.do(cancel)
	require.Equal(t, challenge, b.intent(), "a challenge is its author's")
	nonce := newNonce()
	b.do(func(tr kv.Transaction) error { return b.RequestResign(tr, challenge.Term, nonce) })
	b.do(cancel)
	require.Equal(t, nonce, b.intent().Nonce, "another request stays")
	challenge.Nonce = nonce
	b.do(cancel)
	require.Equal(t, election.NoRequest, b.intent().Kind)
}
