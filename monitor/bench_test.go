package monitor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// BenchmarkScrape measures a scrape of 1,000 elections with a leader, two followers and four
// events each, from the read to the gathered families.
func BenchmarkScrape(b *testing.B) {
	const elections, candidates, tenures = 1000, 3, 2
	db, root := memkv.New(memkv.Options{}), subspace.New("root")
	for i := range elections {
		e := election.New(root.Sub(fmt.Sprintf("e%04d", i)))
		require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
			_, err := e.Initialize(tr)
			return err
		}))
		for j := range candidates {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprintf("c%d", j)}}
			require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
				return e.RegisterCandidate(tr, me, time.Now())
			}))
		}
		for range tenures {
			require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
				leader, err := e.GetLeaderRaw(tr)
				if err != nil {
					return err
				}
				if !leader.Vacant() {
					return e.ResignLeadership(tr, leader.Token(), time.Now())
				}
				_, err = e.TryClaimLeadership(tr, election.Identity{ID: "c0"}, time.Now())
				return err
			}))
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(monitor.NewElections(db, root, monitor.ElectionsOptions{MaxAge: time.Nanosecond}))
	before := db.Counters()
	b.ReportAllocs()
	for b.Loop() {
		_, err := registry.Gather()
		require.NoError(b, err)
	}
	b.ReportMetric(float64(db.Counters().Sub(before).Transactions)/float64(b.N), "transactions/op")
}

// BenchmarkElectors measures a scrape of one leader, from outside of its loop.
func BenchmarkElectors(b *testing.B) {
	db := memkv.New(memkv.Options{})
	elected := make(chan struct{}, 1)
	el, err := elector.New(db, election.New(subspace.New("e")), elector.Options{
		Callbacks: elector.Callbacks{OnElected: func(context.Context, elector.Transition) { elected <- struct{}{} }},
	})
	require.NoError(b, err)
	require.NoError(b, el.Start(b.Context()))
	b.Cleanup(el.Abandon)
	<-elected
	c := monitor.NewElectors(monitor.ElectorsOptions{})
	c.Add("e", el)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	b.ReportAllocs()
	for b.Loop() {
		_, err := registry.Gather()
		require.NoError(b, err)
	}
}

// BenchmarkScrapeGroup measures a scrape of a group with 10,000 shards and ten members, in calm
// and while shards move.
func BenchmarkScrapeGroup(b *testing.B) {
	const shards, members, batch = 10_000, 10, 100
	for name, moves := range map[string]bool{"calm": false, "moving": true} {
		b.Run(name, func(b *testing.B) {
			db, root := memkv.New(memkv.Options{}), subspace.New("root")
			g := makeGroup(b, db, root.Sub("jobs"), shards)
			var claimants [members]election.Identity
			for i := range claimants {
				claimants[i] = election.Identity{ID: fmt.Sprintf("m%02d", i), Incarnation: uuid.New()}
				m := group.Member{Identity: claimants[i], Weight: 1, Balance: group.BalanceVersion}
				require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
					_, _, err := g.Join(tr, group.Joining{Member: m})
					return err
				}))
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(monitor.NewGroups(db, root, monitor.GroupsOptions{MaxAge: time.Nanosecond}))
			_, err := registry.Gather() // it reads all records
			require.NoError(b, err)
			claim := func(round int) {
				claims := make([]group.Claim, batch)
				for i := range claims {
					claims[i] = group.Claim{Shard: fmt.Sprintf("s%04d", (round*batch+i)%shards), Nonce: uuid.New()}
				}
				require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
					_, err := g.Claim(tr, claimants[round%members], claims, time.Now())
					return err
				}))
			}
			var transactions int64
			b.ReportAllocs()
			for round := 0; b.Loop(); round++ {
				if moves {
					b.StopTimer()
					claim(round)
					b.StartTimer()
				}
				before := db.Counters()
				_, err := registry.Gather()
				require.NoError(b, err)
				transactions += db.Counters().Sub(before).Transactions
			}
			b.ReportMetric(float64(transactions)/float64(b.N), "transactions/op")
		})
	}
}
