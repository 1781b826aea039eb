package fdbkv_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membertest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// BenchmarkGroupFence compares a write under the fence of a shard with one without it. Both read a
// key and write it.
func BenchmarkGroupFence(b *testing.B) {
	db, space := open(b, fdbkv.Options{}), prefix(b)
	g := group.New(subspace.FromBytes(append(space, "group/"...)))
	me := group.Member{Identity: election.Identity{ID: "me", Incarnation: uuid.New()}, Weight: 1, Balance: group.BalanceVersion}
	var token group.Token
	do := func(fn func(tr kv.Transaction) error) error { return db.Transact(context.Background(), fn) }
	require.NoError(b, do(func(tr kv.Transaction) error { _, err := g.Initialize(tr, group.DefaultConfig()); return err }))
	require.NoError(b, do(func(tr kv.Transaction) error { _, err := g.CreateShards(tr, []string{"a"}, time.Now()); return err }))
	require.NoError(b, do(func(tr kv.Transaction) error { _, _, err := g.Join(tr, group.Joining{Member: me}); return err }))
	require.NoError(b, do(func(tr kv.Transaction) error {
		outcomes, err := g.Claim(tr, me.Identity, []group.Claim{{Shard: "a", Nonce: uuid.New()}}, time.Now())
		if err == nil {
			token = outcomes[0].Shard.Token()
		}
		return err
	}))
	write := func(name string, fence func(tr kv.Transaction) error) func(i int) error {
		key := below(space, name)
		return func(i int) error {
			return do(func(tr kv.Transaction) error {
				read := tr.Get(key)
				if err := fence(tr); err != nil {
					return err
				}
				if _, err := read.Get(); err != nil {
					return err
				}
				tr.Set(key, []byte(strconv.Itoa(i)))
				return nil
			})
		}
	}
	sideBySide(b, []string{"unfenced", "fenced"},
		write("unfenced", func(kv.Transaction) error { return nil }),
		write("fenced", func(tr kv.Transaction) error { return g.RequireLeadership(tr, token) }))
}

// five returns five members that lead 10,000 shards, each with a connection of its own.
func five(b *testing.B) (*membertest.Pool, *membertest.Shares) {
	b.Helper()
	p := &membertest.Pool{Space: subspace.FromBytes(prefix(b)), Lease: 6 * time.Second}
	for i := range 10_000 {
		p.Shards = append(p.Shards, strconv.Itoa(i))
	}
	for range 5 {
		p.Databases = append(p.Databases, open(b, fdbkv.Options{}))
	}
	s := membertest.NewShares()
	p.Start(b, s)
	return p, s
}

// BenchmarkGroupDeath measures how long after the lease of a dead member, counted from its last
// heartbeat, others lead its 2,000 shards. It dies in calm.
func BenchmarkGroupDeath(b *testing.B) {
	var took time.Duration
	for range b.N {
		p, s := five(b)
		time.Sleep(2 * p.Lease)
		last := p.Kill(2)
		require.NoError(b, s.Await(5*time.Minute, membertest.LedBy(len(p.Shards), 2)))
		took += time.Since(last) - p.Lease
		p.Close()
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms-beyond-the-lease")
}

// BenchmarkGroupStop measures how long after the call that stops a member others lead its 2,000 shards.
func BenchmarkGroupStop(b *testing.B) {
	var took time.Duration
	for range b.N {
		p, s := five(b)
		begin := time.Now()
		p.Stop(2)
		require.NoError(b, s.Await(5*time.Minute, membertest.LedBy(len(p.Shards), 2)))
		took += time.Since(begin)
		p.Close()
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms")
}
