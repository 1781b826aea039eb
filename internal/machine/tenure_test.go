package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// TestDeadlines of an attempt that begins at zero.
func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		name                     string
		lease, margin, heartbeat time.Duration // of the config
		written                  time.Duration
		jeopardy, stop, end      time.Duration
	}{
		{"default", 10 * time.Second, 0, 3 * time.Second, 10 * time.Second, 5 * time.Second, 7 * time.Second, 9 * time.Second},
		{"with a margin in the config", 10 * time.Second, 2 * time.Second, 2 * time.Second, 10 * time.Second, 5 * time.Second, 6 * time.Second, 8 * time.Second},
		{"a shorter lease than that of the config has a part of the margin", 10 * time.Second, 2 * time.Second, time.Second, 5 * time.Second, 2500 * time.Millisecond, 3 * time.Second, 4 * time.Second},
		{"half of the rest if the heartbeat is long", 10 * time.Second, 0, 7 * time.Second, 10 * time.Second, 7250 * time.Millisecond, 8 * time.Second, 9 * time.Second},
		{"jeopardy not after the stop deadline", 10 * time.Second, 6 * time.Second, 3 * time.Second, 10 * time.Second, 3500 * time.Millisecond, 3500 * time.Millisecond, 4 * time.Second},
		{"no time to stop if the lease is shorter than a heartbeat", 10 * time.Second, 0, 3 * time.Second, 3 * time.Second, 2700 * time.Millisecond, 2700 * time.Millisecond, 2700 * time.Millisecond},
		{"no time to stop if a renewal would come too late", 10 * time.Second, 0, 9 * time.Second, 10 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig()
			config.LeaseDuration, config.Margin, config.HeartbeatInterval = c.lease, c.margin, c.heartbeat
			d := DeadlinesOf(localEpoch, c.written, config)
			require.Equal(t, c.jeopardy, d.Jeopardy.Sub(localEpoch), "jeopardy")
			require.Equal(t, c.stop, d.Stop.Sub(localEpoch), "stop")
			require.Equal(t, c.end, d.End.Sub(localEpoch), "end")
		})
	}
}

// TestTheEarliestDeadlineCounts: an attempt counts from before its commit starts until it is
// known not to be committed, or a later one was acknowledged.
func TestTheEarliestDeadlineCounts(t *testing.T) {
	short := testConfig()
	short.LeaseDuration = 5 * time.Second // the end deadline is after 4.5 s
	for _, c := range []struct {
		name     string
		outcomes []kv.Outcome // of attempts with the short lease, at 3 s
		want     time.Duration
	}{
		{"none", nil, 9 * time.Second},
		{"acknowledged", []kv.Outcome{kv.Committed}, 7500 * time.Millisecond},
		{"not committed", []kv.Outcome{kv.NotCommitted}, 9 * time.Second},
		{"unknown result", []kv.Outcome{kv.UnknownResult}, 7500 * time.Millisecond},
		{"unsettled", []kv.Outcome{kv.Unsettled}, 7500 * time.Millisecond},
		{"one of two failed", []kv.Outcome{kv.Unsettled, kv.NotCommitted}, 7500 * time.Millisecond},
		{"both failed", []kv.Outcome{kv.NotCommitted, kv.NotCommitted}, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).elect().pass(heartbeat)
			op := r.op(ElectionCycle)
			for i, outcome := range c.outcomes {
				r.step(CommitStarting{Op: op.ID, Attempt: i, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
				require.Equal(t, 7500*time.Millisecond, r.m.Deadlines().End.Sub(localEpoch), "it counts before its commit starts")
				r.step(CommitDone{Op: op.ID, Attempt: i, Outcome: outcome})
			}
			require.Equal(t, c.want, r.m.Deadlines().End.Sub(localEpoch))
		})
	}
}

// TestACopyKeepsItsOwnAttempts: a machine is a value.
func TestACopyKeepsItsOwnAttempts(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	op := r.op(ElectionCycle).ID
	issue := func(m Machine, attempt int, lease time.Duration) Machine {
		m, _ = Step(m, CommitStarting{Op: op, Attempt: attempt, Start: r.now().Local, Lease: lease, Config: r.config}, r.now())
		return m
	}
	m := r.m
	for i := range 3 {
		m = issue(m, i, 10*time.Second)
	}
	one, other := issue(m, 3, 5*time.Second), issue(m, 3, 6*time.Second)
	require.Equal(t, 7500*time.Millisecond, one.Deadlines().End.Sub(localEpoch))
	require.Equal(t, 8400*time.Millisecond, other.Deadlines().End.Sub(localEpoch))
	failed, _ := Step(one, CommitDone{Op: op, Attempt: 0, Outcome: kv.NotCommitted}, r.now())
	for i := range 3 {
		failed, _ = Step(failed, CommitDone{Op: op, Attempt: i, Outcome: kv.NotCommitted}, r.now())
	}
	require.Equal(t, 7500*time.Millisecond, failed.Deadlines().End.Sub(localEpoch))
	one, _ = Step(one, CommitDone{Op: op, Attempt: 3, Outcome: kv.NotCommitted}, r.now())
	require.Equal(t, 9*time.Second, one.Deadlines().End.Sub(localEpoch))
	require.Len(t, one.tenure.open, 3)
}

// TestAnAcknowledgedRenewal: unknown attempts before it do not count any more.
func TestAnAcknowledgedRenewal(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	op := r.op(ElectionCycle)
	short := testConfig()
	short.LeaseDuration = 5 * time.Second
	r.step(CommitStarting{Op: op.ID, Attempt: 1, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
	r.step(CommitDone{Op: op.ID, Attempt: 1, Outcome: kv.Unsettled})
	r.jump(time.Second).commits(op, 2, r.config)
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch))
	r.step(CommitDone{Op: op.ID, Attempt: 1, Outcome: kv.Committed})
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch), "a late or repeated result changes nothing")
	r.step(CommitStarting{Op: op.ID + 7, Attempt: 1, Start: localEpoch, Lease: time.Millisecond, Config: r.config})
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch), "nor does an attempt of an operation that does not run")
}

// TestAttemptsOfTwoOperations are distinguished, although both count from one.
func TestAttemptsOfTwoOperations(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	first := r.op(ElectionCycle).ID
	short := testConfig()
	short.LeaseDuration = 8 * time.Second
	r.step(CommitStarting{Op: first, Attempt: 1, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
	r.step(CommitDone{Op: first, Attempt: 1, Outcome: kv.Unsettled}).answer(ElectionCycle, Answer{Err: errStore, MayHaveWritten: true})
	r.pass(20 * time.Millisecond)
	second := r.op(ElectionCycle).ID
	require.NotEqual(t, first, second)
	r.step(CommitStarting{Op: second, Attempt: 1, Start: r.now().Local, Lease: r.config.LeaseDuration, Config: r.config})
	again := *r
	again.step(CommitDone{Op: second, Attempt: 1, Outcome: kv.NotCommitted})
	require.Equal(t, 9*time.Second, again.m.tenure.acked.End.Sub(localEpoch))
	require.Equal(t, first, again.m.tenure.open[0].op, "the unsettled one still counts")
	r.step(CommitDone{Op: second, Attempt: 1, Outcome: kv.Committed})
	require.Equal(t, r.now().Local.Add(9*time.Second), r.m.Deadlines().End)
}

// TestAShortenedLease: if an attempt writes a shorter lease whose stop deadline has passed, the
// leader drains before its commit starts.
func TestAShortenedLease(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	short := testConfig()
	short.LeaseDuration, short.HeartbeatInterval = 4*time.Second, time.Second
	op := r.op(ElectionCycle)
	r.step(CommitStarting{Op: op.ID, Attempt: 1, Start: localEpoch, Lease: 4 * time.Second, Config: short})
	r.does("drain 1: no renewal was acknowledged in time", "leader -> candidate: no renewal was acknowledged in time")
	require.Zero(t, r.m.Deadlines().Stop)
	require.Equal(t, 3600*time.Millisecond, r.m.Deadlines().End.Sub(localEpoch))
}

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

// TestARenewalEndsJeopardy. Renewals in time do not begin it.
func TestARenewalEndsJeopardy(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.pass(2500 * time.Millisecond).state(StateJeopardy).renew().does().state(StateLeader)
	for range 10 {
		r.pass(heartbeat).does("do renew 1").renew().does().state(StateLeader)
	}
}

// TestASuspendedProcess drains at its next event, before it handles that event.
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
	t.Run("leadership was lost already", func(t *testing.T) {
		r := newRig(t).follow(newRig(t).vacant(0))
		a := claim(r)
		r.fire(WatchTerm, nil).pass(time.Second).answer(WatchTerm, r.reads(r.leader(bob, 2)))
		r.does("leader bob in 2", "candidate -> follower: another candidate leads")
		r.answer(ElectionCycle, a).does()
	})
}

// TestLostLeadership: the tenure ends at once, no matter which operation finds out.
func TestLostLeadership(t *testing.T) {
	lost := []string{"drain 1: leadership was lost", "expire 1", "leader -> follower: leadership was lost"}
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
			does("leader bob in 2", "expire 1", "candidate -> follower: another candidate leads")
		r.step(WorkReturned{1}).does("do read the leader record")
		require.False(t, r.m.Holds(), "there is nothing to release")
	})
	t.Run("and vacant", func(t *testing.T) {
		r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
		r.answer(WatchTerm, r.reads(r.vacant(1))).
			does("vacant since 1", "drain 1: leadership was lost", "expire 1", "leader -> candidate: leadership was lost")
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

// TestLostLeadershipInAnOutdatedReading does not cause a hot loop.
func TestLostLeadershipInAnOutdatedReading(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	a := r.reads(r.vacant(0))
	a.Status.Leader.Ballot = 0
	a.Err, a.Start, a.Seen = ErrLeadershipLost, localEpoch, localEpoch
	r.answer(ElectionCycle, a).does("do read the leader record").state(StateLeader)
	r.answer(ReadLeader, r.reads(r.standing(alice, 1))).does().state(StateLeader)
	r.pass(300 * time.Millisecond).does("do renew 1")
}

// TestTermsStartAgain after the records were removed: a tenure with a lower term than an earlier
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

// TestEventsOfAnotherTerm are ignored.
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
