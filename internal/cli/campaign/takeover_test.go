package campaign_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// A crash is noticed after the lease was seen to stand still, and within a
// tenth of a heartbeat of that, whenever it happens between two renewals.
func TestTakeOverAfterCrash(t *testing.T) {
	for tenth := range 10 {
		t.Run(fmt.Sprintf("%d tenths after a renewal", tenth), func(t *testing.T) {
			inWorld(t, func(w *world) {
				first := w.campaign("a")
				first.leads()
				time.Sleep(step / 3)
				others := []*process{w.campaign("b"), w.campaign("c")}
				time.Sleep(5*heartbeat + time.Duration(tenth)*heartbeat/10)
				first.crash()
				last := w.leader()
				renewed := last.LeaseExpiry.Add(-last.LeaseDuration)

				next := w.until("another's", func(l election.Leader) bool { return l.Token() != last.Token() })
				silence := next.AcquiredAt.Sub(renewed)
				require.GreaterOrEqual(t, silence, lease, "before the lease was over")
				require.LessOrEqual(t, silence, lease+heartbeat/10+5*time.Millisecond)
				require.Equal(t, last.Term+1, next.Term)
				require.Equal(t, last.Ballot+1, next.Ballot)
				require.Equal(t, election.OriginExpiry, next.Origin)
				require.Len(t, others, 2)
			})
		})
	}
}

func TestCleanHandOverIsQuick(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.campaign("a")
		first.leads()
		second := w.campaign("b")
		time.Sleep(2 * heartbeat)
		left := time.Now()
		first.leave()
		require.NoError(t, first.ended())
		second.leads()
		require.Less(t, time.Since(left), 20*time.Millisecond, "a watch tells, no poll")
		require.Equal(t, []string{"vacancy", "stopping: leaving", "the work has stopped", "vacant"}, first.notes()[1:])
	})
}

// In steady state a follower reads two or three times per heartbeat, and
// writes nothing but its own record, three times per candidate timeout.
func TestSteadyState(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("leader").leads()
		w.campaign("follower")
		time.Sleep(5 * heartbeat) // let it find the rhythm
		reads := make(map[string]int)
		w.before(countReads(reads))
		commits := len(w.db.CommitLog())
		const beats = 30
		time.Sleep(beats * heartbeat)
		w.before(nil)

		require.LessOrEqual(t, reads["follower"], 3*beats+beats/2)
		require.LessOrEqual(t, reads["leader"], beats+1)
		written := make(map[string]int)
		for _, c := range w.db.CommitLog()[commits:] {
			written[c.Client]++
			if c.Client == "follower" {
				require.Len(t, c.Mutations, 1)
				require.Contains(t, string(c.Mutations[0].Key), "candidates")
			}
		}
		require.InDelta(t, beats, written["leader"], 1)
		require.InDelta(t, beats*heartbeat/(w.config.CandidateTimeout/3), written["follower"], 1)
	})
}

// Someone who was handed the seat begins at once, and one who wants it asks at
// once.
func TestPreemptionIsQuick(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("low", priority(1)).leads()
		time.Sleep(2 * heartbeat)
		came := time.Now()
		w.campaign("high", priority(2)).leads()
		require.Less(t, time.Since(came), step+20*time.Millisecond)
		leader := w.leader()
		require.Equal(t, election.OriginPreemption, leader.Origin)
		require.True(t, leader.Accepted)
	})
}

// A watch that always fails, or always fires, must not become a loop, and costs
// reads and no writes.
func TestWatchesAreArmedAtALimitedRate(t *testing.T) {
	for name, test := range map[string]struct {
		fault        func(*atomic.Int64) hook
		perHeartbeat int64 // of each watch
	}{
		"failing": {failWatches, 1},
		"firing":  {fireWatches, int64(heartbeat / step)},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var watches atomic.Int64
				if fault := test.fault(&watches); test.perHeartbeat == 1 {
					w.before(fault)
				} else {
					w.after(fault)
				}
				w.campaign("a").leads()
				w.campaign("b")
				const beats = 10
				time.Sleep(beats * heartbeat)
				require.LessOrEqual(t, watches.Load(), 3*(beats+2)*test.perHeartbeat)
				require.Positive(t, watches.Load())
				require.InDelta(t, beats+1, w.leader().Ballot, 1)
			})
		})
	}
}
