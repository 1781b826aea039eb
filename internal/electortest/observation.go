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
	{"Observe tells every tenure in order", observeTenures},
	{"an observer never leads", observerNeverLeads},
}

// tenure is what an observer tells of one.
type tenure struct {
	term uint64
	id   string
}

// A process that only looks on is told of each tenure, once and in order, and is
// not listed itself.
func observeTenures(tc *cluster) {
	tc.withLease(medium).initialized()
	ctx, cancel := context.WithCancel(tc.Context())
	defer cancel()
	leaders := tc.process("watcher").Subscribe(ctx)
	require.True(tc, within(tc, patience, leaders, "the election as it is").Vacant())
	a := tc.leading("a")
	b := tc.following("b")
	require.NotContains(tc, tc.candidates(), "watcher")
	a.stop()
	b.leads(patience)
	c := tc.following("c") // not before: of two, a busy machine may let either go first
	b.stop()
	c.leads(patience)
	c.stop()

	var told []tenure
	for {
		leader := within(tc, patience, leaders, "the end of the third tenure")
		if leader.Vacant() && leader.Term == 3 {
			break
		}
		if !leader.Vacant() && leader.Accepted {
			told = append(told, tenure{leader.Term, leader.ID})
		}
	}
	require.Equal(tc, []tenure{{1, "a"}, {2, "b"}, {3, "c"}}, told)
	events := read(tc, func(tr kv.ReadTransaction) ([]election.Event, error) { return tc.election.History(tr, 0) })
	require.Equal(tc, uint64(3), events[0].Term, "the history says the same")

	cancel()
	for range leaders { // it is closed
	}
}

// An observer follows, is listed and heartbeats, and leaves an open seat alone
// whatever its priority is.
func observerNeverLeads(tc *cluster) {
	tc.brisk()
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
			require.Equal(tc, election.Followed, result.Action, "even where it tries")
		}
		return err
	})
	b := tc.leading("b")
	require.Equal(tc, left.Term+1, b.Term())
	tc.heartbeats("o")
	require.Equal(tc, "b", tc.leader().ID, "nor does its priority count")
	require.Equal(tc, []elector.State{elector.StateObserver}, o.history())
}
