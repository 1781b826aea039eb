package machine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var (
	challenge = election.Request{Kind: election.PreemptionRequest, Term: 1, Identity: bob, Nonce: uuid.UUID{9}, Priority: 7}
	resign    = election.Request{Kind: election.ResignRequest, Term: 1, Nonce: uuid.UUID{9}}
	transfer  = election.Request{Kind: election.TransferRequest, Term: 1, Identity: bob, Nonce: uuid.UUID{9}}
)

// TestDrainCauses: what ends a tenure that could be renewed, how long the work may take to
// stop, and how leadership is released after that, whether the work has returned or not.
func TestDrainCauses(t *testing.T) {
	disabled := func(r *rig) {
		r.config.ElectionEnabled, r.config.Revision = false, 2
		r.answer(ElectionCycle, r.did(election.Draining, r.standing(alice, 1)))
	}
	requested := func(request election.Request) func(*rig) {
		return func(r *rig) {
			if request.Kind == election.PreemptionRequest { // its counter must be seen to rise
				r.commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true)).does().pass(heartbeat)
				request.Counter++
			}
			r.commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true))
		}
	}
	event := func(e Event) func(*rig) {
		return func(r *rig) { r.renew().step(e) }
	}
	for _, c := range []struct {
		name           string
		by             func(*rig) // called while the renewal at 3 s is running
		reason         Reason
		limit          time.Duration
		returned, late string // what follows when the work has returned, and when it has not
	}{
		{"a preemption request", requested(challenge), ReasonChallenged, 5 * time.Second, "do hand over 1", "do resign 1"},
		{"a resign request", requested(resign), ReasonAskedToResign, 4 * time.Second, "do resign 1", "do resign 1"},
		{"a transfer request", requested(transfer), ReasonAskedToTransfer, 4 * time.Second, "do hand over 1", "do hand over 1"},
		{"disabled", disabled, ReasonDisabled, 4 * time.Second, "do resign 1", "do resign 1"},
		{"an observer", event(RegistrationChanged{Priority: 5, Role: election.Observer}), ReasonDemoted, 4 * time.Second, "do resign 1", "do resign 1"},
		{"another aim", event(AimChanged{StandBy}), ReasonRole, 4 * time.Second, "do resign 1", "do resign 1"},
		{"the end of the work", event(WorkReturning{Term: 1}), ReasonWorkReturned, 4 * time.Second, "do resign 1", "do resign 1"},
		{"leaving", event(Leave{}), ReasonStopped, 4 * time.Second, "do unregister", "do unregister"},
	} {
		for _, returns := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, and the work returns: %t", c.name, returns), func(t *testing.T) {
				r := newRig(t).elect().pass(heartbeat)
				c.by(r)
				r.does(fmt.Sprintf("drain 1: %s", c.reason), fmt.Sprintf("leader -> candidate: %s", c.reason))
				require.Equal(t, c.limit, r.m.Deadlines().End.Sub(r.now().Local))
				r.config.Revision++
				r.step(AimChanged{SubscribeOnly}).step(WorkReturning{Term: 1}) // a later cause changes nothing
				if returns {
					r.step(WorkReturned{1})
					require.Subset(t, texts(r.acts), []string{"expire 1", c.returned})
					return
				}
				r.pass(c.limit - time.Millisecond)
				for _, kind := range r.kinds() {
					require.Contains(t, []Kind{ElectionCycle, Heartbeat}, kind)
					r.answer(kind, r.did(election.Renewed, r.leader(alice, 1)))
				}
				r.pass(time.Millisecond).does("expire 1", c.late)
			})
		}
	}
}

// A request that cannot be met does not stop the work.
func TestARequestThatCannotBeMet(t *testing.T) {
	for _, request := range []election.Request{challenge, resign, transfer, {Term: 1}} {
		r := newRig(t).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.requested(request, request.Kind == 0)).does().state(StateLeader)
	}
}

// TestTheLeaseIsRenewedWhileTheWorkStops: unless the election is disabled.
func TestTheLeaseIsRenewedWhileTheWorkStops(t *testing.T) {
	long := func(s *Settings) { s.Drain = time.Minute }
	r := newRig(t, long).elect().step(WorkReturning{Term: 1})
	for range 12 {
		r.pass(heartbeat).does("do renew 1").renew()
	}
	require.Equal(t, 45*time.Second, r.m.Deadlines().End.Sub(localEpoch))

	r = newRig(t, long).elect().pass(heartbeat)
	r.config.ElectionEnabled, r.config.Revision = false, 2
	r.answer(ElectionCycle, r.did(election.Draining, r.standing(alice, 1)))
	r.pass(5*time.Second).does("do heartbeat").answer(Heartbeat, Answer{})
	r.pass(time.Second).does("expire 1")
	r.pass(50*time.Second).answer(Heartbeat, Answer{}).idle()
	r.jump(10 * time.Second).does("do resign 1")
}

// TestLeadershipIsReleasedAfterTheWork: the tenure may end while the work drains for a
// request. Leadership is released only when the work has returned or the drain limit has
// passed.
func TestLeadershipIsReleasedAfterTheWork(t *testing.T) {
	begin := func() *rig {
		r := newRig(t, func(s *Settings) { s.Drain = time.Minute }).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.requested(transfer, true))
		r.pass(heartbeat).answer(ElectionCycle, failing(errors.New("no answer")))
		for r.m.Deadlines().End.After(r.now().Local) {
			r.pass(time.Second)
			for _, kind := range r.kinds() {
				r.answer(kind, failing(errors.New("no answer")))
			}
		}
		require.Equal(t, 9*time.Second, r.local)
		require.True(t, r.m.Holds())
		return r
	}
	begin().step(WorkReturned{1}).does("do hand over 1")
	r := begin().pass(20 * time.Second)
	require.Equal(t, []Kind{Heartbeat}, r.kinds())
	r.answer(Heartbeat, Answer{}).jump(63*time.Second - 1 - r.local).does("do heartbeat").wakes(63 * time.Second)
	r.pass(1).does("cancel heartbeat").answer(Heartbeat, failing(context.Canceled)).does("do hand over 1")
	r.answer(HandOver, failing(fdbelection.ErrNotLeader)).does("do heartbeat").answer(Heartbeat, Answer{})
	r.step(WorkReturned{1}).does("do election cycle")
	require.False(t, r.m.Holds(), "and leadership is not released twice")
}

// TestLeavingInsteadOfHandingOver: a process that leaves during a drain only unregisters,
// which resigns as well.
func TestLeavingInsteadOfHandingOver(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.answer(ElectionCycle, r.requested(transfer, true)).step(Leave{}).step(WorkReturned{1}).does("expire 1", "do unregister")
	require.False(t, r.m.handOver.pending())
	r.answer(Unregister, failing(errStore)).pass(20 * time.Millisecond).does("do unregister")
}

// TestHandOver: every answer to a hand-over.
func TestHandOver(t *testing.T) {
	begin := func() *rig {
		r := newRig(t).elect().pass(heartbeat)
		return r.answer(ElectionCycle, r.requested(transfer, true)).step(WorkReturned{1}).does("expire 1", "do hand over 1")
	}
	t.Run("done", func(t *testing.T) {
		r := begin()
		op := r.op(HandOver)
		require.Equal(t, transfer, op.Request)
		require.Equal(t, r.standing(alice, 1).Token(), op.Token)
		require.Equal(t, 5*time.Second, op.Limit, "half of the lease, so that there is time for another attempt")
		next := r.leader(bob, 2)
		next.Accepted = false
		r.answer(HandOver, r.reads(next)).does("leader bob in 2", "candidate -> follower: another process leads")
		require.False(t, r.m.Holds())
	})
	t.Run("void, because the successor is dead: claimed again in a new term", func(t *testing.T) {
		r := begin().answer(HandOver, Answer{Status: election.Status{Leader: newRig(t).elect().m.leader.record}})
		r.does("do election cycle")
		require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm)
	})
	t.Run("another candidate has claimed", func(t *testing.T) {
		begin().answer(HandOver, failing(fdbelection.ErrNotLeader)).does("do election cycle")
	})
	t.Run("done, and the election was removed meanwhile", func(t *testing.T) {
		r := newRig(t).elect().step(WorkReturning{Term: 1}).step(WorkReturned{1}).answer(Resign, Answer{})
		r.does("do read the leader record")
		require.False(t, r.m.Holds())
	})
	t.Run("unsettled", func(t *testing.T) {
		r := begin().answer(HandOver, Answer{Err: kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, MayHaveWritten: true})
		require.True(t, r.m.Holds())
		r.pass(20 * time.Millisecond).does("do hand over 1")
		r.answer(HandOver, r.reads(r.leader(bob, 2))).does(
			"leader bob in 2", "do settle an earlier attempt", "candidate -> follower: another process leads")
	})
	t.Run("no answer until the lease has run out", func(t *testing.T) {
		r := begin()
		for r.local < 13*time.Second {
			r.answer(HandOver, failing(errors.New("no answer"))).pass(time.Second)
		}
		require.True(t, r.m.Holds())
		r.answer(HandOver, failing(errors.New("no answer"))).pass(time.Second).does("do election cycle")
		require.False(t, r.m.Holds())
	})
	t.Run("no answer, and the work has not returned either", func(t *testing.T) {
		r := newRig(t).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.requested(transfer, true)).jump(4*time.Second).does("expire 1", "do hand over 1")
		r.jump(10*time.Second).answer(HandOver, failing(errors.New("no answer"))).pass(20 * time.Millisecond)
		require.Equal(t, []Kind{Heartbeat}, r.kinds(), "no claim")
		r.answer(Heartbeat, Answer{}).step(WorkReturned{1}).does("do election cycle")
	})
}

// TestHoldOffAfterAResignRequest: a process that was asked to resign does not claim for a
// lease.
func TestHoldOffAfterAResignRequest(t *testing.T) {
	for _, c := range []struct {
		request election.Request
		stays   time.Duration
	}{{resign, 10 * time.Second}, {election.Request{}, 0}} {
		r := newRig(t).elect().pass(heartbeat)
		if c.request.Kind == election.ResignRequest {
			r.answer(ElectionCycle, r.requested(c.request, true)).step(WorkReturned{1})
		} else {
			r.renew().step(WorkReturning{Term: 1}).step(WorkReturned{1})
		}
		r.answer(Resign, r.reads(r.vacant(1)))
		if c.stays == 0 {
			r.does("vacant since 1", "do election cycle")
			continue
		}
		at, wants := r.m.claimTime()
		require.True(t, wants)
		require.Equal(t, heartbeat+c.stays, at.Sub(localEpoch))
	}
}

// TestUnwantedLeadership: a process that does not want to lead resigns as soon as it sees
// that it holds leadership. It retries until that is done.
func TestUnwantedLeadership(t *testing.T) {
	handed := func(r *rig) election.LeaderRecord {
		next := r.leader(alice, 4)
		next.Accepted = false
		return next
	}
	standBy := func(s *Settings) { s.Aim = StandBy }
	r := newRig(t, standBy)
	r.follow(handed(r)).does("leader alice in 4", "do resign 4")
	r.answer(Resign, failing(fdbelection.ErrNotLeader)).does("do read the leader record") // it does not resign again
	r.answer(ReadLeader, r.reads(r.leader(bob, 5))).idle()

	r = newRig(t, standBy)
	r.follow(handed(r))
	for range 9 {
		r.answer(Resign, failing(errors.New("no answer"))).idle().pass(time.Second).does("do resign 4")
	}
	r.jump(time.Second).answer(Resign, failing(errors.New("no answer"))).pass(time.Second).does("do cycle, abstaining")
	r.answer(ElectionCycle, r.did(election.Followed, r.m.leader.record)).does("do resign 4")

	r = newRig(t)
	r.config.ElectionEnabled = false
	r.follow(r.leader(alice, 4)).does("leader alice in 4", "do resign 4")

	r = newRig(t)
	r.follow(handed(r)).does("leader alice in 4", "do election cycle")
	r.answer(ElectionCycle, r.did(election.Renewed, r.leader(alice, 4))).
		does("lead 4", "leader alice in 4", "candidate -> leader: leadership was vacant")
}
