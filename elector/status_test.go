package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

func tags(pairs map[string]string) setting {
	return func(_ *process, o *elector.Options) { o.Metadata = pairs }
}

// Asking costs no I/O, however often.
func TestAskingDoesNoIO(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat/2 + step/3)
		synctest.Wait()
		before := w.db.Counters()
		for range 100 {
			for _, p := range []*process{a, b} {
				_ = p.IsLeader(w.Context())
				_, _, _, _ = p.State(), p.Term(), p.LeaderID(), p.NodeID()
				_, _ = p.Leader()
				_ = p.ClusterState()
			}
		}
		require.Equal(w, before, w.db.Counters())
	})
}

// Everybody knows everybody, with their tags; the leader's at once.
func TestClusterState(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a", tags(map[string]string{"address": "10.0.0.1:80"}))
		a.leads()
		b := w.begin("b", tags(map[string]string{"zone": "north"}))
		o := w.begin("o", observer, priority(7))
		b.enters(elector.StateFollower)
		leader, ok := b.Leader()
		require.True(w, ok)
		require.Equal(w, map[string]string{"address": "10.0.0.1:80"}, leader.Metadata)
		leader.Metadata["address"] = "changed by the caller"
		time.Sleep(w.config.CandidateTimeout + heartbeat)
		for _, p := range []*process{a, b, o} {
			state := p.ClusterState()
			require.Equal(w, p == a, state.Complete, "%s: only the leader lists all", p.id)
			known := time.Now()
			require.WithinDuration(w, known, state.AsOf, w.config.CandidateTimeout)
			if p == b {
				require.Len(w, state.Voters, 2)
				require.Empty(w, state.Observers, "a follower lists voters")
			}
			state, err := p.ReadClusterState(w.Context())
			require.NoError(w, err)
			require.True(w, state.Complete && state.AsOf.Equal(known))
			ended, end := context.WithCancel(w.Context())
			end()
			_, err = p.ReadClusterState(ended)
			require.ErrorIs(w, err, context.Canceled)
			require.Equal(w, "a", state.Leader.ID, p.id)
			require.Equal(w, map[string]string{"address": "10.0.0.1:80"}, state.Leader.Metadata)
			require.Len(w, state.Voters, 2)
			require.Equal(w, []string{"a", "b"}, []string{state.Voters[0].ID, state.Voters[1].ID}, "by rank")
			require.Len(w, state.Observers, 1)
			require.True(w, state.Voters[0].Alive && state.Voters[1].Alive && state.Observers[0].Alive)
			require.False(w, state.AsOf.IsZero())
			require.Equal(w, "north", state.Metadata()["b"]["zone"])
			require.Len(w, state.Metadata(), 3)
			require.Equal(w, lease, state.Config.LeaseDuration)
		}
	})
}

// Tags that change reach the database at once, and the caller's map is not kept.
func TestSetMetadata(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		fresh := map[string]string{"address": "new"}
		require.NoError(w, a.SetMetadata(fresh))
		fresh["address"] = "changed by the caller"
		time.Sleep(soon)
		require.Equal(w, map[string]string{"address": "new"}, w.candidate("a").Metadata)
		leader, _ := a.Leader()
		require.Equal(w, map[string]string{"address": "new"}, leader.Metadata)

		b := w.begin("b")
		b.enters(elector.StateFollower)
		require.NoError(w, b.SetMetadata(map[string]string{"x": "y"}))
		time.Sleep(soon)
		require.Equal(w, "y", w.candidate("b").Metadata["x"])
		require.Error(w, a.SetMetadata(map[string]string{"big": string(make([]byte, election.MaxMetadataBytes))}))
	})
}

// A priority that is raised preempts, after the grace, and one that is lowered
// is open to others.
func TestSetPriority(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.process("a"), w.process("b")
		tenures := a.tenures(nil)
		lead := within(w, tenures, "leadership")
		require.NoError(w, b.Start(w.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		b.SetPriority(1)
		raised := time.Now()
		<-lead.Context().Done()
		require.Less(w, time.Since(raised), step+soon)
		b.leads()
		require.InDelta(w, w.config.PreemptionGrace, time.Since(raised), float64(step+soon), "its work does not stop before")
		require.Contains(w, a.reasons(), elector.ReasonChallenged)

		b.SetPriority(-1)
		lowered := time.Now()
		require.Equal(w, uint64(3), within(w, tenures, "leadership").Term())
		require.Less(w, time.Since(lowered), 2*heartbeat)
	})
}

// A leader that becomes an observer drains, gives up its seat, and stays listed.
func TestSetRole(t *testing.T) {
	inWorld(t, func(w *world) {
		hold := make(chan struct{})
		a := w.process("a")
		lead := within(w, a.tenures(hold), "leadership")
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		require.NoError(w, a.SetRole(election.Observer))
		<-lead.Context().Done()
		require.NoError(w, lead.LeaseContext().Err())
		require.Equal(w, "a", w.seat().ID)
		close(hold)
		b.leads()
		a.enters(elector.StateObserver)
		time.Sleep(heartbeat)
		require.Equal(w, election.Observer, w.candidate("a").Role)
		b.stop()
		time.Sleep(2 * lease)
		require.True(w, w.seat().Vacant())

		require.NoError(w, a.SetRole(election.Voter))
		a.enters(elector.StateLeader)
		require.Error(w, a.SetRole(9))
	})
}

// A challenger that has gone or was demoted while the work stops does not get the
// seat.
func TestSuccessorIsGone(t *testing.T) {
	for name, gone := range map[string]func(w *world, p *process){
		"stopped": func(_ *world, p *process) { p.stop() },
		"demoted": func(w *world, p *process) { require.NoError(w, p.SetRole(election.Observer)) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				hold := make(chan struct{})
				a := w.process("a")
				tenures := a.tenures(hold)
				lead := within(w, tenures, "leadership")
				high := w.begin("high", priority(1))
				<-lead.Context().Done()
				gone(w, high)
				time.Sleep(heartbeat)
				require.Equal(w, uint64(1), w.seat().Term)
				close(hold)
				require.Equal(w, uint64(2), within(w, tenures, "leadership again").Term())
			})
		})
	}
}

// A seat that is handed over goes to whom the operator named.
func TestTransferOnRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("a", priority(9)).leads()
		b, c := w.begin("b"), w.begin("c")
		b.enters(elector.StateFollower)
		c.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		require.NoError(w, w.transfer("c"))
		require.Equal(w, uint64(2), c.leads().Term)
		require.Equal(w, election.AcquireTransfer, w.seat().AcquireReason)
		require.NotContains(w, b.history(), elector.StateLeader)
		time.Sleep(lease - heartbeat)
		require.Equal(w, uint64(2), w.seat().Term, "a higher priority does not undo the request at once")
	})
}

// A leader that resigned on request stays out for a lease, and is back afterwards
// where nobody else came.
func TestResignedStaysOutForAWhile(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		resigned := time.Now()
		require.Equal(w, uint64(2), a.leads().Term)
		require.InDelta(w, lease, time.Since(resigned), float64(step+soon))
	})
}

// Errors that are not read are dropped, the oldest first, and nothing waits for a reader.
func TestErrorsAreKeptForAReader(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		for range 200 {
			w.before(of("a", fail(errDisk)))
			time.Sleep(heartbeat)
			w.before(nil)
			time.Sleep(heartbeat)
		}
		require.LessOrEqual(w, len(p.Errors()), 64)
		require.NotEmpty(w, p.Errors())
		require.Equal(w, kv.CodeIOError, kv.CodeOf(<-p.Errors()))
		require.False(w, w.seat().Vacant())
	})
}

// What a reader does with the tags that it got changes nothing here.
func TestTagsAreCopies(t *testing.T) {
	inWorld(t, func(w *world) {
		given := map[string]string{"at": "10.0.0.1"}
		tagged := func(_ *process, o *elector.Options) { o.Metadata = given }
		a := w.begin("a", tagged)
		given["at"] = "of the caller"
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(w.config.CandidateTimeout)
		for _, p := range []*process{a, b} {
			leader, ok := p.Leader()
			require.True(w, ok)
			leader.Metadata["at"] = "of a reader"
			state := p.ClusterState()
			state.Voters[0].Metadata["at"] = "of a reader"
			leader, _ = p.Leader()
			require.Equal(w, "10.0.0.1", leader.Metadata["at"], p.id)
			state = p.ClusterState()
			require.Equal(w, "10.0.0.1", state.Metadata()["a"]["at"], p.id)
		}
		given = map[string]string{"at": "10.0.0.2"}
		require.NoError(w, a.SetMetadata(given))
		given["at"] = "of the caller"
		time.Sleep(lease)
		require.Equal(w, "10.0.0.2", w.candidate("a").Metadata["at"])
	})
}

// A seat that was handed over and not taken has no new leader yet.
func TestNewLeaderHasAccepted(t *testing.T) {
	inWorld(t, func(w *world) {
		leaders := make(chan elector.LeaderInfo, 100)
		w.begin("a").leads()
		w.begin("b").enters(elector.StateFollower)
		w.begin("c", callbacks(func(c *elector.Callbacks) {
			c.OnNewLeader = func(_ context.Context, l elector.LeaderInfo) { leaders <- l }
		})).enters(elector.StateFollower)
		time.Sleep(lease)
		w.before(of("b", hang))
		require.NoError(w, w.transfer("b"))
		w.until("handed over", func(l election.LeaderRecord) bool { return l.ID == "b" && !l.Accepted })
		w.until("taken by another", func(l election.LeaderRecord) bool { return l.Term > 2 && l.Accepted })
		time.Sleep(heartbeat)
		w.before(nil)
		var ids []string
		for len(leaders) > 0 {
			l := <-leaders
			require.True(w, l.Accepted)
			ids = append(ids, l.ID)
		}
		require.NotContains(w, ids, "b")
		require.Greater(w, len(ids), 1)
	})
}
