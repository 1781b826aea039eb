package election_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func sec(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Second))) }

func (b *bench) try(fn func(tr kv.Transaction) error) error {
	return b.db.Transact(context.Background(), fn)
}

func (b *bench) open() kv.OwnedTransaction {
	tr, err := b.db.CreateTransaction(context.Background())
	require.NoError(b.t, err)
	b.t.Cleanup(tr.Cancel)
	_, err = tr.GetReadVersion().Get()
	require.NoError(b.t, err)
	return tr
}

func (b *bench) leader() election.Leader {
	l, err := kv.ReadTransact(context.Background(), b.db, b.GetLeaderRaw)
	require.NoError(b.t, err)
	return l
}

func (b *bench) intent() election.Intent {
	i, err := kv.ReadTransact(context.Background(), b.db, b.ReadIntent)
	require.NoError(b.t, err)
	return i
}

func (b *bench) configure(edit func(*fdbelection.Config)) {
	b.do(func(tr kv.Transaction) error {
		c, err := b.ReadConfig(tr)
		if err != nil {
			return err
		}
		edit(&c)
		_, err = b.WriteConfig(tr, c)
		return err
	})
}

func grace10(c *fdbelection.Config) { c.PreemptionGrace = 10 * time.Second }

func TestARequestWhoseTargetIsGoneDoesNotKeepChallengersOut(t *testing.T) {
	for name, gone := range map[string]func(b *bench, target election.Registration){
		"left": func(b *bench, target election.Registration) {
			b.do(func(tr kv.Transaction) error { return b.UnregisterCandidate(tr, target.Identity, sec(1)) })
		},
		"evicted": func(b *bench, _ election.Registration) {
			b.do(func(tr kv.Transaction) error {
				evicted, err := b.EvictDeadCandidates(tr, sec(16))
				require.Contains(b.t, evicted, "target")
				return err
			})
		},
		"demoted": func(b *bench, target election.Registration) {
			target.Role = election.Observer
			b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, target, sec(1)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, grace10)
			a, target := b.join("a", 1), b.join("target", 1)
			token := b.cycle(a, start).Leader.Token()
			b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "target", uuid.New()) })
			for i := 1; i <= 6; i++ {
				require.Equal(t, election.Renewed, b.cycle(a, sec(float64(3*i))).Action)
			}
			gone(b, target)
			intent := b.cycle(a, sec(19)).Intent
			if intent.Kind == election.IntentTransfer { // the leader tries to obey, and to get rid of it
				_ = b.try(func(tr kv.Transaction) error {
					_, _, err := b.Yield(tr, token, intent, sec(19))
					return err
				})
			}
			high := b.join("high", 100)
			require.Equal(t, election.Challenged.String(), b.cycle(high, sec(20)).Action.String(),
				"a strictly higher priority must be able to challenge; the intent that stands is %v to %s", b.intent().Kind, b.intent().Identity)
		})
	}
}

func TestAChallengeOfAnEarlierIncarnationDoesNotKeepOthersOut(t *testing.T) {
	b := newBench(t, grace10)
	a := b.join("a", 1)
	b.cycle(a, start)
	old := b.join("b", 5)
	require.Equal(t, election.Challenged, b.cycle(old, start).Action)
	reborn := b.join("b", 1) // restarted, and it does not outrank the leader any more
	require.Equal(t, election.Followed, b.cycle(reborn, sec(1)).Action)
	c := b.join("c", 3)
	require.Equal(t, election.Challenged.String(), b.cycle(c, sec(1)).Action.String(),
		"the challenge of an incarnation that is gone is void (rule 12)")
}

func TestAClockAheadDoesNotProtectFromPreemption(t *testing.T) {
	b := newBench(t)
	a, high := b.join("a", 1), b.join("high", 9)
	require.Equal(t, election.Claimed, b.cycle(a, start.Add(time.Hour)).Action) // an hour ahead
	require.Equal(t, election.Claimed.String(), b.cycle(high, start).Action.String())
}

func TestAClockSteppedBackDoesNotKeepFromYielding(t *testing.T) {
	b := newBench(t, grace10)
	a, high := b.join("a", 1), b.join("high", 9)
	token := b.cycle(a, start.Add(time.Hour)).Leader.Token()
	challenge := b.cycle(high, start.Add(time.Hour)).Intent
	require.Equal(t, election.IntentChallenge, challenge.Kind)
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.Yield(tr, token, challenge, start)
		require.True(t, yielded)
		return err
	})
}

func TestATransferWhileDisabledKnowsItsOwnSuccess(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	b.join("b", 1)
	token := b.cycle(a, start).Leader.Token()
	b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	nonce := uuid.New()
	transfer := func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", nonce, sec(1))
		return err
	}
	require.NoError(t, b.try(transfer))
	require.NoError(t, b.try(transfer), "the closure run again after an unknown result")
}

func TestASeatNeverAcceptedIsNotLed(t *testing.T) {
	b := newBench(t)
	a, c := b.join("a", 1), b.join("b", 1)
	token := b.cycle(a, start).Leader.Token()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", uuid.New(), start)
		return err
	})
	b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	result := b.cycle(c, sec(1))
	require.False(t, result.Leader.Accepted)
	require.False(t, result.Leads(), "%s: it has not accepted the seat and never may believe in it", result.Action)
}

func TestAnObservationHasAClockOfItsOwn(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	a, c := b.join("a", 1), b.join("b", 1)
	none := election.Observed(election.Observation{}, start)
	cycle := func(me election.Registration, now time.Time, opt election.CycleOption) (result election.CycleResult) {
		b.do(func(tr kv.Transaction) (err error) {
			result, err = b.RunElectionCycle(tr, me, now, opt)
			return err
		})
		return result
	}
	cycle(a, start, none)
	booted := time.Unix(0, 0).Add(5 * time.Second) // a monotonic clock: five seconds since boot
	seen := election.Observation{}.Next(b.leader(), booted)
	result := cycle(c, start.Add(time.Millisecond), election.Observed(seen, booted.Add(time.Millisecond)))
	require.Equal(t, election.Followed.String(), result.Action.String())
}

func TestRejoiningGivesWayToANewerIncarnation(t *testing.T) {
	b := newBench(t)
	b.cycle(b.join("leader", 9), start)
	old := b.join("p", 1)
	b.do(func(tr kv.Transaction) error {
		evicted, err := b.EvictDeadCandidates(tr, sec(16))
		require.Equal(t, []string{"p"}, evicted)
		return err
	})
	newer := b.join("p", 1) // the process that replaced it
	// The old one wakes up between being told that it was evicted and joining again.
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error { return b.RejoinCandidate(tr, old, sec(17)) }), fdbelection.ErrDuplicateID)
	err := b.try(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, newer, sec(18)) })
	require.NoError(t, err, "the newest incarnation must not be the one that stops")
}

func TestOnlyTheRequestThatStandsIsYieldedTo(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	b.join("first", 1)
	b.join("second", 1)
	token := b.cycle(a, start).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "first", uuid.New()) })
	intent := b.cycle(a, sec(1)).Intent // the leader begins to drain
	b.do(func(tr kv.Transaction) error { return b.CancelRequest(tr, intent.Nonce) })
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "second", uuid.New()) })
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.Yield(tr, token, intent, sec(2))
		require.False(t, yielded)
		return err
	})
	require.Equal(t, "a", b.leader().ID, "the operator had withdrawn that")
	second := b.cycle(a, sec(3)).Intent
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.Yield(tr, token, second, sec(3))
		require.True(t, yielded)
		return err
	})
	seat := b.leader()
	require.Equal(t, "second", seat.ID)
	require.Equal(t, second.Nonce, seat.Nonce)
	require.Equal(t, election.OriginTransfer, seat.Origin)
}

func TestARequestIsAboutTheIncarnationOfItsTarget(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	target := b.join("b", 1)
	token := b.cycle(a, start).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "b", uuid.New()) })
	intent := b.cycle(a, sec(1)).Intent
	require.Equal(t, target.Identity, intent.Identity)
	b.join("b", 1) // restarts
	b.do(func(tr kv.Transaction) error {
		_, yielded, err := b.Yield(tr, token, intent, sec(2))
		require.False(t, yielded)
		return err
	})
	require.True(t, b.leader().HeldBy(a.Identity))
	require.Equal(t, election.NoIntent, b.intent().Kind, "a void request is removed")
}

func TestEvictUnchangedDependsOnlyOnWhomItRemoves(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	alive := b.join("alive", 1)
	b.join("dead", 1)
	seen, err := kv.ReadTransact(context.Background(), b.db, b.ListCandidates)
	require.NoError(t, err)
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, alive, sec(1)) })
	tr := b.open()
	evicted, err := b.EvictUnchanged(tr, seen)
	require.NoError(t, err)
	require.Equal(t, []string{"dead"}, evicted)
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, alive, sec(2)) })
	require.NoError(t, tr.Commit(), "it left that candidate alone")
}

func TestAClockPastTheLatestInstant(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	result := b.cycle(a, far)
	require.Equal(t, election.Claimed, result.Action)
	stands := b.leader()
	require.True(t, stands.LeaseExpiry.After(stands.AcquiredAt))
	require.Equal(t, result.Leader, stands, "what is returned is what stands")
}

func TestACounterAtItsEndIsRefused(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	b.cycle(a, start)
	// By hand: the candidate's heartbeat counter stands at 2^62, which is read.
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	c, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) (election.Candidate, error) { return b.GetCandidate(tr, "a") })
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
	err = b.try(func(tr kv.Transaction) error { _, err := b.RunElectionCycle(tr, a, sec(1)); return err })
	if err == nil { // it was accepted: then it must still be readable
		_, err = kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) (election.Candidate, error) { return b.GetCandidate(tr, "a") })
		require.NoError(t, err)
	}
}

func TestTheListAgreesWithTheRankOnEqualStamps(t *testing.T) {
	b := newBench(t)
	b.do(func(tr kv.Transaction) error {
		for i := range 50 {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprintf("c%02d", 49-i), Incarnation: uuid.New()}, Priority: int32(i % 2)}
			if err := b.RegisterCandidate(tr, me, start); err != nil {
				return err
			}
		}
		return nil
	})
	list, err := kv.ReadTransact(context.Background(), b.db, b.ListCandidates)
	require.NoError(t, err)
	ranked, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) ([]election.Ranked, error) { return b.Preferred(tr, 100) })
	require.NoError(t, err)
	var l, r []string
	for i := range list {
		l, r = append(l, list[i].ID), append(r, ranked[i].ID)
	}
	require.Equal(t, r, l)
}

func TestResigningNeedsNoReadableCandidateRecord(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	token := b.cycle(a, start).Leader.Token()
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	b.do(func(tr kv.Transaction) error { tr.Set(key, subspace.AppendInt(nil, 2)); return nil })
	require.NoError(t, b.try(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, sec(1)) }))
}

func TestOneBadRankRowHidesNoOther(t *testing.T) {
	b := newBench(t)
	b.join("a", 1)
	b.do(func(tr kv.Transaction) error {
		tr.Set(subspace.AppendString(subspace.AppendString(b.Subspace().Bytes(), "rank"), "junk"), nil)
		return nil
	})
	ranked, _ := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) ([]election.Ranked, error) { return b.Preferred(tr, 5) })
	require.NotEmpty(t, ranked)
}

func TestTransactRemembersAnAttemptThatMayHaveCommitted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	lost := false
	db := memkv.New(memkv.Options{
		Sleep: func(context.Context, time.Duration) error { return nil },
		Hooks: &memkv.Hooks{
			After: func(_ context.Context, c *memkv.Call) error {
				if c.Kind == memkv.CallCommit && lost {
					lost = false
					return kv.Error{Code: kv.CodeCommitUnknownResult}
				}
				return nil
			},
		},
	})
	b := &bench{LeaderElection: election.New(subspace.New("x")), t: t, db: db}
	b.do(func(tr kv.Transaction) error { _, err := b.Initialize(tr); return err })
	me := b.join("me", 1)
	lost = true
	runs := 0
	err := db.Transact(ctx, func(tr kv.Transaction) error {
		if runs++; runs == 2 {
			cancel() // the caller's time limit
		}
		_, err := b.RunElectionCycle(tr, me, start)
		return err
	})
	require.Error(t, err)
	held := b.leader()
	require.True(t, held.HeldBy(me.Identity), "the first attempt has committed")
	require.NotEqual(t, kv.Absent, kv.OutcomeOf(err), "%v", err)
}

func TestARefusedEvictionDoesNotHideAPendingRegistration(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "me", Incarnation: uuid.New()}}
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error {
		if err := b.RegisterCandidate(tr, me, start); err != nil {
			return err
		}
		_, err := b.EvictDeadCandidates(tr, start)
		return err
	}), fdbelection.ErrRegistrationPending)
}

func TestALateAcceptanceKeepsTheProtectionOfATransfer(t *testing.T) {
	b := newBench(t)
	a, c := b.join("a", 9), b.join("b", 0)
	token := b.cycle(a, start).Leader.Token()
	nonce := uuid.New()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "b", nonce, start)
		return err
	})
	result := b.cycle(c, sec(4.1)) // the acceptance lease is 4 s; or its clock is ahead by as much
	require.True(t, result.Leads())
	require.Equal(t, election.Followed.String(), b.cycle(a, sec(4.2)).Action.String(), "%s by %s", result.Action, result.Leader.Origin)
}

func TestALeaseThatNoConfigAllowsIsRefused(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	key, err := b.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	v := subspace.AppendInt(nil, 1)
	v = subspace.AppendUint(subspace.AppendUint(v, 7), 3)
	v = subspace.AppendUUID(subspace.AppendString(v, "ghost"), uuid.New())
	v = subspace.AppendInt(subspace.AppendInt(v, 1), start.UnixNano())
	v = subspace.AppendInt(v, math.MaxInt64) // the lease: 292 years
	v = subspace.AppendVersionstamp(v, subspace.Versionstamp{})
	v = subspace.AppendBool(subspace.AppendInt(v, start.UnixNano()), true)
	v = subspace.AppendInt(subspace.AppendUUID(v, uuid.New()), 0)
	b.do(func(tr kv.Transaction) error { tr.Set(key, v); return nil })
	_, err = kv.ReadTransact(context.Background(), b.db, b.GetLeaderRaw)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "Config bounds every duration by MaxDuration")
}

func TestRegisteringAgainMendsTheRank(t *testing.T) {
	b := newBench(t)
	me := b.join("me", 1)
	begin, end := b.Subspace().Sub("rank").Range()
	b.do(func(tr kv.Transaction) error { tr.ClearRange(begin, end); return nil })
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, me, sec(1)) })
	b.cycle(me, sec(1))
	ranked, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) ([]election.Ranked, error) { return b.Preferred(tr, 5) })
	require.NoError(t, err)
	require.Len(t, ranked, 1, "registering again must mend the index")
}

func TestAVacancyTellsItsLastHolder(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a := b.join("a", 1)
	token := b.cycle(a, start).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, sec(1)) })
	require.True(t, b.leader().Vacant())
	state, err := kv.ReadTransact(context.Background(), b.db, b.ReadState)
	require.NoError(t, err)
	require.Equal(t, election.Tenure{Token: token}, state.Tenure)
	require.Equal(t, b.leader(), state.Leader)
}

func TestARequestRunAgainDoesNotOverwriteALaterOne(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 1)
	b.join("first", 1)
	b.join("second", 1)
	token := b.cycle(a, start).Leader.Token()
	one, two := uuid.New(), uuid.New()
	first := func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "first", one) }
	b.do(first) // its answer: 1021
	second := func(tr kv.Transaction) error { return b.RequestTransfer(tr, token.Term, "second", two) }
	require.ErrorIs(t, b.try(second), fdbelection.ErrRequestPending, "two operators do not both succeed")
	b.do(func(tr kv.Transaction) error { return b.CancelRequest(tr, one) })
	b.do(second)
	require.ErrorIs(t, b.try(first), fdbelection.ErrRequestPending) // the retry loop
	require.Equal(t, two, b.intent().Nonce)
}
