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
func observeTenures(w *world) {
	w.withLease(medium).initialized()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	leaders := w.process("watcher").Subscribe(ctx)
	require.True(w, within(w, patience, leaders, "the election as it is").Vacant())
	a := w.leading("a")
	b := w.following("b")
	require.NotContains(w, w.candidates(), "watcher")
	a.stop()
	b.leads(patience)
	c := w.following("c") // not before: of two, a busy machine may let either go first
	b.stop()
	c.leads(patience)
	c.stop()

	var told []tenure
	for {
		leader := within(w, patience, leaders, "the end of the third tenure")
		if leader.Vacant() && leader.Term == 3 {
			break
		}
		if !leader.Vacant() && leader.Accepted {
			told = append(told, tenure{leader.Term, leader.ID})
		}
	}
	require.Equal(w, []tenure{{1, "a"}, {2, "b"}, {3, "c"}}, told)
	events := read(w, func(tr kv.ReadTransaction) ([]election.Event, error) { return w.election.History(tr, 0) })
	require.Equal(w, uint64(3), events[0].Term, "the history says the same")

	cancel()
	for range leaders { // it is closed
	}
}

// An observer follows, is listed and heartbeats, and leaves an open seat alone
// whatever its priority is.
func observerNeverLeads(w *world) {
	w.brisk()
	a := w.leading("a")
	o := w.begin("o", observer, priority(100))
	o.enters(elector.StateObserver, patience)
	a.stop()
	w.until("it knows of the vacancy", func() bool { return o.LeaderID() == "" })
	w.beats("o")
	left := w.seat()
	require.True(w, left.Vacant())
	me := election.Registration{
		Identity: election.Identity{ID: "p", Incarnation: uuid.New()}, Role: election.Observer, Priority: 100,
	}
	w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, me, time.Now()) })
	w.transact(func(tr kv.Transaction) error {
		now := time.Now()
		result, err := w.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		if err == nil {
			require.Equal(w, election.Followed, result.Action, "even where it tries")
		}
		return err
	})
	b := w.leading("b")
	require.Equal(w, left.Term+1, b.Term())
	w.beats("o")
	require.Equal(w, "b", w.seat().ID, "nor does its priority count")
	require.Equal(w, []elector.State{elector.StateObserver}, o.history())
}
