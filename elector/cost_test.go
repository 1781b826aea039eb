package elector_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// metered counts the bytes that one process reads.
type metered struct {
	kv.Database
	read atomic.Int64
}

func (m *metered) Transact(ctx context.Context, fn func(kv.Transaction) error) error {
	var used memkv.Counters
	defer func() { m.read.Add(used.BytesRead) }()
	return m.Database.Transact(ctx, func(tr kv.Transaction) error {
		err := fn(tr)
		used, _ = memkv.CountersOf(tr)
		return err
	})
}

func (m *metered) ReadTransact(ctx context.Context, fn func(kv.ReadTransaction) error) error {
	var used memkv.Counters
	defer func() { m.read.Add(used.BytesRead) }()
	return m.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		err := fn(tr)
		used, _ = memkv.CountersOf(tr)
		return err
	})
}

func (m *metered) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := m.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	return &meteredTransaction{tr, m}, nil
}

// meteredTransaction counts when its owner cancels it at the end.
type meteredTransaction struct {
	kv.OwnedTransaction
	meter *metered
}

func (t *meteredTransaction) Cancel() {
	used, _ := memkv.CountersOf(t.OwnedTransaction)
	t.meter.read.Add(used.BytesRead)
	t.OwnedTransaction.Cancel()
}

// cost is the cost of n candidates in one election.
type cost struct {
	leader   int64   // bytes that the leader reads in one candidate timeout
	follower int64   // the same for a follower, on average
	failOver int64   // bytes that a process reads while the leader dies and another one takes over, on average
	heap     float64 // KiB of a process
}

// costOf measures n candidates with the default config in virtual time: first without a
// change, then during a fail-over.
func costOf(t *testing.T, n int) (c cost) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		const timeouts = 4
		config := eager(fdbelection.DefaultConfig())
		f := newCrowd(t, memkv.Options{})
		meters := make([]*metered, 0, n)
		f.wrap = func(db kv.Database) kv.Database {
			meters = append(meters, &metered{Database: db})
			return meters[len(meters)-1]
		}
		read := func() (all int64) {
			for _, m := range meters {
				all += m.read.Load()
			}
			return all
		}
		_, before := footprint()
		f.enter(n, config.CandidateTimeout/time.Duration(n), config, elector.Callbacks{})
		time.Sleep(2 * config.CandidateTimeout)
		synctest.Wait()
		_, after := footprint()
		c.heap = float64(after-before) / 1024 / float64(n)

		require.Equal(t, "n000", f.leader().ID)
		all, leader, total := read(), meters[0].read.Load(), f.db.Counters()
		time.Sleep(timeouts * config.CandidateTimeout)
		synctest.Wait()
		require.Equal(t, f.db.Counters().Sub(total).BytesRead, read()-all, "a read is not metered")
		c.leader = (meters[0].read.Load() - leader) / timeouts
		c.follower = (read()-all)/timeouts/int64(n-1) - c.leader/int64(n-1)

		all = read()
		f.electors[0].Abandon()
		for f.leader().Term == 1 {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(config.HeartbeatInterval)
		synctest.Wait()
		c.failOver = (read() - all) / int64(n-1)
		for _, el := range f.electors {
			el.Abandon()
		}
	})
	return c
}

// The cost of a process does not depend on the number of candidates. Only the leader reads
// all of them. COSTS=10,200,2000 measures other numbers of candidates.
func TestCostOfCandidates(t *testing.T) {
	sizes := []int{10, 200}
	if s := os.Getenv("COSTS"); s != "" {
		sizes = nil
		for size := range strings.SplitSeq(s, ",") {
			n, err := strconv.Atoi(size)
			require.NoError(t, err)
			sizes = append(sizes, n)
		}
	}
	costs := make([]cost, len(sizes))
	for i, n := range sizes {
		costs[i] = costOf(t, n)
		t.Logf("%d candidates: in %s the leader reads %d bytes and a follower %d; a fail-over reads %d per process; %.1f KiB of heap each",
			n, fdbelection.DefaultConfig().CandidateTimeout, costs[i].leader, costs[i].follower, costs[i].failOver, costs[i].heap)
	}
	for _, c := range costs {
		require.InEpsilon(t, costs[0].follower, c.follower, 0.25)
		require.InEpsilon(t, costs[0].failOver, c.failOver, 0.5)
	}
}
