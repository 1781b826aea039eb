package electortest

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var observationTests = []test{
	subscribeSendsEveryTenureInOrder,
	anObserverNeverLeads,
}

// tenure is a tenure as a subscriber sees it.
type tenure struct {
	term uint64
	id   string
}

// A process that only subscribes gets each tenure once and in order, and is not registered.
func subscribeSendsEveryTenureInOrder(tc *cluster) {
	tc.withLease(medium).initialized()
	ctx, cancel := context.WithCancel(tc.Context())
	defer cancel()
	leaders := tc.process("watcher").Subscribe(ctx)
	require.True(tc, within(tc, patience, leaders, "the present state").Vacant())
	a := tc.leading("a")
	b := tc.following("b")
	require.NotContains(tc, tc.candidates(), "watcher")
	a.stop()
	b.leads(patience)
	c := tc.following("c") // only now: on a busy machine either of two candidates may claim first
	b.stop()
	c.leads(patience)
	c.stop()

	var tenures []tenure
	for {
		leader := within(tc, patience, leaders, "the end of the third tenure")
		if leader.Vacant() && leader.Term == 3 {
			break
		}
		if !leader.Vacant() && leader.Accepted {
			tenures = append(tenures, tenure{leader.Term, leader.ID})
		}
	}
	require.Equal(tc, []tenure{{1, "a"}, {2, "b"}, {3, "c"}}, tenures)
	events := read(tc, func(tr kv.ReadTransaction) ([]election.Event, error) { return tc.election.History(tr, 0) })
	require.Equal(tc, uint64(3), events[0].Term, "the history has the same tenures")

	cancel()
	for range leaders { // until it is closed
	}
}

// An observer is registered and sends heartbeats. It does not claim a vacant leadership, whatever
// its priority.
func anObserverNeverLeads(tc *cluster) {
	tc.frequentHeartbeats()
	a := tc.leading("a")
	o := tc.begin("o", observer, priority(100))
	o.enters(elector.StateObserver, patience)
	a.stop()
	tc.until("it knows of the vacancy", func() bool { return o.LeaderID() == "" })
	tc.heartbeats("o")
	left := tc.leader()
	require.True(tc, left.Vacant())
	me := election.Registration{
		Identity: election.Identity{ID: "p", Incarnation: uuid.New()}, Role: election.Observer, Priority: 100,
	}
	tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, me, time.Now()) })
	tc.transact(func(tr kv.Transaction) error {
		now := time.Now()
		result, err := tc.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		if err == nil {
			require.Equal(tc, election.Followed, result.Action, "even if it runs a cycle")
		}
		return err
	})
	b := tc.leading("b")
	require.Equal(tc, left.Term+1, b.Term())
	tc.heartbeats("o")
	require.Equal(tc, "b", tc.leader().ID, "its priority does not count")
	require.Equal(tc, []elector.State{elector.StateObserver}, o.history())
}
