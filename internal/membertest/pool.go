package membertest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Pool are the members of a group in one process, for benchmarks. Their work stops at once.
type Pool struct {
	// Databases are those of the members, one for each.
	Databases []kv.Database
	Space     subspace.Subspace
	Lease     time.Duration
	Shards    []string

	members []*member.Member
}

// Start creates the group and starts the members, which tell what they lead. It returns when all
// shards are led, evenly.
func (p *Pool) Start(tb testing.TB, s *Shares) {
	tb.Helper()
	g, db := group.New(p.Space), p.Databases[0]
	config := group.ConfigWithLease(p.Lease)
	config.SettleDelay = 0
	create(tb, db, g, config, p.Shards)
	for i, db := range p.Databases {
		m, err := member.New(db, g, member.Options{ID: fmt.Sprintf("member-%d", i)})
		require.NoError(tb, err)
		p.members = append(p.members, m)
		require.NoError(tb, m.Start(context.Background(), member.Callbacks{
			OnAcquire: func(shard *member.Shard) error { s.Lead(shard.Name(), i); return nil },
			OnRelease: func(shard *member.Shard) { s.Lose(shard.Name(), i) },
		}))
	}
	share := len(p.Shards) / len(p.members)
	require.NoError(tb, s.Await(5*time.Minute, func(counts map[int]int) bool {
		for i := range p.members {
			if n := counts[i]; n < share || n > share+1 {
				return false
			}
		}
		return counts[NoLeader] == 0
	}))
}

// create makes a group with shards.
func create(tb testing.TB, db kv.Database, g *group.Group, config group.Config, shards []string) {
	tb.Helper()
	require.NoError(tb, db.Transact(tb.Context(), func(tr kv.Transaction) error {
		_, err := g.Initialize(tr, config)
		return err
	}))
	for batch := range slices.Chunk(shards, group.MaxBatch) {
		require.NoError(tb, db.Transact(tb.Context(), func(tr kv.Transaction) error {
			_, err := g.CreateShards(tr, batch, time.Now())
			return err
		}))
	}
}

// Kill ends a member without a farewell, and returns when its last heartbeat began.
func (p *Pool) Kill(i int) time.Time {
	status := p.members[i].Status()
	now := time.Now()
	p.members[i].Abandon()
	return now.Add(status.Beat.Sub(elector.SystemClock().Now()))
}

// Stop stops a member in order.
func (p *Pool) Stop(i int) { _ = p.members[i].Stop(context.Background()) }

// Close ends all members.
func (p *Pool) Close() {
	for _, m := range p.members {
		m.Abandon()
	}
}
