package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// transitions returns the changes of state of the last step.
func (r *rig) transitions() (all []Transition) {
	for _, action := range r.acts {
		if m, ok := action.(StateChanged); ok {
			all = append(all, m.Transition)
		}
	}
	return all
}

// TestTransitions: the term is that of the process's own tenure, or that of the leader record
// if it has none.
func TestTransitions(t *testing.T) {
	r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
	next := r.leader(bob, 2)
	r.answer(WatchTerm, r.reads(next))
	require.Equal(t, []Transition{{
		From: StateLeader, To: StateFollower, Term: 1, Reason: ReasonLeadershipLost, Leader: next, At: r.now().Wall,
	}}, r.transitions())

	r = newRig(t)
	leader := r.leader(bob, 3)
	r.follow(leader)
	require.Equal(t, []Transition{{
		From: StateCandidate, To: StateFollower, Term: 3, Reason: ReasonLeaderSeen, Leader: leader, At: r.now().Wall,
	}}, r.transitions())
}

// TestLeaseEndOfALeader: LeaseEnd is about another leader.
func TestLeaseEndOfALeader(t *testing.T) {
	require.Zero(t, newRig(t).elect().m.View().LeaseEnd)
}

// Store errors end with the next success, and each run of errors is reported once.
func TestStoreErrorsEnd(t *testing.T) {
	r := newRig(t).elect()
	for range 2 {
		r.pass(heartbeat).answer(ElectionCycle, failing(errStore))
		require.Equal(t, []string{"election cycle: the store is down"}, r.reports())
		require.Equal(t, "election cycle: the store is down", r.m.View().StoreError)
		r.pass(20 * time.Millisecond).renew()
		require.Empty(t, r.m.View().StoreError)
	}
}

// TestRelist: it keeps Since of the candidates without a new heartbeat.
func TestRelist(t *testing.T) {
	since := localEpoch.Add(time.Second)
	v := View{Config: testConfig(), Members: []Member{{candidate(bob, 1), since}}}
	listed, seen := localEpoch.Add(16*time.Second), localEpoch.Add(17*time.Second)
	v.Relist([]election.Candidate{candidate(bob, 1), candidate(carol, 2)}, listed, seen)
	require.True(t, v.Complete)
	require.Equal(t, listed, v.Listed)
	require.Equal(t, []Member{{candidate(bob, 1), since}, {candidate(carol, 2), seen}}, v.Members)
	require.True(t, v.TimedOut(&v.Members[0]))
	require.False(t, v.TimedOut(&v.Members[1]))
}

// TestTheErrorsOfLeaving: the fatal error and the error of the last attempt are both
// returned.
func TestTheErrorsOfLeaving(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).pass(heartbeat).answer(ReadLeader, failing(fdbelection.ErrInvalidConfig))
	r.step(Leave{})
	for r.m.life.phase != stopped {
		r.answer(Unregister, failing(errStore)).pass(r.wake - r.local)
	}
	require.ErrorIs(t, r.m.life.err, fdbelection.ErrInvalidConfig)
	require.ErrorIs(t, r.m.life.err, errStore)
	var left *LeaveError
	require.ErrorAs(t, r.m.life.err, &left)
}

// TestAnExistingCandidateIsTimedFromTheEndOfItsRead: it may have sent a heartbeat during the
// read.
func TestAnExistingCandidateIsTimedFromTheEndOfItsRead(t *testing.T) {
	r := newRig(t).step(Begin{})
	a := r.foundElder(r.leader(bob, 1))
	a.Start, a.Seen = localEpoch.Add(time.Second), localEpoch.Add(3*time.Second)
	r.local = 4 * time.Second
	r.answer(Register, a)
	require.Equal(t, localEpoch.Add(18*time.Second), r.m.takeOverAt())
}
