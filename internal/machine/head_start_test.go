package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// unanswered fails every main operation for d. It returns without one that runs.
func (r *rig) unanswered(d time.Duration) *rig {
	r.t.Helper()
	for end := r.local + d; ; {
		if op, ok := r.main(); ok {
			r.answer(op.Kind, failing(errStore))
		}
		if r.local >= end {
			return r.idle()
		}
		r.pass(min(r.wake, end) - r.local)
	}
}

// claimsAfter answers main operations with what a leader record says until a claim begins. It
// returns how long that takes.
func (r *rig) claimsAfter(leader election.LeaderRecord) time.Duration {
	r.t.Helper()
	for begin := r.local; ; {
		op, ok := r.main()
		switch {
		case ok && op.Kind == ElectionCycle && !op.Abstain:
			return r.local - begin
		case ok:
			r.answer(op.Kind, r.did(election.Followed, leader))
		default:
			r.pass(r.wake - r.local)
		}
		require.Less(r.t, r.local-begin, time.Minute, "it does not claim")
	}
}

// outage lets alice follow bob, and takes the store away for d.
func outage(t *testing.T, d time.Duration, changes ...func(*Settings)) (*rig, election.LeaderRecord) {
	t.Helper()
	r := newRig(t, changes...)
	leader := r.leader(bob, 1)
	return r.follow(leader).unanswered(d), leader
}

// TestTheHeadStart: after an outage of a lease or more, a candidate leaves the leadership to its
// holder for a head start. It counts from one back-off before the first answer.
func TestTheHeadStart(t *testing.T) {
	for _, c := range []struct {
		name     string
		setting  time.Duration
		min, max time.Duration
	}{
		{"default", 0, heartbeat * 4 / 5, heartbeat + heartbeat/5},
		{"longer than the lease", 20 * time.Second, 20*time.Second - heartbeat/5, 20*time.Second + heartbeat/5},
		{"none", -1, 0, heartbeat / 5},
	} {
		for _, length := range []time.Duration{12 * time.Second, 120 * time.Second} {
			r, leader := outage(t, length, func(s *Settings) { s.HeadStart = c.setting })
			took := r.claimsAfter(leader)
			require.GreaterOrEqual(t, took, c.min, c.name)
			require.LessOrEqual(t, took, c.max, c.name)
		}
	}
}

// The first answer after the outage may show a renewal from just before it, whose lease has expired by
// the clock. Its holder gets the head start all the same. A ballot that is seen later ends it.
func TestTheHeadStartOfAnUnseenBallot(t *testing.T) {
	for _, seen := range []int{1, 2} {
		r := newRig(t)
		r.config.Expiry = fdbelection.ExpiryByClock
		leader := r.leader(bob, 1)
		r.follow(leader).unanswered(12 * time.Second)
		for answers := 0; answers < seen; {
			op, ok := r.main()
			if !ok {
				r.pass(r.wake - r.local)
				continue
			}
			if answers++; answers == seen {
				leader.Ballot++
			}
			r.answer(op.Kind, r.did(election.Followed, leader))
		}
		took := r.claimsAfter(leader)
		if seen == 1 {
			require.GreaterOrEqual(t, took, heartbeat*4/5)
		} else {
			require.Less(t, took, heartbeat/5)
		}
	}
}

// TestNoHeadStart: without a head start, a claim may be the first operation that is answered.
func TestNoHeadStart(t *testing.T) {
	r, _ := outage(t, 12*time.Second, func(s *Settings) { s.HeadStart = -1 })
	r.pass(r.wake - r.local).does("do election cycle")
}

// TestAShortOutage: a candidate whose store has answered within the lease claims after the lease.
func TestAShortOutage(t *testing.T) {
	r, leader := outage(t, 6*time.Second, func(s *Settings) { s.HeadStart = time.Minute })
	require.LessOrEqual(t, 6*time.Second+r.claimsAfter(leader), 10*time.Second)
}

// TestNoClaimBeforeAnAnswer: while the store does not answer, a candidate reads first. A claim that
// began before that ends in time, so it is never the first answer.
func TestNoClaimBeforeAnAnswer(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.follow(leader).pass(heartbeat).answer(ReadLeader, r.reads(leader)).unanswered(7 * time.Second)
	for claims := 0; r.local < time.Minute; {
		op, ok := r.main()
		if !ok {
			r.pass(r.wake - r.local)
			continue
		}
		if op.Kind == ElectionCycle && !op.Abstain {
			claims++
			require.LessOrEqual(t, r.local+op.Limit, heartbeat+10*time.Second)
			require.LessOrEqual(t, claims, 20)
		}
		r.jump(op.Limit/8).answer(op.Kind, failing(errStore))
	}
}

// TestTheHolderHasNoHeadStart: the former leader claims at once.
func TestTheHolderHasNoHeadStart(t *testing.T) {
	r := newRig(t).elect().unanswered(12 * time.Second)
	r.step(WorkReturned{1})
	require.Zero(t, r.claimsAfter(r.standing(alice, 1)))
	require.EqualValues(t, 1, r.op(ElectionCycle).EndedTerm)
}

// TestAnOutrankedLeaderHasNoHeadStart: unless the config forbids preemption.
func TestAnOutrankedLeaderHasNoHeadStart(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		r := newRig(t, func(s *Settings) {
			s.Config.AllowPreemption, s.Config.PreemptDelay = allowed, time.Hour
		})
		leader := r.leader(bob, 1)
		leader.Priority = 4
		took := r.follow(leader).unanswered(12 * time.Second).claimsAfter(leader)
		require.Equal(t, allowed, took <= heartbeat/5, "after %s", took)
	}
}

// TestTheEndOfTheHeadStart: a vacancy, a new tenure and a renewal end it.
func TestTheEndOfTheHeadStart(t *testing.T) {
	begin := func() *rig {
		r, leader := outage(t, 12*time.Second, func(s *Settings) { s.HeadStart = time.Hour })
		r.pass(time.Second)
		op, _ := r.main()
		return r.answer(op.Kind, r.did(election.Followed, leader))
	}
	r := begin()
	require.True(t, r.m.headStartEnd().After(r.now().Local))
	r.pass(time.Second).fire(WatchTerm, nil)
	r.answer(WatchTerm, r.reads(r.vacant(1)))
	require.LessOrEqual(t, r.claimsAfter(r.standing(election.Identity{}, 1)), time.Second)

	for _, who := range []election.Identity{carol, bob} {
		r = begin()
		r.pass(time.Second).fire(WatchTerm, nil)
		leader := r.leader(who, 1)
		if who == carol {
			leader = r.leader(who, 2)
		}
		r.answer(WatchTerm, r.reads(leader))
		took := r.claimsAfter(leader)
		require.GreaterOrEqual(t, took, 10*time.Second)
		require.LessOrEqual(t, took, 11*time.Second)
	}
}

// TestAWatchDoesNotEndTheHeadStart: it may fire without a change when the store is back.
func TestAWatchDoesNotEndTheHeadStart(t *testing.T) {
	r, leader := outage(t, 12*time.Second)
	begin := r.local
	r.fire(WatchTerm, nil)
	require.GreaterOrEqual(t, r.local-begin+r.claimsAfter(leader), heartbeat*4/5)
}

// TestAPauseIsNoOutage: a process that was paused gives no head start, even if its first
// operations fail.
func TestAPauseIsNoOutage(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.follow(leader).jump(time.Minute).unanswered(time.Second)
	require.LessOrEqual(t, r.claimsAfter(leader), heartbeat/5)
}

// TestALeaseThatIsShorterThanAHeartbeat: a config is new, and the leader has not renewed with it.
// There is no head start if no operation has failed, and a claim has the normal limit.
func TestALeaseThatIsShorterThanAHeartbeat(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	leader.LeaseDuration = time.Second
	require.LessOrEqual(t, r.follow(leader).jump(2*time.Second).claimsAfter(leader), 100*time.Millisecond)
	require.Equal(t, heartbeat, r.op(ElectionCycle).Limit)
}
