package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

func TestATenureThatIsNotRenewed(t *testing.T) {
	r := newRig(t).elect()
	r.pass(heartbeat).does("do renew 1")
	r.wakes(5 * time.Second).pass(2 * time.Second).does("leader -> jeopardy: no renewal was acknowledged in time")
	r.wakes(7*time.Second).pass(2*time.Second).
		does("drain 1: no renewal was acknowledged in time", "jeopardy -> candidate: no renewal was acknowledged in time")
	require.Equal(t, TenureDeadlines{Term: 1, End: localEpoch.Add(9 * time.Second)}, r.m.Deadlines())
	r.wakes(9 * time.Second).pass(2 * time.Second).does("expire 1")
	require.Equal(t, TenureDeadlines{Term: 1}, r.m.Deadlines())

	r.answer(ElectionCycle, failing(errors.New("no answer"))).idle()
	r.pass(time.Minute)
	require.Equal(t, Heartbeat, r.op(Heartbeat).Kind, "only heartbeats while the work goes on")
	r.answer(Heartbeat, Answer{}).idle()
	r.step(WorkReturned{1}).does("do election cycle")
	op := r.op(ElectionCycle)
	require.Equal(t, uint64(1), op.EndedTerm)
	require.False(t, op.Abstain)
	require.Zero(t, op.Token.Term)
	r.answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 2))).
		does("lead 2", "leader alice in 2", "candidate -> leader: leadership was vacant")
}

// TestARenewalEndsJeopardy: renewals in time do not begin it.
func TestARenewalEndsJeopardy(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.pass(2500 * time.Millisecond).state(StateJeopardy).renew().does().state(StateLeader)
	for range 10 {
		r.pass(heartbeat).does("do renew 1").renew().does().state(StateLeader)
	}
}

// TestASuspendedProcess: it drains at its next event, before it handles that event.
func TestASuspendedProcess(t *testing.T) {
	for name, event := range map[string]func(*rig) Event{
		"by a tick":        func(*rig) Event { return Tick{} },
		"by an old answer": func(r *rig) Event { return CommitDone{Op: r.op(ElectionCycle).ID, Attempt: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).elect().pass(heartbeat)
			r.step(CommitStarting{Op: r.op(ElectionCycle).ID, Attempt: 1, Start: r.now().Local, Lease: r.config.LeaseDuration, Config: r.config})
			next := event(r)
			r.local = 10 * time.Second // the renewal would last until 12 s, and is acknowledged after 9 s
			r.step(next).does(
				"drain 1: no renewal was acknowledged in time", "expire 1",
				"leader -> candidate: no renewal was acknowledged in time",
			)
		})
	}
}

// TestARenewalAfterTheStopDeadline: the work has the drain limit to stop, and not the whole
// renewed lease.
func TestARenewalAfterTheStopDeadline(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).pass(4 * time.Second)
	require.Equal(t, 9*time.Second, r.m.Deadlines().End.Sub(localEpoch))
	r.renew()
	require.Equal(t, 11*time.Second, r.m.Deadlines().End.Sub(localEpoch), "4 s to drain, not the whole lease")
	require.Zero(t, r.m.Deadlines().Stop, "it does not lead again")
	r.pass(heartbeat).does("do renew 1").renew()
	r.pass(time.Second).does("expire 1")
	r.step(WorkReturned{1}).does("do election cycle")
}

// TestALateClaim: the claim is acknowledged after its stop deadline, or when the process does
// not want to lead any more. It does not begin a tenure.
func TestALateClaim(t *testing.T) {
	claim := func(r *rig, before ...Event) Answer {
		a := r.did(election.Claimed, r.leader(alice, 1))
		a.Start, a.Seen = r.now().Local, r.now().Local
		for _, event := range before {
			r.step(event)
		}
		return a
	}
	t.Run("after the stop deadline", func(t *testing.T) {
		r := newRig(t).follow(newRig(t).vacant(0))
		a := claim(r)
		r.jump(7*time.Second).answer(ElectionCycle, a).does("leader alice in 1", "do election cycle")
		r.answer(ElectionCycle, r.did(election.Renewed, r.leader(alice, 1)))
		r.does("lead 1", "candidate -> leader: leadership was vacant")
	})
	for name, event := range map[string]Event{
		"another aim":        AimChanged{StandBy},
		"became an observer": RegistrationChanged{Priority: 5, Role: election.Observer},
		"no change":          Tick{},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).follow(newRig(t).vacant(0))
			r.answer(ElectionCycle, claim(r, event))
			if name == "no change" {
				r.state(StateLeader)
				return
			}
			if op, _ := r.main(); op.Kind == ReadLeader { // the change calls for a read
				r.answer(ReadLeader, r.reads(r.standing(alice, 1)))
			}
			require.Equal(t, []Kind{Resign}, r.kinds())
			require.Equal(t, uint64(1), r.op(Resign).Token.Term)
			require.False(t, r.m.State().Leads())
			require.True(t, r.m.Holds())
			r.answer(Resign, r.reads(r.vacant(1)))
			require.False(t, r.m.Holds())
		})
	}
	t.Run("disabled meanwhile", func(t *testing.T) {
		r := newRig(t).follow(newRig(t).vacant(0))
		a := claim(r)
		r.config.ElectionEnabled, r.config.Revision = false, 2
		r.fire(WatchTerm, nil).pass(time.Second)
		r.answer(WatchTerm, r.reads(r.standing(alice, 1))).answer(ElectionCycle, a)
		require.Equal(t, []Kind{Resign}, r.kinds())
	})
	t.Run("leaving", func(t *testing.T) {
		r := newRig(t).follow(newRig(t).vacant(0))
		r.answer(ElectionCycle, claim(r, Leave{})).does("leader alice in 1", "do unregister")
	})
	t.Run("leadership was taken over or vacated already", func(t *testing.T) {
		r := newRig(t).follow(newRig(t).vacant(0))
		a := claim(r)
		r.fire(WatchTerm, nil).pass(time.Second).answer(WatchTerm, r.reads(r.leader(bob, 2)))
		r.does("leader bob in 2", "candidate -> follower: another process leads")
		r.answer(ElectionCycle, a).does()
	})
}

// TestLostLeadership: the tenure ends at once, no matter which operation finds out.
func TestLostLeadership(t *testing.T) {
	lost := []string{"drain 1: leadership was taken over or vacated", "expire 1", "leader -> follower: leadership was taken over or vacated"}
	t.Run("by the renewal", func(t *testing.T) {
		r := newRig(t).elect().pass(heartbeat)
		a := r.reads(r.leader(bob, 2))
		a.Err = ErrLeadershipLost
		r.answer(ElectionCycle, a).does(append([]string{"leader bob in 2"}, lost...)...)
		r.step(WorkReturned{1}).state(StateFollower)
	})
	t.Run("by the watch", func(t *testing.T) {
		r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
		r.answer(WatchTerm, r.reads(r.leader(bob, 2))).does(append([]string{"leader bob in 2"}, lost...)...)
	})
	t.Run("while it drains for a request", func(t *testing.T) {
		r := newRig(t).elect().pass(heartbeat)
		r.answer(ElectionCycle, r.requested(election.Request{Kind: election.ResignRequest, Term: 1}, true))
		r.fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.leader(bob, 2))).
			does("leader bob in 2", "expire 1", "candidate -> follower: another process leads")
		r.step(WorkReturned{1}).does("do read the leader record")
		require.False(t, r.m.Holds(), "there is nothing to release")
	})
	t.Run("and vacant", func(t *testing.T) {
		r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
		r.answer(WatchTerm, r.reads(r.vacant(1))).
			does("vacant since 1", "drain 1: leadership was taken over or vacated", "expire 1", "leader -> candidate: leadership was taken over or vacated")
		r.step(WorkReturned{1}).does("do election cycle")
	})
}

// TestAReadDuringTheClaim: it began before the claim was committed and is answered after the
// claim. An outdated reading does not end the tenure.
func TestAReadDuringTheClaim(t *testing.T) {
	r := newRig(t).follow(newRig(t).vacant(0))
	claimed := r.did(election.Claimed, r.leader(alice, 1))
	claimed.Start, claimed.Seen = r.now().Local, r.now().Local
	r.pass(time.Second).fire(WatchTerm, nil)
	old := Answer{Start: r.now().Local, Seen: r.now().Local, Status: election.Status{Config: r.config}} // vacant, ballot 0
	r.pass(time.Millisecond).answer(ElectionCycle, claimed).state(StateLeader)
	r.pass(time.Millisecond).answer(WatchTerm, old).does("do read the leader record").state(StateLeader)
	r.answer(ReadLeader, r.reads(claimed.Status.Leader)).does().state(StateLeader)
}

// Lost leadership in an outdated reading does not cause a hot loop.
func TestLostLeadershipInAnOutdatedReading(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	a := r.reads(r.vacant(0))
	a.Status.Leader.Ballot = 0
	a.Err, a.Start, a.Seen = ErrLeadershipLost, localEpoch, localEpoch
	r.answer(ElectionCycle, a).does("do read the leader record").state(StateLeader)
	r.answer(ReadLeader, r.reads(r.standing(alice, 1))).does().state(StateLeader)
	r.pass(300 * time.Millisecond).does("do renew 1")
}

// After the records were removed, terms start again. A tenure with a lower term than an earlier
// one of this process is renewed.
func TestTermsStartAgain(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(60)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 61)))
	r.step(WorkReturning{Term: 61}).step(WorkReturned{61}).answer(Resign, r.reads(r.vacant(61)))

	r.pass(time.Second).fire(WatchTerm, nil)
	r.ballot = 0
	r.answer(WatchTerm, r.reads(r.vacant(0)))
	lost := r.local
	for {
		if _, reads := r.find(ReadLeader); reads {
			r.answer(ReadLeader, r.reads(r.vacant(0)))
		}
		if cycle, ok := r.find(ElectionCycle); ok && cycle.Abstain {
			r.answer(ElectionCycle, r.did(election.Followed, r.vacant(0)))
		}
		if _, claims := r.find(ElectionCycle); claims {
			break
		}
		r.pass(500 * time.Millisecond)
	}
	require.Equal(t, 10*time.Second, r.local-lost, "the leader of the lost records may lead for another lease")
	require.Equal(t, uint64(61), r.op(ElectionCycle).EndedTerm)
	r.answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1))).pass(heartbeat)
	require.Equal(t, uint64(1), r.op(ElectionCycle).Token.Term)
	require.Zero(t, r.op(ElectionCycle).EndedTerm, "otherwise it would be reclaimed again and again")
}

func TestAcquireReasons(t *testing.T) {
	for acquired, want := range map[election.AcquireReason]Reason{
		election.AcquireVacancy: ReasonVacancy, election.AcquireExpiry: ReasonExpiry, election.AcquirePreemption: ReasonPreemption,
		election.AcquireTransfer: ReasonTransfer, election.AcquireReclaim: ReasonReclaim,
	} {
		r := newRig(t).follow(newRig(t).vacant(0))
		leader := r.leader(alice, 1)
		leader.AcquireReason = acquired
		r.answer(ElectionCycle, r.did(election.Claimed, leader)).
			does("lead 1", "leader alice in 1", "candidate -> leader: "+string(want))
	}
}

// TestWorkThatReturnsByItself: the process resigns. It claims again after a heartbeat, or after
// a hold-off if the work has failed.
func TestWorkThatReturnsByItself(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		after time.Duration // the tenure began
	}{
		{"without an error", nil, heartbeat},
		{"with an error", errors.New("no"), time.Second + 10*time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).elect().pass(time.Second)
			r.step(WorkReturning{Term: 1, Err: c.err}).
				does("drain 1: the work has returned", "leader -> candidate: the work has returned")
			r.step(WorkReturning{Term: 1, Err: errors.New("twice")}).does()
			r.step(WorkReturned{1}).does("expire 1", "do resign 1")
			r.answer(Resign, r.reads(r.vacant(1))).does("vacant since 1").idle()
			for r.local < c.after {
				r.pass(time.Millisecond * 10)
				if op, ok := r.main(); ok {
					if op.Kind == ReadLeader {
						r.answer(ReadLeader, r.reads(r.standing(election.Identity{}, 1)))
						continue
					}
					if r.local < c.after {
						require.True(t, op.Abstain, "at %s", r.local)
						r.answer(ElectionCycle, r.did(election.Followed, r.standing(election.Identity{}, 1)))
					}
				}
			}
			op, ok := r.main()
			require.True(t, ok && op.Kind == ElectionCycle && !op.Abstain, "%+v", op)
		})
	}
}

// Events of another term are ignored.
func TestEventsOfAnotherTerm(t *testing.T) {
	r := newRig(t).elect()
	r.step(WorkReturning{Term: 2}).does()
	r.step(WorkReturned{2}).does()
	r.step(WorkReturned{0}).does().state(StateLeader)
}

// TestDeadlinePassed: a timer has told the work to stop before the machine did.
func TestDeadlinePassed(t *testing.T) {
	r := newRig(t).elect()
	r.step(DeadlinePassed{7}).state(StateLeader)
	r.step(DeadlinePassed{1}).does("drain 1: no renewal was acknowledged in time", "leader -> candidate: no renewal was acknowledged in time")
	r.step(DeadlinePassed{1}).does()
	r.step(WorkReturned{1})
	require.True(t, r.started(ElectionCycle), "it reclaims in a new term")
	require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm)
}
