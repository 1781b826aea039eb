package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestTurns: how many others go first at an open seat.
func TestTurns(t *testing.T) {
	with := func(change func(*election.Candidate)) func(*election.Candidate) { return change }
	priority := func(p int32) func(*election.Candidate) {
		return with(func(c *election.Candidate) { c.Priority = p })
	}
	observer := with(func(c *election.Candidate) { c.Role = election.Observer })
	for _, c := range []struct {
		name    string
		last    election.Identity
		members []election.Candidate
		want    int
	}{
		{"alone", bob, []election.Candidate{candidate(alice, 1)}, 0},
		{"registered before others", bob, []election.Candidate{candidate(alice, 1), candidate(carol, 2)}, 0},
		{"registered after others", bob, []election.Candidate{candidate(carol, 1), candidate(alice, 2)}, 1},
		{"not listed yet", bob, []election.Candidate{candidate(carol, 1)}, 1},
		{"a higher priority first", bob, []election.Candidate{candidate(alice, 1), candidate(carol, 2, priority(6))}, 1},
		{"a lower one after it", bob, []election.Candidate{candidate(carol, 1, priority(4)), candidate(alice, 2)}, 0},
		{"observers do not go", bob, []election.Candidate{candidate(carol, 1, observer), candidate(alice, 2)}, 0},
		{"nor whoever held it last", bob, []election.Candidate{candidate(bob, 1, priority(9)), candidate(alice, 2)}, 0},
		{"who goes after all others itself", alice, []election.Candidate{candidate(alice, 1, priority(9)), candidate(bob, 2), candidate(carol, 3, priority(1))}, 2},
		{"an older start of the same name is nobody", bob, []election.Candidate{
			candidate(election.Identity{ID: "alice"}, 1, priority(9)), candidate(alice, 2),
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).join(c.members...)
			r.m.leader.last = c.last
			require.Equal(t, c.want, r.m.rankedBefore())
		})
	}
}

// TestTheDead do not go first: who was seen not to move for the timeout.
func TestTheDead(t *testing.T) {
	members := []election.Candidate{candidate(bob, 1), candidate(alice, 2)}
	r := newRig(t).join(members...)
	require.Equal(t, 1, r.m.rankedBefore())
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{15*time.Second - 1, 1}, {30 * time.Second, 0}} {
		r.local = c.at
		r.step(Tick{}).answer(List, Answer{Members: members})
		require.Equal(t, c.want, r.m.rankedBefore(), "at %s", c.at)
	}
	r.jump(15 * time.Second)
	members[0].Heartbeats++
	r.answer(List, Answer{Members: members})
	require.Equal(t, 1, r.m.rankedBefore(), "it has moved")
}

// TestDelays: one after the other, as far apart as a claim takes, and never so
// long that the seat stays open for more than two leases.
func TestDelays(t *testing.T) {
	for _, c := range []struct {
		latency, heartbeat time.Duration
		ahead              int
		low, high          time.Duration
	}{
		{0, 3 * time.Second, 0, 0, 0},
		{0, 3 * time.Second, 1, 60 * time.Millisecond, 90 * time.Millisecond},
		{0, 3 * time.Second, 99, 99 * 60 * time.Millisecond, 99*60*time.Millisecond + 30*time.Millisecond},
		{200 * time.Millisecond, 3 * time.Second, 3, 600 * time.Millisecond, 700 * time.Millisecond},
		{200 * time.Millisecond, 3 * time.Second, 99, 10 * time.Second, 20 * time.Second},
		{0, 10 * time.Millisecond, 2, 2 * time.Millisecond, 2500 * time.Microsecond},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			m := New(testSettings())
			m.store.latency, m.config.HeartbeatInterval = c.latency, c.heartbeat
			d := m.rankDelay(c.ahead)
			require.GreaterOrEqual(t, d, c.low)
			require.LessOrEqual(t, d, c.high)
			require.Equal(t, d, m.rankDelay(c.ahead), "chosen once")
		})
	}
}

// TestAVacancy is claimed in turn, and a heartbeat that falls due meanwhile claims
// nothing.
func TestAVacancy(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1), candidate(carol, 1), candidate(alice, 2))
	for r.local < 4900*time.Millisecond {
		r.jump(100 * time.Millisecond)
		if op, ok := r.main(); ok {
			r.answer(op.Kind, r.reads(r.standing(bob, 1)))
		}
	}
	r.jump(80*time.Millisecond).fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.vacant(1)))
	at, wants := r.m.claimTime()
	require.True(t, wants)
	require.InDelta(t, float64(5055*time.Millisecond), float64(at.Sub(localEpoch)), float64(15*time.Millisecond))
	r.jump(20 * time.Millisecond).does("do cycle, abstaining")
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(election.Identity{}, 1))).idle()
	r.jump(at.Sub(r.now().Local)).does("do election cycle")
	r.answer(ElectionCycle, r.did(election.Followed, r.leader(carol, 2))).does("leader carol in 2", "candidate -> follower: another candidate leads")
}

// TestALeaseThatRunsOut is claimed at its end, to the nanosecond, by either mode.
func TestALeaseThatRunsOut(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByObservation, fdbelection.ExpiryByClock} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t)
			r.config.Expiry = mode
			seat := r.leader(bob, 1)
			r.follow(seat)
			for r.local < 10*time.Second-1 {
				r.jump(min(100*time.Millisecond, 10*time.Second-1-r.local))
				if op, ok := r.main(); ok {
					require.True(t, op.Kind == ReadLeader || op.Abstain, "claimed at %s", r.local)
					r.answer(op.Kind, r.reads(seat))
				}
			}
			r.jump(1)
			op, ok := r.main()
			require.True(t, ok)
			require.Equal(t, ElectionCycle, op.Kind)
			require.False(t, op.Abstain)
			require.Equal(t, localEpoch, op.Observation.BallotSince)
		})
	}
}

// TestWhoIsNotFirstAtALeaseThatRunsOut waits for its turn, which stays as it was
// chosen.
func TestWhoIsNotFirstAtALeaseThatRunsOut(t *testing.T) {
	r := newRig(t)
	r.config.AllowPreemption = false
	r.follow(r.leader(bob, 1), candidate(carol, 1), candidate(alice, 2))
	at, wants := r.m.claimTime()
	require.True(t, wants)
	require.InDelta(t, float64(10075*time.Millisecond), float64(at.Sub(localEpoch)), float64(15*time.Millisecond))
	r.m.store.latency = time.Second
	again, _ := r.m.claimTime()
	require.Equal(t, at, again)
	r.step(RegistrationChanged{Priority: 9})
	again, _ = r.m.claimTime()
	require.Equal(t, 10*time.Second, again.Sub(localEpoch), "under a higher priority it is the first")
}

// TestAHoldOffHoldsForHeartbeatsToo: where somebody weaker has taken the seat, they
// challenge nobody.
func TestAHoldOffHoldsForHeartbeatsToo(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 9 })
	r.m.claim.holdOff = localEpoch.Add(6 * time.Second)
	r.follow(r.leader(bob, 1)).jump(5 * time.Second)
	require.True(t, r.op(ElectionCycle).Abstain)
}

// TestAWallClockThatJumps brings a claim by clock forward.
func TestAWallClockThatJumps(t *testing.T) {
	r := newRig(t)
	r.config.Expiry = fdbelection.ExpiryByClock
	r.follow(r.leader(bob, 1))
	r.wall = time.Hour
	r.step(Tick{}).does("do election cycle", "follower -> candidate: no leader is known")
}

// TestAClaimThatFindsNothingToDo is repeated in steps.
func TestAClaimThatFindsNothingToDo(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Followed, r.standing(election.Identity{}, 0))).idle()
	r.jump(300*time.Millisecond - 1).idle().jump(1).does("do election cycle")
}

// TestAHigherPriority challenges at once, keeps that fresh once per heartbeat, and
// does not take it back with a heartbeat.
func TestAHigherPriority(t *testing.T) {
	higher := func(s *Settings) { s.Me.Priority = 6 }
	r := newRig(t, higher)
	seat := r.leader(bob, 1)
	r.follow(seat).does("leader bob in 1", "do election cycle", "candidate -> follower: another candidate leads")
	claims := 0
	for r.local < 30*time.Second {
		if op, ok := r.main(); ok {
			if op.Kind == ElectionCycle {
				claims++
				require.False(t, op.Abstain)
				r.answer(ElectionCycle, r.did(election.RequestedPreemption, seat))
			} else {
				seat = r.standing(bob, 1)
				seat.Ballot = r.m.leader.record.Ballot + 1
				r.answer(ReadLeader, r.reads(seat))
			}
		}
		r.jump(50 * time.Millisecond)
	}
	require.InDelta(t, 10, claims, 1)
	if op, ok := r.main(); ok {
		r.answer(op.Kind, r.did(election.RequestedPreemption, r.m.leader.record))
	}
	r.step(RegistrationChanged{Priority: 6, Metadata: map[string]string{"at": "here"}})
	require.False(t, r.op(ElectionCycle).Abstain, "a heartbeat does not take the challenge back")

	for name, change := range map[string]func(*rig, *election.LeaderRecord){
		"not allowed":      func(r *rig, _ *election.LeaderRecord) { r.config.AllowPreemption = false },
		"equal":            func(_ *rig, l *election.LeaderRecord) { l.Priority = 6 },
		"disabled":         func(r *rig, _ *election.LeaderRecord) { r.config.ElectionEnabled = false },
		"without the aim":  func(r *rig, _ *election.LeaderRecord) { r.m.me.aim = StandBy },
		"as an observer":   func(r *rig, _ *election.LeaderRecord) { r.m.me.Role = election.Observer },
		"under a hold-off": func(r *rig, _ *election.LeaderRecord) { r.m.claim.holdOff = localEpoch.Add(6 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, higher)
			seat := r.leader(bob, 1)
			change(r, &seat)
			r.follow(seat)
			r.idle().jump(5 * time.Second)
			require.True(t, r.op(ElectionCycle).Abstain, "its heartbeat takes back what it may have asked for")
		})
	}
}

// TestWhoIsFirstTriesAtOnce: where the tenure has changed it does not look before
// it tries; all others do.
func TestWhoIsFirstTriesAtOnce(t *testing.T) {
	first := []election.Candidate{candidate(bob, 1), candidate(alice, 2), candidate(carol, 3)}
	second := []election.Candidate{candidate(bob, 1), candidate(carol, 2), candidate(alice, 3)}
	for name, c := range map[string]struct {
		members []election.Candidate
		want    []string
	}{
		"the first":  {first, []string{"do election cycle"}},
		"the second": {second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.follow(r.leader(bob, 1), c.members...).fire(WatchTerm, nil).does(c.want...)
			require.True(t, r.started(WatchTerm))
		})
	}
	r := newRig(t)
	r.follow(r.leader(bob, 1), first...).fire(WatchTerm, nil).does("do election cycle")
	r.answer(ElectionCycle, r.did(election.Followed, r.leader(carol, 2))).pass(time.Second)
	require.False(t, r.started(ElectionCycle), "it has seen what the news was")
	r.answer(WatchTerm, r.reads(r.standing(carol, 2)))
	r.m.claim.holdOff = r.now().Local.Add(time.Minute)
	r.fire(WatchTerm, nil)
	r.answer(WatchTerm, r.reads(r.vacant(2)))
	require.False(t, r.started(ElectionCycle), "it stays out for a while")
}

// TestATurnIsOfOneBallot: who goes first at a vacancy may be another one at the next.
func TestATurnIsOfOneBallot(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0), candidate(bob, 1), candidate(alice, 2))
	require.NotZero(t, r.m.claimDelay())
	vacant := r.retell(r.reads(r.leader(bob, 1))).reads(r.vacant(1))
	vacant.Status.Term.Identity = bob
	r.retell(vacant)
	require.Zero(t, r.m.claimDelay(), "bob, who held it last, goes last")
}

// TestTheDelayIsBounded: however many go first, a candidate claims within two leases.
func TestTheDelayIsBounded(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	lease := r.config.LeaseDuration
	last := int(lease / r.m.claimInterval())
	require.LessOrEqual(t, r.m.rankDelay(last), lease+r.m.claimInterval())
	for _, ahead := range []int{last + 1, 10 * last, 1 << 40} {
		delay := r.m.rankDelay(ahead)
		require.GreaterOrEqual(t, delay, lease, ahead)
		require.LessOrEqual(t, delay, 2*lease, ahead)
	}
}

// TestANewChallengeIsRepeated twice within milliseconds, and once per heartbeat after that.
func TestANewChallengeIsRepeated(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 6 })
	seat := r.leader(bob, 1)
	r.follow(seat)
	for counter := uint64(1); counter <= 4; counter++ {
		op := r.op(ElectionCycle)
		answer := r.did(election.RequestedPreemption, seat)
		answer.Status.Request = election.Request{Kind: election.PreemptionRequest, Term: 1, Identity: alice, Counter: counter}
		r.answer(ElectionCycle, answer)
		wait := r.m.renewal.at.Sub(r.m.now.Local)
		require.Equal(t, counter <= 2, wait <= 50*time.Millisecond, "%d: %s", counter, wait)
		if counter > 2 {
			break
		}
		r.jump(wait)
		require.NotEqual(t, op.ID, r.op(ElectionCycle).ID)
	}
}
