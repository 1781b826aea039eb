package machine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var errStore = errors.New("the store is down")

// For each aim, the test checks what a process does until the leader is known.
func TestTheStart(t *testing.T) {
	for _, c := range []struct {
		aim    Aim
		role   election.Role
		begins string
		kind   Kind
	}{
		{SubscribeOnly, election.Voter, "stopped -> observer: started", 0},
		{StandBy, election.Voter, "stopped -> candidate: started", Register},
		{Campaign, election.Voter, "stopped -> candidate: started", Register},
		{Campaign, election.Observer, "stopped -> observer: started", Register},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Aim, s.Me.Role = c.aim, c.role })
			require.Equal(t, StateStopped, r.m.State())
			r.step(Tick{}).does().step(Begin{})
			if c.kind != 0 {
				r.does("do register", c.begins)
				require.Equal(t, r.config, r.op(Register).Config)
				require.Equal(t, 10*time.Second, r.op(Register).Limit)
				require.False(t, r.started(WatchTerm), "nothing is watched before the process is registered")
				r.answer(Register, Answer{Status: election.Status{Config: r.config}}).does()
			} else {
				r.does(c.begins)
			}
			require.Equal(t, c.kind != 0, r.started(List))
			require.True(t, r.started(WatchTerm), "arming the watch reads the leader record")
			r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
			if c.role == election.Voter && c.aim != SubscribeOnly {
				r.does("leader bob in 1", "candidate -> follower: another process leads")
			} else {
				r.does("leader bob in 1")
			}
			r.step(Begin{}).does()
		})
	}
}

// TestAFirstClaim: it waits until the candidates are listed, because the claim delay follows from
// the rank.
func TestAFirstClaim(t *testing.T) {
	r := newRig(t).step(Begin{}).answer(Register, Answer{Status: election.Status{Config: testConfig()}})
	r.answer(WatchTerm, r.reads(r.vacant(0))).does("vacant since 0")
	r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}}).does("do election cycle")

	r = newRig(t).step(Begin{}).answer(Register, Answer{Status: election.Status{Config: testConfig()}})
	r.answer(WatchTerm, r.reads(r.vacant(0))).answer(List, failing(errStore))
	r.does("do election cycle")
}

// An election that must exist is not created. Register is retried until it exists.
func TestAnElectionThatMustExist(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.MustExist = true }).step(Begin{})
	require.Zero(t, r.op(Register).Config.LeaseDuration)
	for range 5 {
		r.answer(Register, failing(fdbelection.ErrNotInitialized)).idle().pass(time.Second).does("do register")
	}
	r.answer(Register, Answer{Status: election.Status{Config: testConfig()}}).idle()
}

// The default config is used until the config is read, if the settings have none.
func TestTheDefaultConfig(t *testing.T) {
	m := New(Settings{})
	require.Equal(t, fdbelection.DefaultConfig(), m.View().Config)
}

// TestARemovedElectionIsCreatedAgain: even if an attempt is unsettled.
func TestARemovedElectionIsCreatedAgain(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, Answer{Err: kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, MayHaveWritten: true})
	r.pass(time.Second).does("do settle an earlier attempt")
	r.answer(Settle, failing(fdbelection.ErrNotInitialized)).idle()
	r.pass(time.Second).does("do register again")
	r.answer(Rejoin, Answer{Status: election.Status{Config: r.config}}).does("do settle an earlier attempt")
	r.answer(Settle, r.reads(r.vacant(0))).does("do election cycle")
}

// TestAnUnsettledClaim: a read does not count before the claim is settled.
func TestAnUnsettledClaim(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, Answer{Err: context.DeadlineExceeded, MayHaveWritten: true}).idle()
	r.pass(20 * time.Millisecond).does("do settle an earlier attempt")
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.leader(alice, 1))).does("leader alice in 1")
	r.answer(Settle, r.reads(r.standing(alice, 1))).does("do election cycle")
	r.answer(ElectionCycle, r.did(election.Renewed, r.leader(alice, 1))).does("lead 1", "candidate -> leader: leadership was vacant")
}

// TestAnUnsettledRenewal: another renewal settles it, and a read does not.
func TestAnUnsettledRenewal(t *testing.T) {
	begin := func() *rig {
		r := newRig(t).elect().pass(heartbeat)
		return r.answer(ElectionCycle, Answer{Err: errStore, MayHaveWritten: true}).pass(20 * time.Millisecond).does("do renew 1")
	}
	r := begin().renew().step(WorkReturning{Term: 1}).step(WorkReturned{1})
	r.answer(Resign, r.reads(r.vacant(1))).does("vacant since 1", "do election cycle")

	r = begin()
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(alice, 1))) // as by a clock that jumped
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.standing(alice, 1)))
	r.m.poll.readNow = true
	r.step(Tick{}).answer(ReadLeader, r.reads(r.standing(alice, 1)))
	r.jump(time.Minute)
	r.answer(r.kinds()[0], failing(errStore)).step(WorkReturned{1}).does("do settle an earlier attempt")
}

// TestBackOff: the wait before a retry grows, and an error is reported once.
func TestBackOff(t *testing.T) {
	r := newRig(t).step(Begin{})
	var last time.Duration
	for i := range 12 {
		r.answer(Register, failing(errStore)).idle()
		if i == 0 {
			require.Equal(t, []string{"register: the store is down"}, r.reports())
		} else {
			require.Empty(t, r.reports())
		}
		pause := r.wake - r.local
		require.GreaterOrEqual(t, pause, 5*time.Millisecond)
		require.LessOrEqual(t, pause, 600*time.Millisecond, "a fifth of a heartbeat")
		require.GreaterOrEqual(t, pause, last/2)
		last = pause
		r.pass(pause).does("do register")
	}
	require.GreaterOrEqual(t, last, 300*time.Millisecond)
	require.Equal(t, "register: the store is down", r.m.View().StoreError)
	r.answer(Register, failing(context.DeadlineExceeded))
	require.Equal(t, []string{"register: the store did not answer in time"}, r.reports())
	for _, action := range r.acts {
		if report, ok := action.(Report); ok {
			require.ErrorIs(t, report.Err, context.DeadlineExceeded)
		}
	}
	r.pass(time.Second).answer(Register, Answer{Status: election.Status{Config: r.config}})
	require.Equal(t, []string{"<nil>"}, r.reports())
	r.answer(WatchTerm, r.reads(r.leader(bob, 1))).pass(heartbeat)
	r.answer(ReadLeader, failing(errStore))
	require.Less(t, r.wake-r.local, 11*time.Millisecond, "the back-off starts again")
}

// The back-off is at most a second, even if the heartbeat is long.
func TestBackOffIsBounded(t *testing.T) {
	long := func(s *Settings) {
		s.Config = fdbelection.ConfigWithLease(time.Hour)
		s.Config.Revision = 1
	}
	r := newRig(t, long)
	r.follow(r.vacant(0))
	for range 20 {
		r.answer(ElectionCycle, failing(errStore)).pass(time.Second).does("do election cycle")
	}
	r.answer(ElectionCycle, failing(errStore))
	require.LessOrEqual(t, r.wake-r.local, time.Second)
	require.GreaterOrEqual(t, r.wake-r.local, 500*time.Millisecond)
}

// TestFatalErrors: they end the machine. A leader drains first.
func TestFatalErrors(t *testing.T) {
	permanent := errors.New("permanent")
	settings := func(s *Settings) { s.Permanent = func(err error) bool { return errors.Is(err, permanent) } }
	for _, err := range []error{fdbelection.ErrDuplicateID, fdbelection.ErrInvalidCandidate, fdbelection.ErrInvalidConfig, fdbelection.ErrSharedKeys, permanent} {
		t.Run(err.Error(), func(t *testing.T) {
			r := newRig(t, settings).step(Begin{}).answer(Register, failing(err))
			r.does("candidate -> stopped: failed", "finish register: "+err.Error())
			require.ErrorIs(t, r.m.life.err, err)
			r.step(Tick{}).step(Leave{}).step(Begin{})
			require.Empty(t, r.acts)

			r = newRig(t, settings).elect().pass(heartbeat).answer(ElectionCycle, failing(err))
			reason := "failed"
			r.does("drain 1: "+reason, "do renew 1", "leader -> candidate: "+reason)
			for range 3 { // the work has not returned: renewals are retried without a hot loop
				r.answer(ElectionCycle, failing(err)).idle().pass(time.Second / 2).does("do renew 1")
			}
			r.step(WorkReturned{1}).does("expire 1", "cancel election cycle")
			r.answer(ElectionCycle, failing(context.Canceled)).does("do unregister")
			r.answer(Unregister, Answer{}).does("candidate -> stopped: "+reason, "finish election cycle: "+err.Error())
		})
	}
}

// TestRenewals: when they start, and how long they may take.
func TestRenewals(t *testing.T) {
	r := newRig(t).elect().wakes(heartbeat)
	r.pass(heartbeat).does("do renew 1")
	op := r.op(ElectionCycle)
	require.Equal(t, r.standing(alice, 1).Token(), op.Token)
	require.True(t, op.Abstain)
	require.Equal(t, 3*time.Second, op.Limit, "a heartbeat, of the 4 s that are left")
	r.jump(time.Second).answer(ElectionCycle, failing(errStore)).pass(10 * time.Millisecond)
	require.Equal(t, r.m.Deadlines().Stop.Sub(r.m.operations.main.began), r.op(ElectionCycle).Limit, "and no longer than until the stop deadline")
	r.renew().jump(heartbeat - 1).idle()
	r.jump(1).does("do renew 1")
}

// Renewals start one heartbeat apart, however long an answer takes.
func TestRenewalsAreAHeartbeatApart(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	a := r.did(election.Renewed, r.leader(alice, 1))
	a.Start, a.Seen = r.now().Local, r.now().Local
	r.commits(r.op(ElectionCycle), 1, r.config).pass(time.Second).answer(ElectionCycle, a)
	r.jump(2*time.Second - 1).idle().jump(1).does("do renew 1")
}

// TestALongLeaseHasTimeForASlowStore: a renewal may take half of the time that is left.
func TestALongLeaseHasTimeForASlowStore(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Config.LeaseDuration = 40 * time.Second }).elect().pass(heartbeat)
	require.Equal(t, (28-3)*time.Second/2, r.op(ElectionCycle).Limit)
}

// TestTheLimitsForASlowStore: twice the time of the last answers, longer after a timeout, and at
// most a lease. A quick answer shortens them slowly.
func TestTheLimitsForASlowStore(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).jump(2900*time.Millisecond).answer(ElectionCycle, r.did(election.Followed, r.leader(bob, 1)))
	r.jump(heartbeat)
	require.Equal(t, 5800*time.Millisecond, r.op(ReadLeader).Limit)
	r.answer(ReadLeader, failing(context.DeadlineExceeded)).jump(time.Second)
	require.Equal(t, 10*time.Second, r.op(ReadLeader).Limit)
	r.answer(ReadLeader, r.reads(r.leader(bob, 1))).jump(heartbeat)
	op, _ := r.main()
	require.Equal(t, 2*2900*time.Millisecond*3/4, op.Limit)
}

// A heartbeat goes with a read that comes up to a tenth of a heartbeat interval before it is due,
// or at most half of the candidate timeout after the last one. Otherwise it goes alone.
func TestAHeartbeatGoesWithARead(t *testing.T) {
	const timeout = 15 * time.Second
	for _, c := range []struct {
		read, beat time.Duration // since the last heartbeat
	}{
		{read: 3 * time.Second, beat: 5 * time.Second},
		{read: 4700*time.Millisecond - 1, beat: 5 * time.Second},
		{read: 4700 * time.Millisecond, beat: 4700 * time.Millisecond},
		{read: 6 * time.Second, beat: 6 * time.Second},
		{read: timeout / 2, beat: timeout / 2},
		{read: timeout/2 + 1, beat: 5 * time.Second},
	} {
		r := newRig(t, standingBy)
		leader := r.leader(bob, 1)
		r.follow(leader)
		r.m.poll.next = r.now().Local.Add(c.read)
		for r.local < c.beat {
			r.idle().jump(min(c.read, c.beat) - r.local)
			if op, ok := r.main(); ok && op.Kind == ReadLeader {
				require.Equal(t, c.read, r.local)
				r.answer(ReadLeader, r.reads(leader))
				r.m.poll.next = r.now().Local.Add(time.Minute)
				r.idle().jump(c.beat - r.local)
			}
		}
		require.True(t, r.op(ElectionCycle).Abstain, "%+v", c)
		require.Equal(t, c.beat, r.local)
		r.answer(ElectionCycle, r.did(election.Followed, leader))
		require.True(t, r.m.poll.next.After(r.now().Local), "the cycle was the planned read")
	}
}

// A heartbeat that reports a change does not wait for a read.
func TestAHeartbeatThatReportsAChange(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1)).wakes(heartbeat)
	r.step(RegistrationChanged{Priority: 5}).does("do cycle, abstaining")
	r.answer(ElectionCycle, r.did(election.Followed, r.leader(bob, 1)))
	r.m.holdOff(time.Minute) // its record says so within a heartbeat interval
	r.m.poll.next = r.m.me.heartbeatAt.Add(time.Millisecond)
	r.jump(heartbeat).does("do cycle, abstaining")
}

// The wake-up for jeopardy is at its deadline.
func TestTheWakeUpForJeopardy(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.m.candidates.due = r.now().Local.Add(time.Minute)
	r.step(RegistrationChanged{Priority: 5}).wakes(5 * time.Second)
}

// If a leader reads the leader record, that does not delay its next renewal for long.
func TestAReadOfTheLeader(t *testing.T) {
	r := newRig(t).elect().pass(2900 * time.Millisecond)
	for range 2 {
		r.fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.standing(alice, 1)))
	}
	r.fire(WatchTerm, nil).does("do read the leader record")
	require.Equal(t, 300*time.Millisecond, r.op(ReadLeader).Limit, "a tenth of a heartbeat, not all of it")
}

// TestALeaderWithoutACandidateRecord: the renewal could not register again, so the leader reads
// the leader record. The next renewal comes after a heartbeat.
func TestALeaderWithoutACandidateRecord(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	r.answer(ElectionCycle, failing(fdbelection.ErrUnregisteredCandidate)).does("do read the leader record")
	r.answer(ReadLeader, r.reads(r.standing(alice, 1))).does()
	r.pass(heartbeat).does("leader -> jeopardy: no renewal was acknowledged in time", "do renew 1")
}

// TestEvicted: an evicted candidate registers again.
func TestEvicted(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).pass(heartbeat).answer(ReadLeader, r.reads(r.leader(bob, 1)))
	r.jump(2 * time.Second).does("do cycle, abstaining")
	r.answer(ElectionCycle, failing(fdbelection.ErrUnregisteredCandidate)).does("do register again")
	require.Empty(t, r.reports())
	r.answer(Rejoin, Answer{Status: election.Status{Config: r.config}}).does("do read the leader record")
	r.answer(ReadLeader, r.reads(r.standing(bob, 1))).idle()
}

// TestChangesAreWrittenAtOnce: even if a heartbeat with the old registration is running.
func TestChangesAreWrittenAtOnce(t *testing.T) {
	change := RegistrationChanged{Priority: 4, Role: election.Voter, Metadata: map[string]string{"at": "here"}}
	r := newRig(t)
	r.follow(r.leader(bob, 1)).step(change).does("do cycle, abstaining")
	require.Equal(t, int32(4), r.op(ElectionCycle).Me.Priority)
	r.step(RegistrationChanged{Priority: 4, Metadata: map[string]string{"at": "there"}}).does()
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(bob, 1))).does("do cycle, abstaining")
	r.step(RegistrationChanged{Priority: 4, Role: election.Observer, Metadata: map[string]string{"at": "there"}})
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(bob, 1)))
	require.Equal(t, election.Observer, r.op(ElectionCycle).Me.Role, "a change of the role alone")
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(bob, 1))).does()

	r = newRig(t).step(Begin{}).step(change).answer(Register, Answer{Status: election.Status{Config: r.config}})
	r.does("do cycle, abstaining")

	r = newRig(t).elect().step(change).does("do renew 1")
	require.Equal(t, "here", r.op(ElectionCycle).Me.Metadata["at"])
}

// TestALeaderThatBecomesAnObserver: it stays a voter until its work has returned.
func TestALeaderThatBecomesAnObserver(t *testing.T) {
	r := newRig(t).elect().step(RegistrationChanged{Priority: 5, Role: election.Observer})
	r.pass(heartbeat).does("do renew 1")
	require.Equal(t, election.Voter, r.op(ElectionCycle).Me.Role)
	r.renew().step(WorkReturned{1}).does("expire 1", "do resign 1", "candidate -> observer: the role has changed")
	r.answer(Resign, r.reads(r.vacant(1))).does("vacant since 1", "do cycle, abstaining")
	require.Equal(t, election.Observer, r.op(ElectionCycle).Me.Role)

	r = newRig(t)
	r.follow(r.leader(bob, 1)).step(RegistrationChanged{Priority: 5, Role: election.Observer}).
		does("do cycle, abstaining", "follower -> observer: the role has changed")
}

// TestAims: they can change at any time. A registered process cannot go back to SubscribeOnly.
func TestAims(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly }).step(Begin{})
	r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
	r.step(AimChanged{SubscribeOnly}).does()
	r.step(AimChanged{StandBy}).does("do register", "observer -> follower: the role has changed")
	r.answer(Register, Answer{Status: election.Status{Config: r.config}})
	r.step(AimChanged{SubscribeOnly})
	require.Equal(t, StandBy, r.m.me.aim, "it stays registered")
}

func texts(actions []Action) []string {
	var all []string
	for _, action := range actions {
		all = append(all, text(action))
	}
	return all
}
