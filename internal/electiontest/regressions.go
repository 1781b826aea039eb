package electiontest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// regressionTests are holes that were found once, and stay closed.
var regressionTests = []test{
	{"Regression_a_request_whose_target_is_gone_does_not_keep_challengers_out", aRequestWhoseTargetIsGoneDoesNotKeepChallengersOut},
	{"Regression_a_challenge_of_an_earlier_incarnation_does_not_keep_others_out", aChallengeOfAnEarlierIncarnationDoesNotKeepOthersOut},
	{"Regression_a_clock_ahead_does_not_protect_from_preemption", aClockAheadDoesNotProtectFromPreemption},
	{"Regression_a_clock_stepped_back_does_not_keep_from_yielding", aClockSteppedBackDoesNotKeepFromYielding},
	{"Regression_a_transfer_while_disabled_knows_its_own_success", aTransferWhileDisabledKnowsItsOwnSuccess},
	{"Regression_a_seat_never_accepted_is_not_led", aSeatNeverAcceptedIsNotLed},
	{"Regression_an_observation_has_a_clock_of_its_own", anObservationHasAClockOfItsOwn},
	{"Regression_rejoining_gives_way_to_a_newer_incarnation", rejoiningGivesWayToANewerIncarnation},
	{"Regression_only_the_request_that_stands_is_yielded_to", onlyTheRequestThatStandsIsYieldedTo},
	{"Regression_a_request_is_about_the_incarnation_of_its_target", aRequestIsAboutTheIncarnationOfItsTarget},
	{"Regression_evict_unchanged_depends_only_on_whom_it_removes", evictUnchangedDependsOnlyOnWhomItRemoves},
	{"Regression_a_clock_past_the_latest_instant", aClockPastTheLatestInstant},
	{"Regression_a_counter_at_its_end_is_refused", aCounterAtItsEndIsRefused},
	{"Regression_the_list_agrees_with_the_rank_on_equal_stamps", theListAgreesWithTheRankOnEqualStamps},
	{"Regression_resigning_needs_no_readable_candidate_record", resigningNeedsNoReadableCandidateRecord},
	{"Regression_one_bad_rank_row_hides_no_other", oneBadRankRowHidesNoOther},
	{"Regression_a_refused_eviction_does_not_hide_a_pending_registration", aRefusedEvictionDoesNotHideAPendingRegistration},
	{"Regression_a_late_acceptance_keeps_the_protection_of_a_transfer", aLateAcceptanceKeepsTheProtectionOfATransfer},
	{"Regression_a_lease_that_no_config_allows_is_refused", aLeaseThatNoConfigAllowsIsRefused},
	{"Regression_registering_again_mends_the_rank", registeringAgainMendsTheRank},
	{"Regression_a_vacancy_tells_its_last_holder", aVacancyTellsItsLastHolder},
	{"Regression_a_request_run_again_does_not_overwrite_a_later_one", aRequestRunAgainDoesNotOverwriteALaterOne},
}

func aRequestWhoseTargetIsGoneDoesNotKeepChallengersOut(t *testing.T, w *world) {
	for name, gone := range map[string]func(b *world, target election.Registration){
		"left": func(b *world, target election.Registration) {
			b.do(func(tr kv.Transaction) error { return b.UnregisterCandidate(tr, target.Identity, at(1)) })
		},
		"evicted": func(b *world, _ election.Registration) {
			b.do(func(tr kv.Transaction) error {
				evicted, err := b.EvictDeadCandidates(tr, at(16))
				require.Contains(b.t, evicted, "target")
				return err
			})
		},
		"demoted": func(b *world, target election.Registration) {
			target.Role = election.Observer
			b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, target, at(1)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWorld(t, w.engine).initialized(withGrace)
			a, target := b.join("a", 1, at(0)), b.join("target", 1, at(0))
			token := b.cycle(a, at(0)).Leader.Token()
			b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "target", uuid.New()) })
			for i := 1; i <= 6; i++ {
				require.Equal(t, election.Renewed, b.cycle(a, at(float64(3*i)), observing).Action)
			}
			gone(b, target)
			intent := b.cycle(a, at(19), observing).Request
			if intent.Kind == election.TransferRequest { // the leader tries to obey, and to get rid of it
				_ = b.try(func(tr kv.Transaction) error {
					_, _, err := b.HandOver(tr, token, intent, at(19))
					return err
				})
			}
			high := b.join("high", 100, at(0))
			require.Equal(t, election.RequestedPreemption.String(), b.cycle(high, at(20)).Action.String(),
				"a strictly higher priority must be able to challenge; the intent that stands is %v to %s", b.intent().Kind, b.intent().Identity)
		})
	}
}

func aChallengeOfAnEarlierIncarnationDoesNotKeepOthersOut(t *testing.T, w *world) {
	b := w.initialized(withGrace)
	a := b.join("a", 1, at(0))
	b.cycle(a, at(0))
	old := b.join("b", 5, at(0))
	require.Equal(t, election.RequestedPreemption, b.cycle(old, at(0)).Action)
	reborn := b.join("b", 1, at(0)) // restarted, and it does not outrank the leader any more
	require.Equal(t, election.Followed, b.cycle(reborn, at(1)).Action)
	c := b.join("c", 3, at(0))
	require.Equal(t, election.RequestedPreemption.String(), b.cycle(c, at(1)).Action.String(),
		"the challenge of an incarnation that is gone is void (rule 12)")
}

func aClockAheadDoesNotProtectFromPreemption(t *testing.T, w *world) {
	b := w.initialized()
	a, high := b.join("a", 1, at(0)), b.join("high", 9, at(0))
	require.Equal(t, election.Claimed, b.cycle(a, at(3600)).Action) // an hour ahead
	require.Equal(t, election.Claimed.String(), b.cycle(high, at(0)).Action.String())
}

func aClockSteppedBackDoesNotKeepFromYielding(t *testing.T, w *world) {
	b := w.initialized(withGrace)
	a, high := b.join("a", 1, at(0)), b.join("high", 9, at(0))
	token := b.cycle(a, at(3600)).Leader.Token()
	challenge := b.cycle(high, at(3600)).Request
	require.Equal(t, election.PreemptionRequest, challenge.Kind)
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.HandOver(tr, token, challenge, at(0))
		require.True(t, yielded)
		return err
	})
}

func aTransferWhileDisabledKnowsItsOwnSuccess(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	b.join("b", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	nonce := uuid.New()
	transfer := func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", nonce, at(1))
		return err
	}
	require.NoError(t, b.try(transfer))
	require.NoError(t, b.try(transfer), "the closure run again after an unknown result")
	require.True(t, b.leader().Vacant())
	require.ErrorIs(t, b.fenced(token), fdbelection.ErrFenced)
	require.Contains(t, b.events()[1], "1 ended: a -> ")
}

func aSeatNeverAcceptedIsNotLed(t *testing.T, w *world) {
	b := w.initialized()
	a, c := b.join("a", 1, at(0)), b.join("b", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", uuid.New(), at(0))
		return err
	})
	b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	result := b.cycle(c, at(1))
	require.False(t, result.Leader.Accepted)
	require.False(t, result.Leads(), "%s: it has not accepted the seat and never may believe in it", result.Action)
}

func anObservationHasAClockOfItsOwn(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	a, c := b.join("a", 1, at(0)), b.join("b", 1, at(0))
	none := election.WithObservation(election.Observation{}, at(0))
	cycle := func(me election.Registration, now time.Time, opt election.CycleOption) (result election.CycleResult) {
		b.do(func(tr kv.Transaction) (err error) {
			result, err = b.RunElectionCycle(tr, me, now, opt)
			return err
		})
		return result
	}
	cycle(a, at(0), none)
	booted := time.Unix(0, 0).Add(5 * time.Second) // a monotonic clock: five seconds since boot
	seen := election.Observation{}.Next(b.leader(), booted)
	result := cycle(c, at(0.001), election.WithObservation(seen, booted.Add(time.Millisecond)))
	require.Equal(t, election.Followed.String(), result.Action.String())
}

func rejoiningGivesWayToANewerIncarnation(t *testing.T, w *world) {
	b := w.initialized()
	b.cycle(b.join("leader", 9, at(0)), at(0))
	old := b.join("p", 1, at(0))
	b.do(func(tr kv.Transaction) error {
		evicted, err := b.EvictDeadCandidates(tr, at(16))
		require.Equal(t, []string{"p"}, evicted)
		return err
	})
	newer := b.join("p", 1, at(0)) // the process that replaced it
	// The old one wakes up between being told that it was evicted and joining again.
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error { return b.RejoinCandidate(tr, old, at(17)) }), fdbelection.ErrDuplicateID)
	err := b.try(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, newer, at(18)) })
	require.NoError(t, err, "the newest incarnation must not be the one that stops")
}

func onlyTheRequestThatStandsIsYieldedTo(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	b.join("first", 1, at(0))
	b.join("second", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "first", uuid.New()) })
	intent := b.cycle(a, at(1)).Request // the leader begins to drain
	b.do(func(tr kv.Transaction) error { return b.CancelRequest(tr, intent.Nonce) })
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "second", uuid.New()) })
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.HandOver(tr, token, intent, at(2))
		require.False(t, yielded)
		return err
	})
	require.Equal(t, "a", b.leader().ID, "the operator had withdrawn that")
	second := b.cycle(a, at(3)).Request
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.HandOver(tr, token, second, at(3))
		require.True(t, yielded)
		return err
	})
	seat := b.leader()
	require.Equal(t, "second", seat.ID)
	require.Equal(t, second.Nonce, seat.Nonce)
	require.Equal(t, election.AcquireTransfer, seat.AcquireReason)
}

func aRequestIsAboutTheIncarnationOfItsTarget(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	target := b.join("b", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "b", uuid.New()) })
	intent := b.cycle(a, at(1)).Request
	require.Equal(t, target.Identity, intent.Identity)
	b.join("b", 1, at(0)) // restarts
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.HandOver(tr, token, intent, at(2))
		require.False(t, yielded)
		return err
	})
	require.True(t, b.leader().HeldBy(a.Identity))
	require.Equal(t, election.NoRequest, b.intent().Kind, "a void request is removed")
}

func evictUnchangedDependsOnlyOnWhomItRemoves(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	alive := b.join("alive", 1, at(0))
	b.join("dead", 1, at(0))
	seen, err := read(b, b.ListCandidates)
	require.NoError(t, err)
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, alive, at(1)) })
	tr := b.open()
	evicted, err := b.EvictUnchanged(tr, seen)
	require.NoError(t, err)
	require.Equal(t, []string{"dead"}, evicted)
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, alive, at(2)) })
	require.NoError(t, tr.Commit(), "it left that candidate alone")
}

func aClockPastTheLatestInstant(t *testing.T, w *world) {
	b := w.initialized(byObservation)
	a := b.join("a", 1, at(0))
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	nothing := election.WithObservation(election.Observation{}, far)
	result := b.cycle(a, far, nothing)
	require.Equal(t, election.Claimed, result.Action)
	stands := b.leader()
	require.True(t, stands.LeaseExpiry.After(stands.AcquiredAt))
	require.Equal(t, result.Leader, stands, "what is returned is what stands")
	renewed := b.acts(election.Renewed, a, far, nothing)
	require.Equal(t, renewed.Leader, b.leader(), "and so with a renewal")
}

func aCounterAtItsEndIsRefused(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	b.cycle(a, at(0))
	// By hand: the candidate's heartbeat counter stands at 2^62, which is read.
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	c, err := read(b, func(tr kv.ReadTransaction) (election.Candidate, error) { return b.GetCandidate(tr, "a") })
	require.NoError(t, err)
	v := subspace.AppendInt(nil, 1)
	v = subspace.AppendInt(v, int64(c.Priority))
	v = subspace.AppendInt(v, c.LastHeartbeat.UnixNano())
	v = subspace.AppendUint(v, 1<<62)
	v = subspace.AppendVersionstamp(v, c.Versionstamp)
	v = subspace.AppendUUID(v, c.Incarnation)
	v = subspace.AppendBool(v, true)
	v = subspace.CloseNested(subspace.OpenNested(v))
	b.do(func(tr kv.Transaction) error { tr.Set(key, v); return nil })
	renewed := b.acts(election.Renewed, a, at(1)) // its leadership does not depend on that record
	require.ErrorIs(t, renewed.Unreadable, fdbelection.ErrInvalidState)
	require.Equal(t, v, b.raw("candidates", "a"), "and it is not overwritten")
}

func theListAgreesWithTheRankOnEqualStamps(t *testing.T, w *world) {
	b := w.initialized()
	b.do(func(tr kv.Transaction) error {
		for i := range 50 {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprintf("c%02d", 49-i), Incarnation: uuid.New()}, Priority: int32(i % 2)}
			if err := b.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	list, err := read(b, b.ListCandidates)
	require.NoError(t, err)
	ranked, err := read(b, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return b.Preferred(tr, 100) })
	require.NoError(t, err)
	var l, r []string
	for i := range list {
		l, r = append(l, list[i].ID), append(r, ranked[i].ID)
	}
	require.Equal(t, r, l)
}

func resigningNeedsNoReadableCandidateRecord(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	b.do(func(tr kv.Transaction) error { tr.Set(key, subspace.AppendInt(nil, 2)); return nil })
	require.NoError(t, b.try(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(1)) }))
}

func oneBadRankRowHidesNoOther(t *testing.T, w *world) {
	b := w.initialized()
	b.join("a", 1, at(0))
	b.do(func(tr kv.Transaction) error {
		tr.Set(subspace.AppendString(subspace.AppendString(b.Subspace().Bytes(), "rank"), "junk"), nil)
		return nil
	})
	ranked, _ := read(b, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return b.Preferred(tr, 5) })
	require.NotEmpty(t, ranked)
}

func aRefusedEvictionDoesNotHideAPendingRegistration(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "me", Incarnation: uuid.New()}}
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error {
		if err := b.RegisterCandidate(tr, me, at(0)); err != nil {
			return err
		}
		_, err := b.EvictDeadCandidates(tr, at(0))
		return err
	}), fdbelection.ErrRegistrationPending)
}

func aLateAcceptanceKeepsTheProtectionOfATransfer(t *testing.T, w *world) {
	b := w.initialized()
	a, c := b.join("a", 9, at(0)), b.join("b", 0, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	nonce := uuid.New()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", nonce, at(0))
		return err
	})
	result := b.cycle(c, at(4.1)) // the acceptance lease is 4 s; or its clock is ahead by as much
	require.True(t, result.Leads())
	require.Equal(t, election.Followed.String(), b.cycle(a, at(4.2)).Action.String(), "%s by %s", result.Action, result.Leader.AcquireReason)
}

func aLeaseThatNoConfigAllowsIsRefused(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	v := subspace.AppendInt(nil, 1)
	v = subspace.AppendUint(subspace.AppendUint(v, 7), 3)
	v = subspace.AppendUUID(subspace.AppendString(v, "ghost"), uuid.New())
	v = subspace.AppendInt(subspace.AppendInt(v, 1), at(0).UnixNano())
	v = subspace.AppendInt(v, math.MaxInt64) // the lease: 292 years
	v = subspace.AppendVersionstamp(v, subspace.Versionstamp{})
	v = subspace.AppendBool(subspace.AppendInt(v, at(0).UnixNano()), true)
	v = subspace.AppendInt(subspace.AppendUUID(v, uuid.New()), 0)
	b.do(func(tr kv.Transaction) error { tr.Set(key, v); return nil })
	_, err = read(b, b.GetLeaderRaw)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "Config bounds every duration by MaxDuration")
}

func registeringAgainMendsTheRank(t *testing.T, w *world) {
	b := w.initialized()
	me := b.join("me", 1, at(0))
	begin, end := b.Subspace().Sub("rank").Range()
	b.do(func(tr kv.Transaction) error { tr.ClearRange(begin, end); return nil })
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, me, at(1)) })
	b.cycle(me, at(1))
	ranked, err := read(b, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return b.Preferred(tr, 5) })
	require.NoError(t, err)
	require.Len(t, ranked, 1, "registering again must mend the index")
}

func aVacancyTellsItsLastHolder(t *testing.T, w *world) {
	b := w.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a := b.join("a", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(1)) })
	require.True(t, b.leader().Vacant())
	state, err := read(b, b.ReadStatus)
	require.NoError(t, err)
	require.Equal(t, election.TermRecord{Token: token, Ballot: state.Leader.Ballot}, state.Term)
	require.Equal(t, b.leader(), state.Leader)
}

func aRequestRunAgainDoesNotOverwriteALaterOne(t *testing.T, w *world) {
	b := w.initialized()
	a := b.join("a", 1, at(0))
	b.join("first", 1, at(0))
	b.join("second", 1, at(0))
	token := b.cycle(a, at(0)).Leader.Token()
	one, two := uuid.New(), uuid.New()
	first := func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "first", one) }
	b.do(first) // its answer: 1021
	second := func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "second", two) }
	require.ErrorIs(t, b.try(second), fdbelection.ErrRequestPending, "two operators do not both succeed")
	b.do(func(tr kv.Transaction) error { return b.CancelRequest(tr, one) })
	b.do(second)
	require.ErrorIs(t, b.try(first), fdbelection.ErrRequestPending) // the retry loop
	require.Equal(t, two, b.intent().Nonce)
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, at(1)) })
	b.do(second)
	require.Equal(t, election.NoRequest, b.intent().Kind, "that tenure has ended, and nothing is asked of the next")
}
