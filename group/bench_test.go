package group_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// bench is one group on a memkv.
type bench struct {
	*group.Group
	t  testing.TB
	db *memkv.DB
}

func newBench(t testing.TB, space subspace.Subspace, opts memkv.Options) *bench {
	t.Helper()
	b := &bench{group.New(space), t, memkv.New(opts)}
	b.do(func(tr kv.Transaction) error {
		_, err := b.Initialize(tr, group.DefaultConfig())
		return err
	})
	return b
}

func (b *bench) do(fn func(tr kv.Transaction) error) {
	b.t.Helper()
	require.NoError(b.t, b.db.Transact(context.Background(), fn))
}

// create adds shards, a batch at a time, and returns their names.
func (b *bench) create(n int, name func(i int) string) []string {
	b.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	for from := 0; from < n; from += group.MaxBatch {
		b.do(func(tr kv.Transaction) error {
			_, err := b.CreateShards(tr, names[from:min(from+group.MaxBatch, n)], start)
			return err
		})
	}
	return names
}

func short(i int) string { return fmt.Sprintf("shard-%d", i) }

func (b *bench) join(id string) election.Identity {
	b.t.Helper()
	m := group.Member{Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Weight: 1, Balance: group.BalanceVersion}
	b.do(func(tr kv.Transaction) error {
		_, _, err := b.Join(tr, group.Joining{Member: m})
		return err
	})
	return m.Identity
}

// claim claims shards and returns releases of them.
func (b *bench) claim(me election.Identity, names []string) []group.Release {
	b.t.Helper()
	claims, releases := make([]group.Claim, len(names)), make([]group.Release, len(names))
	for i, name := range names {
		claims[i] = group.Claim{Shard: name, Nonce: uuid.New()}
	}
	b.do(func(tr kv.Transaction) error {
		outcomes, err := b.Claim(tr, me, claims, start)
		for i, o := range outcomes {
			require.NoError(b.t, o.Err)
			releases[i].Token = o.Shard.Token()
		}
		return err
	})
	return releases
}

func (b *bench) release(me election.Identity, releases []group.Release) {
	b.t.Helper()
	b.do(func(tr kv.Transaction) error {
		outcomes, err := b.Release(tr, me, releases, start)
		for _, o := range outcomes {
			require.NoError(b.t, o.Err)
		}
		return err
	})
}

// The largest batches stay below 1 MB with common names, and below 5 MB with the longest ones.
// The limit of a transaction is 10 MB.
func TestSizeOfBatches(t *testing.T) {
	long := strings.Repeat("x", 250)
	for _, c := range []struct {
		space subspace.Subspace
		id    string
		name  func(i int) string
		limit int
	}{
		{subspace.New("app", "groups", "main"), "10.0.0.1:4500", short, 1_000_000},
		{subspace.New(long), long, func(i int) string { return fmt.Sprintf("%s%05d", long, i) }, 5_000_000},
	} {
		b := newBench(t, c.space, memkv.Options{SizeLimit: c.limit})
		names := b.create(group.MaxBatch, c.name)
		me, target := b.join(c.id), b.join(c.id+"b")
		releases := b.claim(me, names)
		for i := range releases {
			releases[i].Target, releases[i].Nonce = target, uuid.New()
		}
		b.release(me, releases)
		b.do(func(tr kv.Transaction) error { // requests to remove
			_, err := b.RemoveShards(tr, names)
			return err
		})
		b.do(func(tr kv.Transaction) error { return b.Leave(tr, target) })
		releases = b.claim(me, names)
		for i := range releases {
			releases[i].Remove = true
		}
		b.release(me, releases)
	}
}

// BenchmarkBatch claims and releases 500 shards. memkv keeps what was written in the last five
// seconds, so a new group every 20 batches keeps its amount at what a real one has.
func BenchmarkBatch(n *testing.B) {
	n.ReportAllocs()
	var b *bench
	var me election.Identity
	var names []string
	for i := 0; n.Loop(); i++ {
		if i%20 == 0 {
			n.StopTimer()
			b = newBench(n, subspace.New("bench"), memkv.Options{})
			names, me = b.create(group.MaxBatch, short), b.join("me")
			n.StartTimer()
		}
		b.release(me, b.claim(me, names))
	}
}

func BenchmarkHeartbeat(n *testing.B) {
	b := newBench(n, subspace.New("bench"), memkv.Options{})
	me := b.join("me")
	b.claim(me, b.create(group.MaxBatch, short))
	n.ReportAllocs()
	for n.Loop() {
		b.do(func(tr kv.Transaction) error {
			_, _, err := b.Heartbeat(tr, me, 1, 1)
			return err
		})
	}
}

// BenchmarkFence compares a transaction of one write with and without the fence.
func BenchmarkFence(n *testing.B) {
	b := newBench(n, subspace.New("bench"), memkv.Options{})
	token := b.claim(b.join("me"), b.create(1, short))[0].Token
	key, value := []byte("application"), []byte("work")
	n.Run("with", func(n *testing.B) {
		n.ReportAllocs()
		for n.Loop() {
			b.do(func(tr kv.Transaction) error {
				tr.Set(key, value)
				return b.RequireLeadership(tr, token)
			})
		}
	})
	n.Run("without", func(n *testing.B) {
		n.ReportAllocs()
		for n.Loop() {
			b.do(func(tr kv.Transaction) error {
				tr.Set(key, value)
				return nil
			})
		}
	})
}

func BenchmarkReadLog500(n *testing.B) {
	b := newBench(n, subspace.New("bench"), memkv.Options{})
	me := b.join("me")
	b.claim(me, b.create(group.MaxBatch, short))
	all, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) (group.Changes, error) { return b.ReadLog(tr, 0, 0) })
	require.NoError(n, err)
	after := all.Changes[len(all.Changes)-1].Version() - 1
	n.ReportAllocs()
	for n.Loop() {
		changes, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) (group.Changes, error) {
			return b.ReadLog(tr, after, 1000)
		})
		if err != nil || len(changes.Changes) != group.MaxBatch {
			n.Fatal(err, len(changes.Changes))
		}
	}
}

func BenchmarkScan100000(n *testing.B) {
	b := newBench(n, subspace.New("bench"), memkv.Options{})
	const shards, page = 100_000, 5_000
	b.create(shards, short)
	n.ReportAllocs()
	for n.Loop() {
		rows := 0
		for at, first := (group.Position{}), true; first || at.Kind != 0; first = false {
			p, err := kv.ReadTransact(context.Background(), b.db, func(tr kv.ReadTransaction) (group.Page, error) { return b.ScanPage(tr, at, page) })
			require.NoError(n, err)
			rows, at = rows+len(p.Rows), p.Next
		}
		require.Equal(n, shards+1, rows)
	}
}
