package member_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// fleet is a group of members on the real clock, without work.
type fleet struct {
	b       *testing.B
	db      *memkv.DB
	group   *group.Group
	config  group.Config
	members []*member.Member

	mu      sync.Mutex
	leads   map[string]*member.Member
	changed chan struct{}
}

func newFleet(b *testing.B, lease time.Duration, shards, members int) *fleet {
	f := &fleet{
		b: b, db: memkv.New(memkv.Options{}), group: group.New(subspace.New("g")), leads: make(map[string]*member.Member, shards),
		changed: make(chan struct{}, 1), config: group.ConfigWithLease(lease),
	}
	f.config.MaxMoves, f.config.SettleDelay = group.MaxBatch, 0
	require.NoError(b, f.db.Transact(b.Context(), func(tr kv.Transaction) error {
		_, err := f.group.Initialize(tr, f.config)
		return err
	}))
	names := make([]string, shards)
	for i := range names {
		names[i] = fmt.Sprintf("shard-%06d", i)
	}
	for batch := range slices.Chunk(names, group.MaxBatch) {
		require.NoError(b, f.db.Transact(b.Context(), func(tr kv.Transaction) error {
			_, err := f.group.CreateShards(tr, batch, time.Now())
			return err
		}))
	}
	for range members {
		f.start()
	}
	return f
}

// start adds a member.
func (f *fleet) start() *member.Member {
	m, err := member.New(f.db, f.group, member.Options{ID: fmt.Sprintf("member-%02d", len(f.members))})
	require.NoError(f.b, err)
	f.members = append(f.members, m)
	set := func(shard *member.Shard, leader *member.Member) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if leader == nil && f.leads[shard.Name()] != m {
			return
		}
		f.leads[shard.Name()] = leader
		select {
		case f.changed <- struct{}{}:
		default:
		}
	}
	require.NoError(f.b, m.Start(f.b.Context(), member.Callbacks{
		OnAcquire: func(shard *member.Shard) error { set(shard, m); return nil },
		OnRelease: func(shard *member.Shard) { set(shard, nil) },
	}))
	f.b.Cleanup(m.Abandon)
	return m
}

// await waits until the shards are led as wanted.
func (f *fleet) await(wanted func(shares map[*member.Member]int) bool) {
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		f.mu.Lock()
		shares := make(map[*member.Member]int)
		for _, m := range f.leads {
			shares[m]++
		}
		f.mu.Unlock()
		if wanted(shares) {
			return
		}
		select {
		case <-f.changed:
		case <-deadline.C:
			f.b.Fatalf("shares: %v", shares)
		}
	}
}

// even reports whether n shards are led by so many members, evenly.
func even(n, members int) func(map[*member.Member]int) bool {
	return func(shares map[*member.Member]int) bool {
		if len(shares) != members || shares[nil] > 0 {
			return false
		}
		for _, count := range shares {
			if count < n/members || count > n/members+1 {
				return false
			}
		}
		return true
	}
}

// BenchmarkDeath measures from the end of the lease of a dead member, counted from its last
// heartbeat, until its shards are led again.
func BenchmarkDeath(b *testing.B) {
	const shards, lease = 10_000, 2 * time.Second
	var beyond []time.Duration
	for range b.N {
		f := newFleet(b, lease, shards, 5)
		f.await(even(shards, 5))
		died := time.Now()
		victim := f.members[2]
		last := died.Add(victim.Status().Beat.Sub(elector.SystemClock().Now()))
		victim.Abandon()
		f.await(func(shares map[*member.Member]int) bool { return shares[victim] == 0 && even(shards, 4)(shares) })
		beyond = append(beyond, time.Since(last)-lease)
		for _, m := range f.members {
			m.Abandon()
		}
	}
	slices.Sort(beyond)
	b.ReportMetric(float64(beyond[len(beyond)/2].Microseconds())/1000, "ms-beyond-lease")
	b.ReportMetric(float64(beyond[len(beyond)-1].Microseconds())/1000, "ms-beyond-lease-max")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStop measures from the call of Stop until all shards of the member are led elsewhere.
func BenchmarkStop(b *testing.B) {
	const shards = 10_000
	var took []time.Duration
	for range b.N {
		f := newFleet(b, 10*time.Second, shards, 5)
		f.await(even(shards, 5))
		begin := time.Now()
		require.NoError(b, f.members[2].Stop(context.Background()))
		f.await(even(shards, 4))
		took = append(took, time.Since(begin))
		for _, m := range f.members {
			m.Abandon()
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart measures from the start of a process in a group of 100,000 shards until it
// knows all of them, and the memory per shard.
func BenchmarkStart(b *testing.B) {
	const shards = 100_000
	f := newFleet(b, 10*time.Second, shards, 0)
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	var took []time.Duration
	for b.Loop() {
		m, err := member.New(f.db, f.group, member.Options{})
		require.NoError(b, err)
		f.members = append(f.members, m)
		begin := time.Now()
		require.NoError(b, m.Observe(b.Context()))
		require.NoError(b, m.WaitSynced(b.Context()))
		took = append(took, time.Since(begin))
	}
	b.ReportMetric(float64(heap()-before)/float64(len(took)*shards), "B/shard")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms")
	b.ReportMetric(0, "ns/op")
	for _, m := range f.members {
		m.Abandon()
	}
}

// BenchmarkLeader measures what a router pays for an answer.
func BenchmarkLeader(b *testing.B) {
	const shards = 10_000
	f := newFleet(b, 10*time.Second, shards, 1)
	f.await(even(shards, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.members[0].Leader("shard-004711"); !ok {
			b.Fatal("it is not led")
		}
	}
}
