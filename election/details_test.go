package election_test

import (
	"context"
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

func (b *bench) key(path ...string) []byte {
	var t subspace.Tuple
	for _, p := range path {
		t = append(t, subspace.String(p))
	}
	key, err := b.Subspace().Pack(t)
	require.NoError(b.t, err)
	return key
}

func (b *bench) conflictsOn(tr kv.OwnedTransaction, path ...string) {
	b.t.(*testing.T).Helper()
	key := b.key(path...)
	b.do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
	require.Equal(b.t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), path)
}

func challenged(t *testing.T) (b *bench, a, c election.Registration, token election.Token, challenge election.Intent) {
	b = newBench(t, grace10)
	a, c = b.join("a", 1), b.join("c", 5)
	token = b.cycle(a, start).Leader.Token()
	challenge = b.cycle(c, start).Intent
	require.Equal(t, election.IntentChallenge, challenge.Kind)
	return b, a, c, token, challenge
}

// The conflict on the intent that an eviction clears.
func TestEvictingAChallengerDependsOnTheIntent(t *testing.T) {
	b, _, _, _, _ := challenged(t)
	tr := b.open()
	evicted, err := b.EvictDeadCandidates(tr, sec(16))
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, evicted)
	b.conflictsOn(tr, "intent")
}

// The conflict on the intent; and the result's Intent.
func TestWithdrawingDependsOnTheIntent(t *testing.T) {
	b, _, c, _, _ := challenged(t)
	c.Priority = 1
	tr := b.open()
	result, err := b.RunElectionCycle(tr, c, sec(1))
	require.NoError(t, err)
	require.Equal(t, election.Withdrew, result.Action)
	require.Equal(t, election.NoIntent, result.Intent.Kind)
	b.conflictsOn(tr, "intent")
}

// The conflicts of removing a void challenge.
func TestRemovingAVoidChallengeDependsOnIt(t *testing.T) {
	for _, key := range []string{"intent", "leader"} {
		b, _, c, token, challenge := challenged(t)
		c.Priority = 1
		b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, c, sec(1)) })
		tr := b.open()
		_, yielded, err := b.Yield(tr, token, challenge, sec(1))
		require.NoError(t, err)
		require.False(t, yielded)
		b.conflictsOn(tr, key)
	}
}

// ElectionEnabled and AllowPreemption.
func TestNoYieldWhereTheConfigForbidsIt(t *testing.T) {
	for _, edit := range []func(*fdbelection.Config){
		func(c *fdbelection.Config) { c.ElectionEnabled = false },
		func(c *fdbelection.Config) { c.AllowPreemption = false },
	} {
		b, _, _, token, challenge := challenged(t)
		b.configure(edit)
		b.do(func(tr kv.Transaction) error {
			_, yielded, err := b.Yield(tr, token, challenge, sec(1))
			require.False(t, yielded)
			return err
		})
		require.Equal(t, token, b.leader().Token())
	}
}

// The nonce, and the author, of the challenge that stands.
func TestAChallengeThatWasReplacedIsNotYieldedTo(t *testing.T) {
	b, _, c, token, challenge := challenged(t)
	other, author := challenge, challenge
	other.Nonce = uuid.New()
	author.Identity = election.Identity{ID: "c", Incarnation: uuid.New()}
	for _, wrong := range []election.Intent{other, author} {
		b.do(func(tr kv.Transaction) error {
			_, yielded, err := b.Yield(tr, token, wrong, sec(1))
			require.False(t, yielded)
			return err
		})
	}
	require.Equal(t, challenge, b.intent(), "nor removed")
	_ = c
}

// Its read must be serialisable.
func TestConcurrentInitialisationsConflict(t *testing.T) {
	b := newBench(t)
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
func TestAVacancyOfAnotherTenureIsNoSuccess(t *testing.T) {
	b := newBench(t)
	token := b.cycle(b.join("a", 1), start).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, start) })
	token.Nonce = uuid.New() // of a database before it was restored
	require.ErrorIs(t, b.try(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, start) }), fdbelection.ErrNotLeader)
}

// The longer of the two.
func TestAMinimumTenureLongerThanTheLeaseProtectsATransferredSeat(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.MinimumTenure = time.Minute })
	a, c := b.join("a", 9), b.join("c", 0)
	token := b.cycle(a, start).Leader.Token()
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, token, "c", uuid.New(), start)
		return err
	})
	for i := 1; i <= 16; i++ {
		require.Equal(t, election.Renewed, b.cycle(c, sec(float64(3*i))).Action)
	}
	require.Equal(t, election.Followed, b.cycle(a, sec(49)).Action)
}

// A request without a nonce.
func TestARequestNeedsANonce(t *testing.T) {
	b := newBench(t)
	token := b.cycle(b.join("a", 1), start).Leader.Token()
	require.ErrorContains(t, b.try(func(tr kv.Transaction) error { return b.RequestResign(tr, token.Term, uuid.Nil) }), "nonce")
}

// An observer need not observe.
func TestAnObserverNeedsNoObservation(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	me := election.Registration{Identity: election.Identity{ID: "o"}, Role: election.Observer}
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, me, start) })
	require.Equal(t, election.Followed, b.cycle(me, start).Action)
}

// A holder whose record is gone registers again while it drains, and
// vacates as an observer (actions Draining and Vacated without a record).
func TestAHolderWithoutARecordDrainsAndVacates(t *testing.T) {
	for want, change := range map[election.Action]func(b *bench, me *election.Registration){
		election.Draining: func(b *bench, _ *election.Registration) {
			b.configure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		},
		election.Vacated: func(_ *bench, me *election.Registration) { me.Role = election.Observer },
	} {
		b := newBench(t)
		me := b.join("a", 1)
		b.cycle(me, start)
		b.do(func(tr kv.Transaction) error { tr.Clear(b.key("candidates", "a")); return nil })
		change(b, &me)
		require.Equal(t, want, b.cycle(me, sec(1)).Action)
	}
}

// A refresh writes the priority of the candidate record.
func TestARefreshTakesThePriorityOfTheRecord(t *testing.T) {
	b := newBench(t)
	me := b.join("a", 1)
	token := b.cycle(me, start).Leader.Token()
	me.Priority = 8
	b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, me, start) })
	b.do(func(tr kv.Transaction) error { _, err := b.RefreshLease(tr, token, sec(1)); return err })
	require.EqualValues(t, 8, b.leader().Priority)
}

// Preferred reads by snapshot.
func TestPreferredNeverConflicts(t *testing.T) {
	b := newBench(t)
	b.join("a", 1)
	tr := b.open()
	_, err := b.Preferred(tr, 5)
	require.NoError(t, err)
	tr.Set([]byte("application"), nil)
	b.join("b", 9)
	require.NoError(t, tr.Commit())
}

// EvictUnchanged is bounded.
func TestEvictUnchangedIsBounded(t *testing.T) {
	b := newBench(t)
	const n = election.MaxEvictions + 1
	b.do(func(tr kv.Transaction) error {
		for i := range n {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprint(i)}, UserVersion: uint16(i)}
			if err := b.RegisterCandidate(tr, me, start); err != nil {
				return err
			}
		}
		return nil
	})
	seen, err := kv.ReadTransact(context.Background(), b.db, b.ListCandidates)
	require.NoError(t, err)
	require.Len(t, seen, n)
	b.do(func(tr kv.Transaction) error {
		evicted, err := b.EvictUnchanged(tr, seen)
		require.Len(t, evicted, election.MaxEvictions)
		return err
	})
}

// Nothing is written where the limit is zero, not even an end.
func TestNoHistoryAtLimitZero(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	token := b.cycle(b.join("a", 1), start).Leader.Token()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, start) })
	events, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) ([]election.Event, error) { return b.History(tr, 0) })
	require.NoError(t, err)
	require.Empty(t, events)
}

// A record of well-formed tuples whose fields make no sense is refused by name.
func TestAbsurdFieldsAreRefused(t *testing.T) {
	stamp := subspace.Versionstamp{Transaction: [10]byte{1}}
	i, u, s := subspace.AppendInt, subspace.AppendUint, subspace.AppendString
	leader := func(ballot, term uint64, lease int64) []byte {
		v := s(u(u(i(nil, 1), ballot), term), "x")
		v = i(i(i(subspace.AppendUUID(v, uuid.New()), 1), start.UnixNano()), lease)
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
		b := newBench(t)
		key := b.key(c.path...)
		b.do(func(tr kv.Transaction) error { tr.Set(key, c.value); return nil })
		err := b.try(func(tr kv.Transaction) error {
			return b.UnregisterCandidate(tr, election.Identity{ID: "me", Incarnation: uuid.New()}, start)
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
