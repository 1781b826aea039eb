package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/belief"
)

// TestListing: the leader lists three times per candidate timeout, and others once. A random
// part keeps processes from listing at the same time.
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
	require.Greater(t, r.m.candidates.due.Sub(r.now().Local), 13*time.Second, "there is no early retry")
	for _, c := range []struct {
		answer  Answer
		reports int
	}{{failing(errStore), 0}, {Answer{Members: []election.Candidate{candidate(alice, 2)}}, 0}, {failing(errStore), 1}} {
		r.jump(15*time.Second).answer(List, c.answer)
		require.Len(t, r.reports(), c.reports, "once, and again after a success")
	}

	r = newRig(t).elect()
	r.jump(5*time.Second).answer(List, Answer{})
	due = r.m.candidates.due.Sub(r.now().Local)
	require.True(t, due > 4500*time.Millisecond && due <= 5*time.Second, "%s", due)
}

// leadsOn pretends that a renewal is acknowledged now, and makes a list due.
func (r *rig) leadsOn() *rig {
	r.t.Helper()
	r.m.tenure.belief = belief.Begin(belief.DeadlinesOf(r.now().Local, r.config.LeaseDuration, r.config))
	r.m.candidates.due = r.now().Local
	return r.step(Tick{}).state(StateLeader)
}

// TestEviction: the leader evicts a candidate after it has seen no heartbeat for the
// candidate timeout, from after the first read to before the last one.
func TestEviction(t *testing.T) {
	type listing struct {
		start, seen time.Duration
		heartbeats  uint64 // of bob
		place       byte   // of its registration
	}
	for _, c := range []struct {
		name     string
		listings []listing
		evicts   bool
	}{
		{"for the timeout", []listing{{5e9, 6e9, 1, 1}, {21e9, 22e9, 1, 1}}, true},
		{"to the nanosecond", []listing{{5e9, 6e9, 1, 1}, {21e9 - 1, 22e9, 1, 1}}, false},
		{"a heartbeat", []listing{{5e9, 6e9, 1, 1}, {14e9, 14e9, 2, 1}, {21e9, 22e9, 2, 1}}, false},
		{"a heartbeat and then a timeout", []listing{{5e9, 6e9, 1, 1}, {14e9, 14e9, 2, 1}, {29e9, 29e9, 2, 1}}, true},
		{"registered again", []listing{{5e9, 6e9, 1, 1}, {21e9, 22e9, 1, 2}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).elect()
			for _, l := range c.listings {
				r.local = l.seen
				r.leadsOn().answer(List, Answer{
					Start: localEpoch.Add(l.start), Seen: localEpoch.Add(l.seen),
					Members: []election.Candidate{
						candidate(bob, l.place, func(m *election.Candidate) { m.Heartbeats = l.heartbeats }), candidate(alice, 3),
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
			require.Len(t, again.m.View().Members, 2, "a copy is independent")
			again.answer(Evict, Answer{})
			require.NotContains(t, texts(again.acts), "evicted ")
			require.Len(t, again.m.View().Members, 2, "it was not removed, so it is alive or leads")
		})
	}
}

// Failed evictions are reported once.
func TestFailedEvictions(t *testing.T) {
	r := newRig(t).elect()
	for i := range 3 {
		r.local += 16 * time.Second
		r.leadsOn().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}})
		if i == 0 {
			continue
		}
		r.answer(Evict, failing(errStore))
		require.Equal(t, i == 1, len(r.reports()) == 1)
	}
	for _, c := range []struct {
		answer  Answer
		reports int
	}{{Answer{}, 0}, {failing(errStore), 1}} {
		r.local += 16 * time.Second
		r.leadsOn().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}}).answer(Evict, c.answer)
		require.Len(t, r.reports(), c.reports, "again after a success")
	}
}

// TestAnEvictedIDIsRegisteredAgain: it is registered again before the answer. Only the evicted incarnation is
// removed from the list.
func TestAnEvictedIDIsRegisteredAgain(t *testing.T) {
	r := newRig(t).elect()
	for range 2 {
		r.local += 16 * time.Second
		r.leadsOn().answer(List, Answer{Members: []election.Candidate{candidate(bob, 1)}})
	}
	again := candidate(election.Identity{ID: "bob", Incarnation: uuid.UUID{22}}, 2)
	r.m.candidates.members = append(r.m.candidates.members, Member{again, r.now().Local})
	r.answer(Evict, Answer{Evicted: []string{"bob"}})
	require.Equal(t, again, r.m.View().Members[0].Candidate)
	require.Len(t, r.m.View().Members, 1)
}

// A leader evicts at most as many candidates as one transaction takes. Followers do not evict.
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

// TestListingAfterANewTenure: the last leader may have left, and the next claim should not
// wait for it.
func TestListingAfterANewTenure(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1), candidate(bob, 1), candidate(alice, 2))
	r.rereads(r.reads(r.leader(bob, 1))).pass(heartbeat)
	require.False(t, r.started(List), "a renewal changes nothing")
	r.rereads(r.reads(r.leader(carol, 2))).pass(heartbeat)
	require.True(t, r.started(List))
}
