package elector_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// candidate is an elector of a benchmark. elected gets the time of each election.
type candidate struct {
	*elector.Elector
	elected chan time.Time
}

// enter starts a candidate in the background.
func enter(b *testing.B, db kv.Database, space subspace.Subspace, lease time.Duration) *candidate {
	b.Helper()
	c := &candidate{elected: make(chan time.Time, 16)}
	config := eager(fdbelection.ConfigWithLease(lease))
	config.AllowPreemption = false
	el, err := elector.New(db, election.New(space), elector.Options{
		Config: config,
		Callbacks: elector.Callbacks{OnElected: func(context.Context, elector.Transition) {
			c.elected <- time.Now()
		}},
	})
	require.NoError(b, err)
	c.Elector = el
	require.NoError(b, el.Start(b.Context()))
	b.Cleanup(func() { _ = el.Stop(context.Background()) })
	return c
}

// follows waits until a candidate follows a leader and has listed the candidates.
func follows(b *testing.B, c *candidate) {
	b.Helper()
	patience := time.Now().Add(10 * time.Second)
	for c.State() != elector.StateFollower || len(c.ClusterState().Voters) == 0 {
		require.True(b, time.Now().Before(patience), "not a follower: %s", c.State())
		time.Sleep(100 * time.Microsecond)
	}
}

func reportQuantiles(b *testing.B, unit string, took []time.Duration, per time.Duration) {
	b.Helper()
	slices.Sort(took)
	for _, q := range []int{50, 99} {
		b.ReportMetric(float64(took[min(len(took)-1, len(took)*q/100)])/float64(per), fmt.Sprintf("p%d-%s", q, unit))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHandOver measures a hand-over, from the call of Stop to the successor's OnElected.
func BenchmarkHandOver(b *testing.B) {
	db := memkv.New(memkv.Options{})
	var took []time.Duration
	space := subspace.New("election")
	leader := enter(b, db, space, 10*time.Second)
	<-leader.elected
	for b.Loop() {
		successor := enter(b, db, space, 10*time.Second)
		follows(b, successor)
		start := time.Now()
		require.NoError(b, leader.Stop(b.Context()))
		took = append(took, (<-successor.elected).Sub(start))
		leader = successor
	}
	reportQuantiles(b, "µs", took, time.Microsecond)
}

// BenchmarkCrash measures the time from the last committed renewal of a crashed leader to
// the successor's OnElected, minus the lease. It reports milliseconds and heartbeats.
func BenchmarkCrash(b *testing.B) {
	const lease, heartbeat = 600 * time.Millisecond, 200 * time.Millisecond
	db := memkv.New(memkv.Options{})
	var took []time.Duration
	space := subspace.New("election")
	e := election.New(space)
	leader := enter(b, db, space, lease)
	<-leader.elected
	for b.Loop() {
		successor := enter(b, db, space, lease)
		follows(b, successor)
		for len(successor.ClusterState().Voters) > 2 { // otherwise it waits for candidates that crashed earlier
			time.Sleep(time.Millisecond)
		}
		time.Sleep(heartbeat + time.Duration(len(took)%20)*heartbeat/20) // long enough to poll in phase with the renewals
		leader.Abandon()
		record, err := kv.ReadTransact(b.Context(), db, e.GetLeaderRaw)
		require.NoError(b, err)
		renewed := record.LeaseExpiry.Add(-lease)
		took = append(took, (<-successor.elected).Sub(renewed)-lease)
		leader = successor
	}
	reportQuantiles(b, "ms-after-the-lease", took, time.Millisecond)
	reportQuantiles(b, "of-a-heartbeat", took, heartbeat)
}

// BenchmarkFootprint measures the goroutines and the heap and stack of one elector.
func BenchmarkFootprint(b *testing.B) {
	const electors, lease = 200, 10 * time.Second
	for b.Loop() {
		b.StopTimer()
		db := memkv.New(memkv.Options{})
		goroutines, bytes := footprint()
		var all []*candidate
		for i := range electors {
			all = append(all, enter(b, db, subspace.New("election", strconv.Itoa(i)), lease))
		}
		for _, c := range all {
			<-c.elected
		}
		for _, c := range all {
			for len(c.ClusterState().Voters) == 0 {
				runtime.Gosched()
			}
		}
		time.Sleep(lease / 10) // its own claim fires the watch, which is then armed again
		g, n := footprint()
		b.ReportMetric(float64(g-goroutines)/electors, "goroutines/elector")
		b.ReportMetric(float64(n-bytes)/electors/1024, "KiB/elector")
		for _, c := range all {
			require.NoError(b, c.Stop(b.Context()))
		}
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}

func footprint() (goroutines int, bytes uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapInuse + m.StackInuse
}

// BenchmarkNotReady measures from the return of the check that says that the leader is not
// ready to the successor's OnElected. The work returns at once. Each round also measures a
// bare commit, watch, read and commit on the same store.
func BenchmarkNotReady(b *testing.B) {
	b.Run("memkv", func(b *testing.B) { benchmarkNotReady(b, memkv.New(memkv.Options{})) })
	b.Run("filekv", func(b *testing.B) {
		db, err := filekv.Open(filepath.Join(b.TempDir(), "store"), filekv.Options{})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, db.Close()) })
		benchmarkNotReady(b, db)
	})
}

func benchmarkNotReady(b *testing.B, db kv.Database) {
	b.Helper()
	space := subspace.New("election")
	var took, bare []time.Duration
	enter := func() *checkedCandidate {
		c := &checkedCandidate{elected: make(chan time.Time, 1), failed: make(chan time.Time, 1), fails: make(chan struct{})}
		config := eager(fdbelection.ConfigWithLease(10 * time.Second))
		config.AllowPreemption = false
		el, err := elector.New(db, election.New(space), elector.Options{Config: config, Ready: c.ready, ReadyInterval: time.Nanosecond, ReadyLimit: time.Minute})
		require.NoError(b, err)
		c.Elector = el
		go func() {
			_ = el.Run(b.Context(), func(ctx context.Context, _ *elector.Leadership) error {
				c.elected <- time.Now()
				<-ctx.Done()
				return nil
			})
		}()
		b.Cleanup(func() { _ = el.Stop(context.Background()) })
		return c
	}
	leader := enter()
	<-leader.elected
	for b.Loop() {
		successor := enter()
		for c := successor.ClusterState(); successor.State() != elector.StateFollower || len(c.Voters) == 0 || c.NotReady != ""; c = successor.ClusterState() {
			time.Sleep(100 * time.Microsecond)
		}
		leader.fails <- struct{}{}
		start := <-leader.failed
		took = append(took, (<-successor.elected).Sub(start))
		require.NoError(b, leader.Stop(b.Context()))
		bare = append(bare, bareHandOver(b, db, space.Sub("bare").Bytes()))
		leader = successor
	}
	reportQuantiles(b, "µs", took, time.Microsecond)
	reportQuantiles(b, "µs-bare", bare, time.Microsecond)
	b.ReportMetric(float64(took[len(took)/2])/float64(bare[len(bare)/2]), "p50-of-bare")
}

// checkedCandidate is an elector whose readiness check waits until it is to fail.
type checkedCandidate struct {
	*elector.Elector
	elected, failed chan time.Time
	fails           chan struct{}
	checked         bool
}

// ready returns nil at first. The next call returns an error when fails is closed, and the
// one after that does not return.
func (c *checkedCandidate) ready(ctx context.Context) error {
	if !c.checked {
		c.checked = true
		return nil
	}
	select {
	case <-c.fails:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.fails = nil
	c.failed <- time.Now()
	return errors.New("not ready")
}

// bareHandOver measures the least that a hand-over needs: a commit, a watch that fires, a
// read and another commit.
func bareHandOver(b *testing.B, db kv.Database, key []byte) time.Duration {
	b.Helper()
	var watch kv.Watch
	require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
		watch = tr.Watch(key)
		return nil
	}))
	done := make(chan time.Time)
	go func() {
		<-watch.Done()
		_ = db.Transact(b.Context(), func(tr kv.Transaction) error {
			if _, err := tr.Get(key).Get(); err != nil {
				return err
			}
			tr.Set(key, []byte("successor"))
			return nil
		})
		done <- time.Now()
	}()
	start := time.Now()
	require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
		tr.Set(key, []byte(start.String()))
		return nil
	}))
	return (<-done).Sub(start)
}
