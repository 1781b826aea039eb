package election_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// transact runs fn once per iteration, each in a transaction that commits.
func (b *bench) transact(n *testing.B, fn func(tr kv.Transaction, i int) error) {
	n.Helper()
	n.ReportAllocs()
	i := 0
	for n.Loop() {
		err := b.db.Transact(context.Background(), func(tr kv.Transaction) error { return fn(tr, i) })
		if err != nil {
			n.Fatal(err)
		}
		i++
	}
}

func BenchmarkCycleLeader(n *testing.B) {
	b := newBench(n)
	me := b.join("me", 1)
	b.cycle(me, start)
	b.transact(n, func(tr kv.Transaction, i int) error {
		_, err := b.RunElectionCycle(tr, me, start.Add(time.Duration(i)))
		return err
	})
}

func BenchmarkCycleFollower(n *testing.B) {
	b := newBench(n)
	b.cycle(b.join("leader", 1), start)
	me := b.join("me", 1)
	b.transact(n, func(tr kv.Transaction, i int) error {
		_, err := b.RunElectionCycle(tr, me, start.Add(time.Duration(i%1e9)))
		return err
	})
}

// BenchmarkClaim claims an expired leadership in each iteration. Each claim clears an old term
// of the history, and memkv keeps the keys that were cleared in the last five seconds. A new
// election every 200 claims keeps their number at what a real election has.
func BenchmarkClaim(n *testing.B) {
	n.ReportAllocs()
	var b *bench
	var claimants [2]election.Registration
	for i := 0; n.Loop(); i++ {
		if i%200 == 0 {
			n.StopTimer()
			b = newBench(n)
			claimants = [2]election.Registration{b.join("a", 1), b.join("b", 1)}
			n.StartTimer()
		}
		err := b.db.Transact(context.Background(), func(tr kv.Transaction) error {
			result, err := b.TryClaimLeadership(tr, claimants[i%2].Identity, start.Add(time.Duration(i)*time.Minute))
			if err == nil && result.Action != election.Claimed {
				err = fmt.Errorf("%v instead of a claim", result.Action)
			}
			return err
		})
		if err != nil {
			n.Fatal(err)
		}
	}
}

// BenchmarkFence compares a transaction of one write with and without the fence.
func BenchmarkFence(n *testing.B) {
	b := newBench(n)
	token := b.cycle(b.join("me", 1), start).Leader.Token()
	key, value := []byte("application"), []byte("work")
	n.Run("with", func(n *testing.B) {
		b.transact(n, func(tr kv.Transaction, _ int) error {
			tr.Set(key, value)
			return b.RequireLeadership(tr, token)
		})
	})
	n.Run("without", func(n *testing.B) {
		b.transact(n, func(tr kv.Transaction, _ int) error {
			tr.Set(key, value)
			return nil
		})
	})
}

func BenchmarkList10000(n *testing.B) {
	b := newBench(n)
	const candidates = 10_000
	for from := 0; from < candidates; from += 1000 {
		b.do(func(tr kv.Transaction) error {
			for i := from; i < from+1000; i++ {
				me := election.Registration{
					Identity: election.Identity{ID: fmt.Sprintf("candidate-%d", i)}, Priority: int32(i % 7),
					UserVersion: uint16(i), Metadata: map[string]string{"addr": "10.0.0.1:80"},
				}
				if err := b.RegisterCandidate(tr, me, start); err != nil {
					return err
				}
			}
			return nil
		})
	}
	n.ReportAllocs()
	for n.Loop() {
		all, err := kv.ReadTransact(context.Background(), b.db, b.ListCandidates)
		require.NoError(n, err)
		require.Len(n, all, candidates)
	}
}
