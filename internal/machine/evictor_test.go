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
		seat    func(*rig) election.LeaderRecord
		members []election.Candidate
		change  func(*Settings)
		evicts  bool
	}{
		{"disabled, first", disabled, ranked(2, 3), nil, true},
		{"disabled, second", disabled, ranked(3, 2), nil, false},
		{"standing by, first", vacant, ranked(2, 3), standingBy, true},
		{"an observer", vacant, ranked(2, 3), func(s *Settings) { s.Me.Role = election.Observer }, false},
		{"spectating", vacant, ranked(2, 3), func(s *Settings) { s.Aim = SubscribeOnly }, false},
		{"not listed yet", vacant, []election.Candidate{candidate(dead, 1), candidate(bob, 2)}, standingBy, false},
		{"a leader that renews", func(r *rig) election.LeaderRecord { return r.leader(carol, 1) }, ranked(2, 3), standingBy, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			if c.change != nil {
				r = newRig(t, c.change)
			}
			seat := c.seat(r)
			r.step(Begin{})
			if r.m.me.aim != SubscribeOnly {
				r.answer(Register, Answer{Status: election.Status{Config: r.config}})
			} else {
				r.answer(WatchTerm, r.reads(seat)) // which configures it
			}
			r.answer(List, Answer{Members: c.members})
			if r.m.me.aim != SubscribeOnly {
				r.answer(WatchTerm, r.reads(seat))
			}
			beats := uint64(1)
			for range 12 { // half a minute, in which all but one move
				r.jump(2500 * time.Millisecond)
				seat.Ballot++
				if seat.Vacant() {
					seat.Ballot--
				}
				r.ballot, beats = seat.Ballot, beats+1
				if op, ok := r.main(); ok {
					r.answer(op.Kind, r.reads(seat))
				}
				if _, ok := r.find(List); !ok {
					continue
				}
				members := append([]election.Candidate{}, c.members...)
				for i := range members[1:] {
					members[i+1].Heartbeats = beats
				}
				r.answer(List, Answer{Members: members})
				if op, ok := r.find(Evict); ok {
					require.True(t, c.evicts)
					require.Len(t, op.Members, 1)
					require.Equal(t, dead, op.Members[0].Identity)
					return
				}
			}
			require.False(t, c.evicts, "the dead candidate stays")
		})
	}
}

// TestEvictionAfterALease: a leader whose lease is over, as far as this process can
// tell, does not count as one.
func TestEvictionAfterALease(t *testing.T) {
	r := newRig(t, standingBy)
	seat := r.leader(bob, 1)
	members := []election.Candidate{candidate(bob, 1), candidate(alice, 2), candidate(carol, 3)}
	r.follow(seat, members...)
	r.jump(16 * time.Second)
	op, _ := r.main()
	r.answer(op.Kind, r.reads(seat)).answer(List, Answer{Members: members})
	op = r.op(Evict)
	require.Len(t, op.Members, 1, "the holder of the seat stays")
	require.Equal(t, carol, op.Members[0].Identity)
}

// TestListingWithoutALeader: who evicts lists as often as a leader does, all others
// as rarely as with one.
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
