package machine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// elder is an earlier start of alice.
var elder = election.Identity{ID: "alice", Incarnation: uuid.UUID{0xe}}

// finds is the answer to a registration that found elder in the way.
func (r *rig) finds(leader election.LeaderRecord) Answer {
	a := r.reads(leader)
	a.Existing = &election.ExistingCandidate{Candidate: candidate(elder, 1), Leader: leader}
	return a
}

// TestAnIncumbentThatIsDead: the newcomer looks once per heartbeat, and takes over
// once the record has stood still for the candidate timeout on its own clock, to the
// nanosecond.
func TestAnIncumbentThatIsDead(t *testing.T) {
	r := newRig(t).step(Begin{})
	op := r.op(Register)
	require.True(t, op.Existing == nil && !op.TakeOver)
	r.local = time.Second
	last := r.finds(r.leader(bob, 1))
	r.answer(Register, last).does("leader bob in 1", "await alice until 16s", "candidate -> follower: another candidate leads")
	require.False(t, r.started(WatchTerm), "nothing is watched before it is registered")
	for _, seconds := range []int{4, 7, 10, 13} {
		at := time.Duration(seconds) * time.Second
		r.pass(at - 1 - r.local).idle()
		r.pass(1).does("do register")
		op = r.op(Register)
		require.Equal(t, last.Existing, op.Existing)
		require.False(t, op.TakeOver)
		last = r.finds(r.leader(bob, 1))
		r.answer(Register, last).does()
	}
	r.pass(3*time.Second - 1).idle().pass(1).does("do register")
	op = r.op(Register)
	require.Equal(t, last.Existing, op.Existing)
	require.True(t, op.TakeOver)
	r.answer(Register, Answer{Status: election.Status{Config: r.config}}).answer(WatchTerm, r.reads(r.leader(bob, 1)))
	r.pass(heartbeat)
	require.NotContains(t, r.kinds(), Register)
}

// TestAnIncumbentThatLed: both windows run from the first read, so that a process that
// comes back after a crash claims one lease after it.
func TestAnIncumbentThatLed(t *testing.T) {
	r := newRig(t).step(Begin{})
	seat := r.leader(elder, 1)
	r.answer(Register, r.finds(seat)).does("leader alice in 1", "await alice until 10s", "candidate -> follower: another candidate leads")
	r.answer(List, Answer{Members: []election.Candidate{candidate(elder, 1)}})
	for range 3 {
		r.pass(heartbeat).does("do register").answer(Register, r.finds(seat))
		require.False(t, r.m.operations.main.busy())
	}
	r.pass(time.Second - 1).idle()
	r.pass(1)
	require.True(t, r.op(Register).TakeOver)
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	op := r.op(ElectionCycle)
	require.False(t, op.Abstain)
	require.True(t, op.Observation.LeaseExpired(seat, r.now().Local), "what was seen while it waited counts")
	r.answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 2)))
	r.state(StateLeader)
	require.Equal(t, 10*time.Second, r.local)
}

// TestTheWindowsOfAnIncumbent: whichever ends first.
func TestTheWindowsOfAnIncumbent(t *testing.T) {
	for _, c := range []struct {
		name           string
		timeout, lease time.Duration
		seat           func(r *rig, at time.Duration) election.LeaderRecord
		want           time.Duration
	}{
		{"a short timeout", 4 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.standing(elder, 1) }, 4 * time.Second},
		{"a short lease", 15 * time.Second, 5 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.standing(elder, 1) }, 5 * time.Second},
		{"vacant", 15 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.vacant(0) }, 15 * time.Second},
		{"another leader", 15 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.leader(bob, 1) }, 15 * time.Second},
		{"handed to it after 2 s", 15 * time.Second, 5 * time.Second, func(r *rig, at time.Duration) election.LeaderRecord {
			if at < 2*time.Second {
				return r.leader(bob, 1)
			}
			return r.standing(elder, 2)
		}, 8 * time.Second},
		{"and taken from it after 2 s", 15 * time.Second, 5 * time.Second, func(r *rig, at time.Duration) election.LeaderRecord {
			if at < 2*time.Second {
				return r.standing(elder, 1)
			}
			return r.leader(bob, 2)
		}, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(s *Settings) {
				s.Config.CandidateTimeout, s.Config.LeaseDuration = c.timeout, c.lease
			}).step(Begin{})
			for {
				if op, ok := r.find(Register); ok {
					if op.TakeOver {
						break
					}
					r.answer(Register, r.finds(c.seat(r, r.local)))
				}
				r.local = r.wake
				r.step(Tick{})
				require.Less(t, r.local, time.Minute)
			}
			require.Equal(t, c.want, r.local)
		})
	}
}

// TestAnIncumbentThatIsAlive ends the newcomer, which leaves nothing behind that it
// would have to take away.
func TestAnIncumbentThatIsAlive(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).finds(election.LeaderRecord{})).pass(heartbeat)
	err := fmt.Errorf("%w: it moves", fdbelection.ErrDuplicateID)
	r.answer(Register, failing(err)).does("candidate -> stopped: failed", "finish register: "+err.Error())
	require.ErrorIs(t, r.m.life.err, fdbelection.ErrDuplicateID)
}

// TestAnIncumbentThatGoesAway: it has left, or was evicted.
func TestAnIncumbentThatGoesAway(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).finds(election.LeaderRecord{})).pass(heartbeat)
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	require.True(t, r.started(WatchTerm))
	require.Nil(t, r.m.existing.found)
}

// TestLeavingWhileAnIncumbentStands needs no transaction.
func TestLeavingWhileAnIncumbentStands(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).finds(election.LeaderRecord{}))
	r.step(Leave{}).does("candidate -> stopped: stopped", "finish <nil>")

	r = newRig(t).step(Begin{}).answer(Register, newRig(t).finds(election.LeaderRecord{})).pass(heartbeat)
	r.step(Leave{}).does("cancel register")
	r.answer(Register, failing(context.Canceled)).does("candidate -> stopped: stopped", "finish <nil>")
}

// TestAnIncumbentBehindFailures: what the store fails to answer does not begin the
// windows again, and does not become a hot loop at their end.
func TestAnIncumbentBehindFailures(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).finds(election.LeaderRecord{})).pass(heartbeat)
	for r.local < 15*time.Second {
		require.False(t, r.op(Register).TakeOver)
		r.answer(Register, failing(errStore)).idle().pass(r.wake - r.local)
		if _, ok := r.main(); !ok {
			r.pass(r.wake - r.local)
		}
	}
	require.True(t, r.op(Register).TakeOver)
	for range 5 {
		r.answer(Register, failing(errStore)).idle().pass(r.wake - r.local)
		require.True(t, r.op(Register).TakeOver)
	}
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	require.True(t, r.m.me.registered)
}
