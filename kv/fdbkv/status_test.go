package fdbkv_test

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// workload holds the counters of the database since its start.
type workload struct{ committed, conflicted int64 }

// readWorkload reads the database's status, as `fdbcli --exec "status json"`
// shows it. The counters start again at zero after a restart.
func readWorkload(t testing.TB, db fdb.Database) workload {
	t.Helper()
	text, err := db.ReadTransact(func(tr fdb.ReadTransaction) (any, error) {
		return tr.Get(fdb.Key("\xff\xff/status/json")).Get()
	})
	require.NoError(t, err)
	type counter struct{ Counter int64 }
	var status struct {
		Cluster struct {
			Workload struct {
				Transactions struct{ Committed, Conflicted counter }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text.([]byte), &status))
	c := status.Cluster.Workload.Transactions
	return workload{c.Committed.Counter, c.Conflicted.Counter}
}

// countedSince waits until the status, which lags by some seconds, has counted the given
// number of further commits. It returns the difference of the counters.
func countedSince(t testing.TB, db fdb.Database, before workload, commits int64) workload {
	t.Helper()
	var now workload
	require.Eventually(t, func() bool {
		now = readWorkload(t, db)
		return now.committed-before.committed >= commits
	}, 2*patience, 500*time.Millisecond, "the status never counted %d commits", commits)
	return workload{now.committed - before.committed, now.conflicted - before.conflicted}
}

// settled waits until the status has counted all commits so far.
func settled(t testing.TB, db fdb.Database) workload {
	t.Helper()
	last := readWorkload(t, db)
	mark := fdb.Key(append(prefix(t), "mark"...))
	for range 2 { // one commit that is not counted yet, then one more period
		_, err := db.Transact(func(tr fdb.Transaction) (any, error) { tr.Set(mark, nil); return nil, nil })
		require.NoError(t, err)
		before := last
		require.Eventually(t, func() bool {
			last = readWorkload(t, db)
			return last.committed > before.committed
		}, 2*patience, 500*time.Millisecond)
	}
	return last
}

// elected is an election with a leader and followers.
type elected struct {
	*election.LeaderElection
	db      *fdbkv.Database
	leader  election.Registration
	token   election.Token
	members []election.Registration
}

// elect creates an election with n candidates. The first one leads.
func elect(t testing.TB, candidates int) *elected {
	t.Helper()
	e := &elected{
		LeaderElection: election.New(subspace.FromBytes(append(prefix(t), "election/"...))),
		db:             open(t, fdbkv.Options{}),
	}
	do := func(fn func(tr kv.Transaction) error) {
		t.Helper()
		require.NoError(t, e.db.Transact(context.Background(), fn))
	}
	do(func(tr kv.Transaction) error {
		_, err := e.InitializeWithConfig(tr, fdbelection.ConfigWithLease(time.Hour))
		return err
	})
	for range candidates {
		me := election.Registration{Identity: election.Identity{ID: uuid.NewString(), Incarnation: uuid.New()}}
		e.members = append(e.members, me)
		do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, time.Now()) })
	}
	e.leader = e.members[0]
	do(func(tr kv.Transaction) error {
		result, err := e.RunElectionCycle(tr, e.leader, time.Now())
		e.token = result.Leader.Token()
		return err
	})
	return e
}

// TestCyclesNeverConflict runs 1,000 concurrent cycles of 50 candidates. The database
// counts the conflicts.
func TestCyclesNeverConflict(t *testing.T) {
	const candidates, cycles = 50, 1000
	e, db := elect(t, candidates), raw(t)
	before := settled(t, db)
	var attempts atomic.Int64
	var group sync.WaitGroup
	for _, me := range e.members {
		group.Go(func() {
			for range cycles / candidates {
				if err := e.db.Transact(t.Context(), func(tr kv.Transaction) error {
					attempts.Add(1)
					_, err := e.RunElectionCycle(tr, me, time.Now())
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	counted := countedSince(t, db, before, cycles)
	t.Logf("%d attempts for %d cycles; the database counted %+v", attempts.Load(), cycles, counted)
	require.EqualValues(t, cycles, attempts.Load(), "attempts")
	require.Zero(t, counted.conflicted, "the database counted conflicts; no other program may use it at the same time")
}

// TestFencedWorkNeverConflictsWithHeartbeats runs 10,000 fenced transactions while the
// leader renews and its followers send heartbeats.
func TestFencedWorkNeverConflictsWithHeartbeats(t *testing.T) {
	const transactions, workers = 10_000, 50
	e, db := elect(t, 5), raw(t)
	p := prefix(t)
	before := settled(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var beats, attempts atomic.Int64
	var beating, working sync.WaitGroup
	for _, me := range e.members {
		beating.Go(func() {
			for ctx.Err() == nil {
				if err := e.db.Transact(t.Context(), func(tr kv.Transaction) error {
					_, err := e.RunElectionCycle(tr, me, time.Now())
					return err
				}); err != nil {
					t.Error(err)
					return
				}
				beats.Add(1)
			}
		})
	}
	for i := range workers {
		working.Go(func() {
			key := below(p, strconv.Itoa(i))
			for range transactions / workers {
				if err := e.db.Transact(t.Context(), func(tr kv.Transaction) error {
					attempts.Add(1)
					tr.Set(key, []byte("work"))
					return e.RequireLeadership(tr, e.token)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	cancel()
	beating.Wait()
	counted := countedSince(t, db, before, transactions+beats.Load())
	t.Logf("%d attempts for %d fenced transactions beside %d cycles; the database counted %+v",
		attempts.Load(), transactions, beats.Load(), counted)
	require.EqualValues(t, transactions, attempts.Load(), "attempts")
	require.Zero(t, counted.conflicted, "the database counted conflicts; no other program may use it at the same time")
}
