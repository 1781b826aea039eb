package election_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// bench is one election on a memkv whose counters the test reads.
type bench struct {
	*election.LeaderElection
	t  testing.TB
	db *memkv.DB
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newBench(t testing.TB, edits ...func(*fdbelection.Config)) *bench {
	t.Helper()
	b := &bench{LeaderElection: election.New(subspace.New("bench")), t: t, db: memkv.New(memkv.Options{})}
	config := fdbelection.RecipeConfig()
	for _, edit := range edits {
		edit(&config)
	}
	b.do(func(tr kv.Transaction) error {
		_, err := b.InitializeWithConfig(tr, config)
		return err
	})
	return b
}

func (b *bench) do(fn func(tr kv.Transaction) error) {
	b.t.Helper()
	require.NoError(b.t, b.db.Transact(context.Background(), fn))
}

func (b *bench) join(id string, priority int32) election.Registration {
	b.t.Helper()
	me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Priority: priority}
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, me, start) })
	return me
}

func (b *bench) cycle(me election.Registration, now time.Time) (result election.CycleResult) {
	b.t.Helper()
	b.do(func(tr kv.Transaction) (err error) {
		result, err = b.RunElectionCycle(tr, me, now)
		return err
	})
	return result
}

// TestRule02_one_wave_of_reads checks that every function reads in one wave. The exceptions
// that the design allows are separate cases.
func TestRule02_one_wave_of_reads(t *testing.T) {
	grace := func(c *fdbelection.Config) { c.PreemptionGrace = time.Second }
	b := newBench(t, grace)
	leader, follower, challenger := b.join("leader", 1), b.join("follower", 1), b.join("challenger", 2)
	first := b.cycle(leader, start)
	token := first.Leader.Token()
	nonce := uuid.New()
	late := start.Add(time.Minute)
	request := b.cycle(challenger, start).Request
	fresh := election.Registration{Identity: election.Identity{ID: "fresh"}}
	calls := []struct {
		name  string
		waves int64
		call  func(tr kv.Transaction) error
	}{
		{"Initialize", 1, func(tr kv.Transaction) error { _, err := b.Initialize(tr); return err }},
		{"ReadConfig", 1, func(tr kv.Transaction) error { _, err := b.ReadConfig(tr); return err }},
		{"WriteConfig", 1, func(tr kv.Transaction) error {
			_, err := b.WriteConfig(tr, fdbelection.ConfigWithLease(time.Hour))
			return err
		}},
		{"RegisterCandidate", 1, func(tr kv.Transaction) error { return b.RegisterCandidate(tr, fresh, start) }},
		{"RegisterCandidate again", 1, func(tr kv.Transaction) error { return b.RegisterCandidate(tr, follower, start) }},
		{"HeartbeatCandidate", 1, func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, follower, start) }},
		{"UnregisterCandidate", 1, func(tr kv.Transaction) error { return b.UnregisterCandidate(tr, leader.Identity, start) }},
		{"GetCandidate", 1, func(tr kv.Transaction) error { _, err := b.GetCandidate(tr, "leader"); return err }},
		{"ListCandidates", 1, func(tr kv.Transaction) error { _, err := b.ListCandidates(tr); return err }},
		{"EvictDeadCandidates", 1, func(tr kv.Transaction) error { _, err := b.EvictDeadCandidates(tr, late); return err }},
		{"EvictUnchanged", 1, func(tr kv.Transaction) error {
			seen := []election.Candidate{{Registration: follower}, {Registration: challenger}}
			_, err := b.EvictUnchanged(tr, seen)
			return err
		}},
		{"TryClaimLeadership", 1, func(tr kv.Transaction) error {
			_, err := b.TryClaimLeadership(tr, follower.Identity, late)
			return err
		}},
		{"RefreshLease", 1, func(tr kv.Transaction) error { _, err := b.RefreshLease(tr, token, start); return err }},
		{"ResignLeadership", 1, func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, start) }},
		{"IsLeader", 1, func(tr kv.Transaction) error { _, err := b.IsLeader(tr, leader.Identity, start); return err }},
		{"GetLeader", 1, func(tr kv.Transaction) error { _, _, err := b.GetLeader(tr, start); return err }},
		{"GetLeaderRaw", 1, func(tr kv.Transaction) error { _, err := b.GetLeaderRaw(tr); return err }},
		{"RunElectionCycle, leader", 1, func(tr kv.Transaction) error {
			_, err := b.RunElectionCycle(tr, leader, start, election.WithObservation(election.Observation{}, start))
			return err
		}},
		{"RunElectionCycle, leader with a preemption request", 2, func(tr kv.Transaction) error { _, err := b.RunElectionCycle(tr, leader, start); return err }},
		{"RunElectionCycle, follower", 1, func(tr kv.Transaction) error { _, err := b.RunElectionCycle(tr, follower, start); return err }},
		{"RunElectionCycle, challenger", 1, func(tr kv.Transaction) error { _, err := b.RunElectionCycle(tr, challenger, start); return err }},
		{"RunElectionCycle, claim", 1, func(tr kv.Transaction) error { _, err := b.RunElectionCycle(tr, follower, late); return err }},
		{"RequireLeadership", 1, func(tr kv.Transaction) error { return b.RequireLeadership(tr, token) }},
		{"TransferLeadership", 1, func(tr kv.Transaction) error {
			_, err := b.TransferLeadership(tr, token, "follower", nonce, start)
			return err
		}},
		{"HandOver", 1, func(tr kv.Transaction) error { _, _, err := b.HandOver(tr, token, request, start); return err }},
		{"RejoinCandidate", 1, func(tr kv.Transaction) error { return b.RejoinCandidate(tr, fresh, start) }},
		{"ReadStatus", 1, func(tr kv.Transaction) error { _, err := b.ReadStatus(tr); return err }},
		{"CancelRequest", 1, func(tr kv.Transaction) error { return b.CancelRequest(tr, nonce) }},
		{"RequestResign", 1, func(tr kv.Transaction) error { return b.RequestResign(tr, 1, nonce) }},
		{"RequestTransfer", 1, func(tr kv.Transaction) error { return b.RequestTransfer(tr, 1, "follower", nonce) }},
		{"ReadRequest", 1, func(tr kv.Transaction) error { _, err := b.ReadRequest(tr); return err }},
		{"Settle", 1, func(tr kv.Transaction) error { _, err := b.Settle(tr); return err }},
		{"Shortlist", 1, func(tr kv.Transaction) error { _, err := b.Shortlist(tr, 3); return err }},
		{"BeginOverview, twice before Await", 1, func(tr kv.Transaction) error {
			first, second := b.BeginOverview(tr, 3), b.BeginOverview(tr, 3)
			_, firstErr := first.Await()
			_, secondErr := second.Await()
			return errors.Join(firstErr, secondErr)
		}},
		{"History", 1, func(tr kv.Transaction) error { _, err := b.History(tr, 3); return err }},
	}
	for _, test := range calls {
		t.Run(test.name, func(t *testing.T) {
			tr, err := b.db.CreateTransaction(context.Background())
			require.NoError(t, err)
			defer tr.Cancel()
			before := b.db.Counters()
			require.NoError(t, test.call(tr))
			require.Equal(t, test.waves, b.db.Counters().Sub(before).ReadWaves)
		})
	}
	t.Run("the first claim of an election looks for a lost leader record", func(t *testing.T) {
		b := newBench(t)
		me := b.join("me", 1)
		before := b.db.Counters()
		require.Equal(t, election.Claimed, b.cycle(me, start).Action)
		require.EqualValues(t, 2, b.db.Counters().Sub(before).ReadWaves)
	})
}

// TestInvariant15_followers_write_only_their_own_record compares all records before and after
// the cycles of a follower and an observer.
func TestInvariant15_followers_write_only_their_own_record(t *testing.T) {
	b := newBench(t)
	b.cycle(b.join("leader", 5), start)
	observer := election.Registration{Identity: election.Identity{ID: "observer"}, Role: election.Observer}
	b.do(func(tr kv.Transaction) error { return b.RegisterCandidate(tr, observer, start) })
	for _, me := range []election.Registration{b.join("follower", 1), observer} {
		begin, end := subspace.New("bench").Range()
		before := rows(t, b.db, begin, end)
		require.Equal(t, election.Followed, b.cycle(me, start.Add(time.Second)).Action)
		var changed []string
		for i, row := range rows(t, b.db, begin, end) {
			require.Equal(t, before[i].Key, row.Key)
			if !bytes.Equal(before[i].Value, row.Value) {
				key, err := subspace.New("bench").Unpack(row.Key)
				require.NoError(t, err)
				changed = append(changed, key.String())
			}
		}
		require.Equal(t, []string{fmt.Sprintf(`("candidates", %q)`, me.ID)}, changed)
	}
}

func rows(t *testing.T, db kv.Database, begin, end []byte) []kv.KeyValue {
	t.Helper()
	all, err := kv.ReadTransact(context.Background(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	return all
}

// TestFollowersCauseNoConflicts interleaves 10 000 cycles of one leader and 100 followers. Each
// cycle is held open while the next ones begin.
func TestFollowersCauseNoConflicts(t *testing.T) {
	const followers, cycles, overlap = 100, 10_000, 7
	b := newBench(t)
	processes := []election.Registration{b.join("leader", 9)}
	require.Equal(t, election.Claimed, b.cycle(processes[0], start).Action)
	for i := range followers {
		processes = append(processes, b.join(fmt.Sprintf("follower-%d", i), 1))
	}
	before := b.db.Counters()
	var open []kv.OwnedTransaction
	now := start
	for i := range cycles {
		now = now.Add(time.Millisecond)
		tr, err := b.db.CreateTransaction(context.Background())
		require.NoError(t, err)
		result, err := b.RunElectionCycle(tr, processes[i%len(processes)], now)
		require.NoError(t, err)
		require.Equal(t, i%len(processes) == 0, result.Leads())
		if open = append(open, tr); len(open) > overlap {
			require.NoError(t, open[0].Commit())
			open = open[1:]
		}
	}
	for _, tr := range open {
		require.NoError(t, tr.Commit())
	}
	did := b.db.Counters().Sub(before)
	t.Logf("%d cycles, %d commits, %d conflicts", cycles, did.Commits, did.Conflicts)
	require.EqualValues(t, cycles, did.Commits)
	require.Zero(t, did.Conflicts)
}

// TestFencedWorkAcrossRenewalsAndTenures holds 1 000 fenced transactions open during renewals,
// and 1 000 during a change of tenure.
func TestFencedWorkAcrossRenewalsAndTenures(t *testing.T) {
	const transactions = 1000
	b := newBench(t)
	me := b.join("me", 1)
	token := b.cycle(me, start).Leader.Token()
	begin := func() []kv.OwnedTransaction {
		open := make([]kv.OwnedTransaction, transactions)
		for i := range open {
			tr, err := b.db.CreateTransaction(context.Background())
			require.NoError(t, err)
			require.NoError(t, b.RequireLeadership(tr, token))
			tr.Set(fmt.Appendf(nil, "application/%d", i), []byte("work"))
			open[i] = tr
			if i%10 == 0 {
				require.Equal(t, election.Renewed, b.cycle(me, start).Action)
			}
		}
		return open
	}
	before := b.db.Counters()
	for _, tr := range begin() {
		require.NoError(t, tr.Commit())
	}
	require.Zero(t, b.db.Counters().Sub(before).Conflicts)
	open := begin()
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, token, start) })
	before = b.db.Counters()
	for _, tr := range open {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()))
	}
	require.EqualValues(t, transactions, b.db.Counters().Sub(before).Conflicts)
}
