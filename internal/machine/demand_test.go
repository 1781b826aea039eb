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

// TestDemands: what ends a tenure although nothing is wrong with it, how long the
// work may take to stop, and how the seat is given up then: when it has returned,
// and when it has not.
func TestDemands(t *testing.T) {
	disabled := func(r *rig) {
		r.config.ElectionEnabled, r.config.Revision = false, 2
		r.answer(ElectionCycle, r.did(election.Draining, r.standing(alice, 1)))
	}
	asked := func(intent election.Request) func(*rig) {
		return func(r *rig) {
			if intent.Kind == election.PreemptionRequest { // it must be seen to move
				r.issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(intent, true)).does().pass(heartbeat)
				intent.Counter++
			}
			r.issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(intent, true))
		}
	}
	event := func(e Event) func(*rig) {
		return func(r *rig) { r.renew().step(e) }
	}
	for _, c := range []struct {
		name           string
		by             func(*rig) // the renewal at 3 s is under way
		reason         Reason
		patience       time.Duration
		returned, late string // how the seat is given up
	}{
		{"a challenge", asked(challenge), ReasonChallenged, 5 * time.Second, "do hand over 1", "do resign 1"},
		{"a request to resign", asked(resign), ReasonAskedToResign, 4 * time.Second, "do resign 1", "do resign 1"},
		{"a request to transfer", asked(transfer), ReasonAskedToTransfer, 4 * time.Second, "do hand over 1", "do hand over 1"},
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
				require.Equal(t, c.patience, r.m.Deadlines().End.Sub(r.now().Local))
				r.config.Revision++
				r.step(AimChanged{SubscribeOnly}).step(WorkReturning{Term: 1}) // what comes later finds it stopping
				if returns {
					r.step(WorkReturned{1})
					require.Subset(t, texts(r.acts), []string{"expire 1", c.returned})
					return
				}
				r.pass(c.patience - time.Millisecond)
				for _, kind := range r.kinds() {
					require.Contains(t, []Kind{ElectionCycle, Heartbeat}, kind)
					r.answer(kind, r.did(election.Renewed, r.leader(alice, 1)))
				}
				r.pass(time.Millisecond).does("expire 1", c.late)
			})
		}
	}
}

// TestWhatIsAskedAndCannotBeGranted is no reason to stop any work.
func TestWhatIsAskedAndCannotBeGranted(t *testing.T) {
	for _, intent := range []election.Request{challenge, resign, transfer, {Term: 1}} {
		r := newRig(t).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.asked(intent, intent.Kind == 0)).does().state(StateLeader)
	}
}

// TestTheLeaseIsRenewedWhileTheWorkStops, but not in a disabled election.
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

// TestSeatIsGivenUpOnlyAfterTheWork: belief may end while the work is stopping for
// somebody. That alone does not release it.
func TestSeatIsGivenUpOnlyAfterTheWork(t *testing.T) {
	begin := func() *rig {
		r := newRig(t, func(s *Settings) { s.Drain = time.Minute }).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.asked(transfer, true))
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
	require.False(t, r.m.Holds(), "and not given up twice")
}

// TestLeavingTakesTheSeatWithIt: what else was asked for is not done beside it.
func TestLeavingTakesTheSeatWithIt(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.answer(ElectionCycle, r.asked(transfer, true)).step(Leave{}).step(WorkReturned{1}).does("expire 1", "do unregister")
	require.False(t, r.m.handOver.pending())
	r.answer(Unregister, failing(errStore)).pass(20 * time.Millisecond).does("do unregister")
}

// TestHandOver: all that there is to answer to it.
func TestHandOver(t *testing.T) {
	begin := func() *rig {
		r := newRig(t).elect().pass(heartbeat)
		return r.answer(ElectionCycle, r.asked(transfer, true)).step(WorkReturned{1}).does("expire 1", "do hand over 1")
	}
	t.Run("done", func(t *testing.T) {
		r := begin()
		op := r.op(HandOver)
		require.Equal(t, transfer, op.Request)
		require.Equal(t, r.standing(alice, 1).Token(), op.Token)
		require.Equal(t, 5*time.Second, op.Limit, "half of the lease: there is another try")
		next := r.leader(bob, 2)
		next.Accepted = false
		r.answer(HandOver, r.reads(next)).does("leader bob in 2", "candidate -> follower: another candidate leads")
		require.False(t, r.m.Holds())
	})
	t.Run("void, as the successor is dead: it is claimed anew, in a new term", func(t *testing.T) {
		r := begin().answer(HandOver, Answer{Status: election.Status{Leader: newRig(t).elect().m.leader.record}})
		r.does("do election cycle")
		require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm)
	})
	t.Run("somebody has taken it", func(t *testing.T) {
		begin().answer(HandOver, failing(fdbelection.ErrNotLeader)).does("do election cycle")
	})
	t.Run("done, and the election was removed meanwhile", func(t *testing.T) {
		r := newRig(t).elect().step(WorkReturning{Term: 1}).step(WorkReturned{1}).answer(Resign, Answer{})
		r.does("do read the leader record")
		require.False(t, r.m.Holds())
	})
	t.Run("in doubt", func(t *testing.T) {
		r := begin().answer(HandOver, Answer{Err: kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, MayHaveWritten: true})
		require.True(t, r.m.Holds())
		r.pass(20 * time.Millisecond).does("do hand over 1")
		r.answer(HandOver, r.reads(r.leader(bob, 2))).does(
			"leader bob in 2", "do settle an earlier attempt", "candidate -> follower: another candidate leads")
	})
	t.Run("never, until the lease has run out", func(t *testing.T) {
		r := begin()
		for r.local < 13*time.Second {
			r.answer(HandOver, failing(errors.New("no answer"))).pass(time.Second)
		}
		require.True(t, r.m.Holds())
		r.answer(HandOver, failing(errors.New("no answer"))).pass(time.Second).does("do election cycle")
		require.False(t, r.m.Holds())
	})
	t.Run("and the work had not returned either", func(t *testing.T) {
		r := newRig(t).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.asked(transfer, true)).jump(4*time.Second).does("expire 1", "do hand over 1")
		r.jump(10*time.Second).answer(HandOver, failing(errors.New("no answer"))).pass(20 * time.Millisecond)
		require.Equal(t, []Kind{Heartbeat}, r.kinds(), "nothing is claimed")
		r.answer(Heartbeat, Answer{}).step(WorkReturned{1}).does("do election cycle")
	})
}

// TestHoldOff: who resigned on request stays out for a lease.
func TestHoldOff(t *testing.T) {
	for _, c := range []struct {
		intent election.Request
		stays  time.Duration
	}{{resign, 10 * time.Second}, {election.Request{}, 0}} {
		r := newRig(t).elect().pass(heartbeat)
		if c.intent.Kind == election.ResignRequest {
			r.answer(ElectionCycle, r.asked(c.intent, true)).step(WorkReturned{1})
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

// TestAnOwnSeatThatIsNotWanted is given up as soon as it is seen, until that is
// done.
func TestAnOwnSeatThatIsNotWanted(t *testing.T) {
	handed := func(r *rig) election.LeaderRecord {
		next := r.leader(alice, 4)
		next.Accepted = false
		return next
	}
	standBy := func(s *Settings) { s.Aim = StandBy }
	r := newRig(t, standBy)
	r.follow(handed(r)).does("leader alice in 4", "do resign 4")
	r.answer(Resign, failing(fdbelection.ErrNotLeader)).does("do read the leader record") // and not the same again
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
