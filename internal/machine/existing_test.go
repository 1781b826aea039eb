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

// foundElder is the answer to a registration that found elder registered.
func (r *rig) foundElder(leader election.LeaderRecord) Answer {
	a := r.reads(leader)
	a.Existing = &election.ExistingCandidate{Candidate: candidate(elder, 1), Leader: leader}
	return a
}

// TestADeadExistingCandidate: the new process reads once per heartbeat. It takes over when it
// has seen no heartbeat for the candidate timeout on its own clock, to the nanosecond.
func TestADeadExistingCandidate(t *testing.T) {
	r := newRig(t).step(Begin{})
	op := r.op(Register)
	require.True(t, op.Existing == nil && !op.TakeOver)
	r.local = time.Second
	last := r.foundElder(r.leader(bob, 1))
	r.answer(Register, last).does("leader bob in 1", "await alice until 16s", "candidate -> follower: another process leads")
	require.False(t, r.started(WatchTerm), "nothing is watched before it is registered")
	for _, seconds := range []int{4, 7, 10, 13} {
		at := time.Duration(seconds) * time.Second
		r.pass(at - 1 - r.local).idle()
		r.pass(1).does("do register")
		op = r.op(Register)
		require.Equal(t, last.Existing, op.Existing)
		require.False(t, op.TakeOver)
		last = r.foundElder(r.leader(bob, 1))
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

// TestADeadExistingLeader: the candidate timeout and the lease both count from the first
// read. So a process that restarts after a crash claims one lease after that.
func TestADeadExistingLeader(t *testing.T) {
	r := newRig(t).step(Begin{})
	leader := r.leader(elder, 1)
	r.answer(Register, r.foundElder(leader)).does("leader alice in 1", "await alice until 10s", "candidate -> follower: another process leads")
	r.answer(List, Answer{Members: []election.Candidate{candidate(elder, 1)}})
	for range 3 {
		r.pass(heartbeat).does("do register").answer(Register, r.foundElder(leader))
		require.False(t, r.m.operations.main.busy())
	}
	r.pass(time.Second - 1).idle()
	r.pass(1)
	require.True(t, r.op(Register).TakeOver)
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	op := r.op(ElectionCycle)
	require.False(t, op.Abstain)
	require.True(t, op.Observation.LeaseExpired(leader, r.now().Local), "the observation began before it registered")
	r.answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 2)))
	r.state(StateLeader)
	require.Equal(t, 10*time.Second, r.local)
}

// TestWhenAnExistingCandidateCountsAsDead: after the candidate timeout or the lease, the
// earlier of the two.
func TestWhenAnExistingCandidateCountsAsDead(t *testing.T) {
	for _, c := range []struct {
		name           string
		timeout, lease time.Duration
		leader         func(r *rig, at time.Duration) election.LeaderRecord
		want           time.Duration
	}{
		{"a short timeout", 4 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.standing(elder, 1) }, 4 * time.Second},
		{"a short lease", 15 * time.Second, 5 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.standing(elder, 1) }, 5 * time.Second},
		{"vacant", 15 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.vacant(0) }, 15 * time.Second},
		{"another leader", 15 * time.Second, 10 * time.Second, func(r *rig, _ time.Duration) election.LeaderRecord { return r.leader(bob, 1) }, 15 * time.Second},
		{"it becomes the leader after 2 s", 15 * time.Second, 5 * time.Second, func(r *rig, at time.Duration) election.LeaderRecord {
			if at < 2*time.Second {
				return r.leader(bob, 1)
			}
			return r.standing(elder, 2)
		}, 8 * time.Second},
		{"it is replaced as the leader after 2 s", 15 * time.Second, 5 * time.Second, func(r *rig, at time.Duration) election.LeaderRecord {
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
					r.answer(Register, r.foundElder(c.leader(r, r.local)))
				}
				r.local = r.wake
				r.step(Tick{})
				require.Less(t, r.local, time.Minute)
			}
			require.Equal(t, c.want, r.local)
		})
	}
}

// TestALateCommitOfADeadExistingCandidate: the record has changed once. That does not show
// that its process is alive, and the waits begin again.
func TestALateCommitOfADeadExistingCandidate(t *testing.T) {
	r := newRig(t).step(Begin{})
	leader := r.leader(bob, 1)
	r.answer(Register, r.foundElder(leader)).does("leader bob in 1", "await alice until 15s", "candidate -> follower: another process leads")
	r.pass(heartbeat).does("do register")
	require.False(t, r.op(Register).ExistingChanged)
	late := r.foundElder(leader)
	late.Existing.Candidate.Heartbeats++
	r.answer(Register, late).does("await alice until 18s")
	for range 4 {
		op := r.pass(heartbeat).op(Register)
		require.True(t, op.ExistingChanged && !op.TakeOver)
		require.Equal(t, late.Existing, op.Existing)
		r.answer(Register, late).does()
	}
	r.pass(heartbeat - 1).idle().pass(1).does("do register")
	require.True(t, r.op(Register).TakeOver)
	require.Equal(t, 18*time.Second, r.local)
}

// TestALeaderThatOnlySendsHeartbeats: its lease has expired, but a heartbeat has just shown
// that it may be alive. Its lease does not count again.
func TestALeaderThatOnlySendsHeartbeats(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Config.LeaseDuration = 5 * time.Second }).step(Begin{})
	leader := r.standing(elder, 1)
	r.answer(Register, r.foundElder(leader)).pass(heartbeat).answer(Register, r.foundElder(leader))
	r.pass(5*time.Second - heartbeat)
	require.True(t, r.op(Register).TakeOver)
	moved := r.foundElder(leader)
	moved.Existing.Candidate.Heartbeats++
	r.answer(Register, moved)
	require.False(t, r.m.operations.main.busy())
	r.pass(heartbeat)
	require.False(t, r.op(Register).TakeOver)
	r.answer(Register, moved).pass(5*time.Second - heartbeat - 1).idle().pass(1)
	require.True(t, r.op(Register).TakeOver)
}

// TestALiveExistingCandidate: the new process stops. It has not registered and need not
// unregister.
func TestALiveExistingCandidate(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).foundElder(election.LeaderRecord{})).pass(heartbeat)
	err := fmt.Errorf("%w: it is alive", fdbelection.ErrDuplicateID)
	r.answer(Register, failing(err)).does("candidate -> stopped: failed", "finish register: "+err.Error())
	require.ErrorIs(t, r.m.life.err, fdbelection.ErrDuplicateID)
}

// TestAnExistingCandidateThatIsRemoved: it has left or was evicted.
func TestAnExistingCandidateThatIsRemoved(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).foundElder(election.LeaderRecord{})).pass(heartbeat)
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	require.True(t, r.started(WatchTerm))
	require.Nil(t, r.m.existing.found)
}

// TestLeavingBeforeATakeOver: this needs no transaction.
func TestLeavingBeforeATakeOver(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).foundElder(election.LeaderRecord{}))
	r.step(Leave{}).does("candidate -> stopped: stopped", "finish <nil>")

	r = newRig(t).step(Begin{}).answer(Register, newRig(t).foundElder(election.LeaderRecord{})).pass(heartbeat)
	r.step(Leave{}).does("cancel register")
	r.answer(Register, failing(context.Canceled)).does("candidate -> stopped: stopped", "finish <nil>")
}

// TestTakeOverDuringStoreErrors: errors do not restart the candidate timeout, and do not
// cause a hot loop after it.
func TestTakeOverDuringStoreErrors(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, newRig(t).foundElder(election.LeaderRecord{})).pass(heartbeat)
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
