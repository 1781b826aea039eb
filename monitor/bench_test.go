package monitor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
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
