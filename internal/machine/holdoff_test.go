package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

var errFailed = errors.New("the work has failed")

// workFails ends the tenure because its work has failed, and resigns.
func (r *rig) workFails(err error) *rig {
	r.t.Helper()
	term := r.m.tenure.token.Term
	r.step(WorkReturning{Term: term, Err: err})
	acts := r.acts
	r.step(WorkReturned{term})
	if op, ok := r.main(); ok && op.Kind != Resign { // a heartbeat was running
		r.answer(op.Kind, r.did(election.Followed, r.standing(alice, term)))
	}
	r.answer(Resign, r.reads(r.vacant(term)))
	r.acts = acts
	return r
}

// claims makes the machine lead in a term.
func (r *rig) claims(term uint64) *rig {
	r.t.Helper()
	for !r.m.tenure.leads() {
		op, ok := r.main()
		switch {
		case !ok:
			r.jump(10 * time.Millisecond)
		case op.Kind == ElectionCycle && !op.Abstain:
			r.answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, term)))
		default:
			r.answer(op.Kind, r.did(election.Followed, r.standing(election.Identity{}, term-1)))
		}
	}
	return r
}

// leadsFor renews for a while.
func (r *rig) leadsFor(d time.Duration) *rig {
	r.t.Helper()
	for end := r.local + d; r.local < end; {
		r.jump(min(heartbeat, end-r.local))
		if op, ok := r.main(); ok && op.Kind == ElectionCycle {
			r.renew()
		}
	}
	return r.state(StateLeader)
}

// TestHoldOffs: each failure in a row doubles the time without a claim, up to 32 leases. Each
// hold-off is reported once with its length.
func TestHoldOffs(t *testing.T) {
	r := newRig(t).elect()
	for i, leases := range []int{1, 2, 4, 8, 16, 32, 32} {
		length := time.Duration(leases) * r.config.LeaseDuration
		failedAt := r.workFails(errFailed).local
		require.Contains(t, r.acts, Action(HoldOff{Failures: i + 1, For: length}))
		view := r.m.View()
		require.Equal(t, i+1, view.Failures)
		require.Equal(t, length, view.HoldOff.Sub(localEpoch)-failedAt)
		r.claims(uint64(i + 2))
		require.InDelta(t, length, r.local-failedAt, float64(20*time.Millisecond))
		require.Equal(t, i+1, r.m.View().Failures, "a short tenure does not reset the count")
	}
}

// TestManyFailures: the hold-off does not overflow.
func TestManyFailures(t *testing.T) {
	r := newRig(t).elect()
	for _, failures := range []int{63, 64, 65, 1 << 40} {
		r.m.claim.failures, r.m.claim.holdOff = failures-1, time.Time{}
		r.m.tenureFailed()
		require.Equal(t, maxHoldOff*r.config.LeaseDuration, r.m.View().HoldOff.Sub(r.m.now.Local), failures)
	}
}

// TestFailuresAreReset: by a tenure that lasts for 32 leases, no matter how it ends, and by work
// that returns without an error.
func TestFailuresAreReset(t *testing.T) {
	const long = 320 * time.Second
	begin := func() *rig { return newRig(t).elect().workFails(errFailed).claims(2).workFails(errFailed).claims(3) }

	r := begin().leadsFor(long - time.Second)
	require.Equal(t, 2, r.m.View().Failures)
	r.workFails(errFailed)
	require.Equal(t, 3, r.m.View().Failures)

	r = begin().leadsFor(long)
	require.Zero(t, r.m.View().Failures)
	r.workFails(errFailed)
	require.Equal(t, 1, r.m.View().Failures)

	r = begin().workFails(nil)
	require.Zero(t, r.m.View().Failures)

	r = begin().leadsFor(long).answerRenewal(election.Request{Kind: election.TransferRequest, Term: 3, Identity: bob, Nonce: uuid.UUID{9}})
	require.Zero(t, r.m.View().Failures)
}

// TestAResignRequestDoesNotShortenAHoldOff: the work has failed three times, leadership is
// handed over to the process during the hold-off, and it is asked to resign.
func TestAResignRequestDoesNotShortenAHoldOff(t *testing.T) {
	r := newRig(t).elect().workFails(errFailed).claims(2).workFails(errFailed).claims(3).workFails(errFailed)
	end := r.local + 40*time.Second
	for !r.m.tenure.leads() {
		op, ok := r.main()
		switch {
		case !ok:
			r.jump(10 * time.Millisecond)
		case op.Kind == ElectionCycle && !op.Abstain:
			r.answer(ElectionCycle, r.did(election.Renewed, r.leader(alice, 4)))
		default:
			handed := r.leader(alice, 4)
			handed.Accepted = false
			r.answer(op.Kind, r.did(election.Followed, handed))
		}
	}
	require.Less(t, r.local, end)
	r.answerRenewal(election.Request{Kind: election.ResignRequest, Term: 4, Nonce: uuid.UUID{9}}).step(WorkReturned{4})
	require.Equal(t, end, r.m.View().HoldOff.Sub(localEpoch))
}

// answerRenewal answers the next renewal, which finds a request.
func (r *rig) answerRenewal(request election.Request) *rig {
	r.t.Helper()
	r.pass(heartbeat)
	return r.answer(ElectionCycle, r.requested(request, true))
}

// TestHoldOffOfAHigherPriority: the process neither preempts nor challenges its successor, and
// withdraws its request.
func TestHoldOffOfAHigherPriority(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 9 }).elect().workFails(errFailed).claims(2)
	end := r.workFails(errFailed).local + 20*time.Second
	var ballot uint64
	for r.local < end-10*time.Millisecond {
		r.jump(10 * time.Millisecond)
		if op, ok := r.main(); ok {
			require.True(t, op.Kind == ReadLeader || op.Abstain, "at %s: %+v", r.local, op)
			if r.local%time.Second == 0 {
				r.ballot++
			}
			ballot = r.ballot
			r.answer(op.Kind, r.did(election.Followed, r.standing(bob, 3)))
		}
	}
	require.NotZero(t, ballot)
	for r.jump(20 * time.Millisecond); ; r.jump(10 * time.Millisecond) {
		require.Less(t, r.local, end+heartbeat, "it challenges again")
		op, ok := r.main()
		if ok && !op.Abstain && op.Kind == ElectionCycle {
			return
		}
		if ok { // it was running at the end of the hold-off
			r.answer(op.Kind, r.did(election.Followed, r.standing(bob, 3)))
		}
	}
}

// TestPreemptDelay: a candidate neither challenges nor preempts before it has been registered
// for the delay. It claims a vacant or expired leadership without it.
func TestPreemptDelay(t *testing.T) {
	const delay = 25 * time.Second
	begin := func(leader func(*rig) election.LeaderRecord) *rig {
		r := newRig(t, func(s *Settings) { s.Me.Priority, s.Config.PreemptDelay = 9, delay })
		return r.follow(leader(r))
	}
	held := func(r *rig) election.LeaderRecord { return r.leader(bob, 1) }

	r := begin(held)
	for r.local < delay-10*time.Millisecond {
		if op, ok := r.main(); ok {
			require.True(t, op.Kind == ReadLeader || op.Abstain && op.NoPreempt, "at %s: %+v", r.local, op)
			r.answer(op.Kind, r.did(election.Followed, r.leader(bob, 1)))
		}
		r.jump(10 * time.Millisecond)
	}
	op, ok := r.main()
	for ; op.Kind != ElectionCycle; op, ok = r.main() {
		require.Less(t, r.local, delay+20*time.Millisecond)
		if ok {
			r.answer(op.Kind, r.reads(r.leader(bob, 1)))
		}
		r.jump(10 * time.Millisecond)
	}
	require.False(t, op.Abstain || op.NoPreempt, "%+v", op)

	r = begin(func(r *rig) election.LeaderRecord { return r.vacant(1) })
	op = r.op(ElectionCycle)
	require.False(t, op.Abstain, "a vacancy is claimed at once")
	require.True(t, op.NoPreempt, "without preempting a candidate that was quicker")

	r = begin(held)
	r.jump(10 * time.Second)
	if op, ok := r.main(); ok && op.Kind == ReadLeader {
		r.answer(ReadLeader, r.reads(r.standing(bob, 1)))
	}
	op = r.op(ElectionCycle)
	require.False(t, op.Abstain, "an expired lease needs no delay")
	require.True(t, op.NoPreempt)
}

// TestPreemptDelayAfterAnEviction: it counts from the new registration.
func TestPreemptDelayAfterAnEviction(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority, s.Config.PreemptDelay = 9, 25*time.Second })
	r.follow(r.leader(bob, 1))
	first := r.m.me.mayPreemptAt(&r.m.config)
	r.jump(heartbeat)
	op, _ := r.main()
	require.NotEqual(t, Rejoin, op.Kind)
	r.m.me.registered = false // as after a heartbeat that found no record
	r.answer(op.Kind, r.reads(r.leader(bob, 1))).answer(Rejoin, Answer{Status: election.Status{Config: r.config}})
	require.Equal(t, r.local, r.m.me.mayPreemptAt(&r.m.config).Sub(first))
}
