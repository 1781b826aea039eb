package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// TestEvictionWithoutALeader: the first live voter by rank evicts while there is no
// leader, and no other process does.
func TestEvictionWithoutALeader(t *testing.T) {
	dead := election.Identity{ID: "dead"}
	ranked := func(own, other byte) []election.Candidate {
		return []election.Candidate{candidate(dead, 1), candidate(bob, other), candidate(alice, own)}
	}
	disabled := func(r *rig) election.LeaderRecord {
		r.config.ElectionEnabled = false
		return r.vacant(0)
	}
	vacant := func(r *rig) election.LeaderRecord { return r.vacant(1) }
	for _, c := range []struct {
		name    string
		leader  func(*rig) election.LeaderRecord
		members []election.Candidate
		change  func(*Settings)
		evicts  bool
	}{
		{"disabled, first", disabled, ranked(2, 3), nil, true},
		{"disabled, second", disabled, ranked(3, 2), nil, false},
		{"standby, first", vacant, ranked(2, 3), standingBy, true},
		{"an observer", vacant, ranked(2, 3), func(s *Settings) { s.Me.Role = election.Observer }, false},
		{"only subscribed", vacant, ranked(2, 3), func(s *Settings) { s.Aim = SubscribeOnly }, false},
		{"not in the list yet", vacant, []election.Candidate{candidate(dead, 1), candidate(bob, 2)}, standingBy, false},
		{"a leader that renews", func(r *rig) election.LeaderRecord { return r.leader(carol, 1) }, ranked(2, 3), standingBy, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			if c.change != nil {
				r = newRig(t, c.change)
			}
			leader := c.leader(r)
			r.step(Begin{})
			if r.m.me.aim != SubscribeOnly {
				r.answer(Register, Answer{Status: election.Status{Config: r.config}})
			} else {
				r.answer(WatchTerm, r.reads(leader)) // which also reads the config
			}
			r.answer(List, Answer{Members: c.members})
			if r.m.me.aim != SubscribeOnly {
				r.answer(WatchTerm, r.reads(leader))
			}
			heartbeats := uint64(1)
			for range 12 { // half a minute, in which all but one candidate send heartbeats
				r.jump(2500 * time.Millisecond)
				if !leader.Vacant() {
					leader.Ballot++
				}
				r.ballot, heartbeats = leader.Ballot, heartbeats+1
				if op, ok := r.main(); ok {
					r.answer(op.Kind, r.reads(leader))
				}
				if _, ok := r.find(List); !ok {
					continue
				}
				members := append([]election.Candidate{}, c.members...)
				for i := range members[1:] {
					members[i+1].Heartbeats = heartbeats
				}
				r.answer(List, Answer{Members: members})
				if op, ok := r.find(Evict); ok {
					require.True(t, c.evicts)
					require.Len(t, op.Members, 1)
					require.Equal(t, dead, op.Members[0].Identity)
					return
				}
			}
			require.False(t, c.evicts, "it does not evict the dead candidate")
		})
	}
}

// TestEvictionAfterALease: a process evicts if the lease of the leader has expired, as far
// as it can tell.
func TestEvictionAfterALease(t *testing.T) {
	r := newRig(t, standingBy)
	leader := r.leader(bob, 1)
	members := []election.Candidate{candidate(bob, 1), candidate(alice, 2), candidate(carol, 3)}
	r.follow(leader, members...)
	r.jump(16 * time.Second)
	op, _ := r.main()
	r.answer(op.Kind, r.reads(leader)).answer(List, Answer{Members: members})
	op = r.op(Evict)
	require.Len(t, op.Members, 1, "the holder of leadership is not evicted")
	require.Equal(t, carol, op.Members[0].Identity)
}

// TestListingWithoutALeader: the process that evicts lists as often as a leader. All others
// list as rarely as while there is a leader.
func TestListingWithoutALeader(t *testing.T) {
	for _, c := range []struct {
		name    string
		members []election.Candidate
		period  time.Duration
	}{
		{"first", []election.Candidate{candidate(alice, 1), candidate(bob, 2)}, 5 * time.Second},
		{"second", []election.Candidate{candidate(bob, 1), candidate(alice, 2)}, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, standingBy)
			r.follow(r.vacant(0), c.members...)
			r.local = r.m.candidates.due.Sub(localEpoch)
			r.step(Tick{}).answer(List, Answer{Members: c.members})
			due := r.m.candidates.due.Sub(r.now().Local)
			require.LessOrEqual(t, due, c.period)
			require.Greater(t, due, c.period*9/10)
		})
	}
}
