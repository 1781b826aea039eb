package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// TestListing: the leader with each of its heartbeats, others once per timeout, and
// neither all at the same time.
func TestListing(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1), candidate(carol, 1), candidate(alice, 2))
	due := r.m.candidates.due.Sub(localEpoch)
	require.True(t, due > 13500*time.Millisecond && due <= 15*time.Second, "%s", due)
	r.jump(due - 1)
	require.False(t, r.started(List))
	r.jump(1)
	require.True(t, r.started(List))
	require.Equal(t, 3*time.Second, r.op(List).Limit)
	r.answer(List, failing(errStore))
	require.Equal(t, []string{"list the candidates: the store is down"}, r.reports())
	require.Greater(t, r.m.candidates.due.Sub(r.now().Local), 13*time.Second, "tried again with the next")
	for _, c := range []struct {
		answer Answer
		told   int
	}{{failing(errStore), 0}, {Answer{Members: []election.Candidate{candidate(alice, 2)}}, 0}, {failing(errStore), 1}} {
		r.jump(15*time.Second).answer(List, c.answer)
		require.Len(t, r.reports(), c.told, "once, and again after it was well")
	}

	r = newRig(t).elect()
	r.jump(5*time.Second).answer(List, Answer{})
	due = r.m.candidates.due.Sub(r.now().Local)
	require.True(t, due > 4500*time.Millisecond && due <= 5*time.Second, "%s", due)
}

// stillLeads says that a renewal was acknowledged now, and that a listing is due.
func (r *rig) stillLeads() *rig {
	r.t.Helper()
	r.m.tenure.acked = DeadlinesOf(r.now().Local, r.config.LeaseDuration, r.config)
	r.m.candidates.due = r.now().Local
	return r.step(Tick{}).state(StateLeader)
}

// TestEviction: by the leader, of those whose heartbeat was seen to stand for the
// whole timeout, from after the first read of it to before the last.
func TestEviction(t *testing.T) {
	type listing struct {
		start, seen time.Duration
		beats       uint64 // of bob
		place       byte   // of his registration
	}
	for _, c := range []struct {
		name     string
		listings []listing
		evicts   bool
	}{
		{"for the timeout", []listing{{5e9, 6e9, 1, 1}, {21e9, 22e9, 1, 1}}, true},
		{"to the nanosecond", []listing{{5e9, 6e9, 1, 1}, {21e9 - 1, 22e9, 1, 1}}, false},
		{"moved", []listing{{5e9, 6e9, 1, 1}, {14e9, 14e9, 2, 1}, {21e9, 22e9, 2, 1}}, false},
		{"and not since", []listing{{5e9, 6e9, 1, 1}, {14e9, 14e9, 2, 1}, {29e9, 29e9, 2, 1}}, true},
		{"registered again, and not since", []listing{{5e9, 6e9, 1, 1}, {21e9, 22e9, 1, 2}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).elect()
			for _, l := range c.listings {
				r.local = l.seen
				r.stillLeads().answer(List, Answer{
					Start: localEpoch.Add(l.start), Seen: localEpoch.Add(l.seen),
					Members: []election.Candidate{
						candidate(bob, l.place, func(m *election.Candidate) { m.Heartbeats = l.beats }), candidate(alice, 3),
					},
				})
			}
			require.Equal(t, c.evicts, r.started(Evict))
			if !c.evicts {
				return
			}
			op := r.op(Evict)
			require.Len(t, op.Members, 1, "and not itself")
			require.Equal(t, bob, op.Members[0].Identity)
			view := r.m.View()
			require.True(t, view.TimedOut(&view.Members[0]))
			again := *r
			again.pending = map[uint64]Operation{op.ID: op}
			r.answer(Evict, Answer{Evicted: []string{"bob"}})
			require.Contains(t, texts(r.acts), "evicted bob")
			require.Len(t, r.m.View().Members, 1)
			require.Len(t, again.m.View().Members, 2, "another copy keeps its own")
			again.answer(Evict, Answer{})
			require.NotContains(t, texts(again.acts), "evicted ")
			require.Len(t, again.m.View().Members, 2, "it has moved, or holds the seat")
		})
	}
}

// TestEvictionsFail, and it is said once.
func TestEvictionsFail(t *testing.T) {
	r := newRig(t).elect()
	for i := range 3 {
		r.local += 16 * time.Second
		r.stillLeads().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}})
		if i == 0 {
			continue
		}
		r.answer(Evict, failing(errStore))
		require.Equal(t, i == 1, len(r.reports()) == 1)
	}
	for _, c := range []struct {
		answer Answer
		told   int
	}{{Answer{}, 0}, {failing(errStore), 1}} {
		r.local += 16 * time.Second
		r.stillLeads().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}}).answer(Evict, c.answer)
		require.Len(t, r.reports(), c.told, "again after it worked")
	}
}

// TestOnlyTheSilentAreForgotten: the id of one that was evicted may have been registered
// again before the answer.
func TestOnlyTheSilentAreForgotten(t *testing.T) {
	r := newRig(t).elect()
	for range 2 {
		r.local += 16 * time.Second
		r.stillLeads().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}})
	}
	again := candidate(election.Identity{ID: "bob", Incarnation: uuid.UUID{22}}, 2)
	r.m.candidates.members = append(r.m.candidates.members, Member{again, r.now().Local})
	r.answer(Evict, Answer{Evicted: []string{"bob"}})
	require.Equal(t, again, r.m.View().Members[0].Candidate)
	require.Len(t, r.m.View().Members, 1)
}

// TestEvictionsAreBounded by what one transaction takes, and followers do none.
func TestEvictionsAreBounded(t *testing.T) {
	var members []election.Candidate
	for i := range election.MaxEvictions + 3 {
		members = append(members, candidate(election.Identity{ID: fmt.Sprint(i)}, 1))
	}
	r := newRig(t)
	r.follow(r.leader(bob, 1), members...)
	r.jump(16*time.Second).answer(ElectionCycle, r.did(election.Followed, r.leader(bob, 1))).answer(List, Answer{Members: members})
	require.False(t, r.started(Evict))
	require.Len(t, r.m.evictable(), election.MaxEvictions)
}

// TestANewTenureIsAReasonToList: whoever led before may have left, and would be
// waited for at the next vacancy.
func TestANewTenureIsAReasonToList(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1), candidate(bob, 1), candidate(alice, 2))
	r.retell(r.reads(r.leader(bob, 1))).pass(heartbeat)
	require.False(t, r.started(List), "a renewal changes nothing")
	r.retell(r.reads(r.leader(carol, 2))).pass(heartbeat)
	require.True(t, r.started(List))
}
