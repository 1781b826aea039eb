package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestRankedBefore: how many candidates claim a vacant leadership before alice.
func TestRankedBefore(t *testing.T) {
	priority := func(p int32) func(*election.Candidate) {
		return func(c *election.Candidate) { c.Priority = p }
	}
	observer := func(c *election.Candidate) { c.Role = election.Observer }
	for _, c := range []struct {
		name    string
		last    election.Identity
		members []election.Candidate
		want    int
	}{
		{"alone", bob, []election.Candidate{candidate(alice, 1)}, 0},
		{"registered before others", bob, []election.Candidate{candidate(alice, 1), candidate(carol, 2)}, 0},
		{"registered after others", bob, []election.Candidate{candidate(carol, 1), candidate(alice, 2)}, 1},
		{"not in the list yet", bob, []election.Candidate{candidate(carol, 1)}, 1},
		{"a higher priority first", bob, []election.Candidate{candidate(alice, 1), candidate(carol, 2, priority(6))}, 1},
		{"a lower priority after it", bob, []election.Candidate{candidate(carol, 1, priority(4)), candidate(alice, 2)}, 0},
		{"observers do not claim", bob, []election.Candidate{candidate(carol, 1, observer), candidate(alice, 2)}, 0},
		{"the last leader claims last", bob, []election.Candidate{candidate(bob, 1, priority(9)), candidate(alice, 2)}, 0},
		{"it is the last leader", alice, []election.Candidate{candidate(alice, 1, priority(9)), candidate(bob, 2), candidate(carol, 3, priority(1))}, 2},
		{"an older incarnation does not count", bob, []election.Candidate{
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

// A candidate does not wait for candidates that have timed out.
func TestTimedOutCandidates(t *testing.T) {
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
	require.Equal(t, 1, r.m.rankedBefore(), "it has sent a heartbeat")
}

// TestRankDelay: candidates claim one after the other, as far apart as a claim takes. The
// delay is at most two leases.
func TestRankDelay(t *testing.T) {
	for _, c := range []struct {
		latency, heartbeat time.Duration
		before             int
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
			d := m.rankDelay(c.before)
			require.GreaterOrEqual(t, d, c.low)
			require.LessOrEqual(t, d, c.high)
			require.Equal(t, d, m.rankDelay(c.before), "the same again")
		})
	}
}

// A vacancy is claimed after the claim delay. A heartbeat that is due meanwhile does not
// claim.
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
	r.m.me.heartbeatAt = r.now().Local.Add(20 * time.Millisecond)
	r.jump(20 * time.Millisecond).does("do cycle, abstaining")
	r.answer(ElectionCycle, r.did(election.Followed, r.standing(election.Identity{}, 1))).idle()
	r.jump(at.Sub(r.now().Local)).does("do election cycle")
	r.answer(ElectionCycle, r.did(election.Followed, r.leader(carol, 2))).does("leader carol in 2", "candidate -> follower: another process leads")
}

// TestAnExpiredLease: leadership is claimed at the end of the lease, to the nanosecond, with
// expiry by clock and by observation.
func TestAnExpiredLease(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByObservation, fdbelection.ExpiryByClock} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t)
			r.config.Expiry = mode
			leader := r.leader(bob, 1)
			r.follow(leader)
			for r.local < 10*time.Second-1 {
				r.jump(min(100*time.Millisecond, 10*time.Second-1-r.local))
				if op, ok := r.main(); ok {
					require.True(t, op.Kind == ReadLeader || op.Abstain, "claimed at %s", r.local)
					r.answer(op.Kind, r.reads(leader))
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

// The claim delay after an expired lease is chosen once, and again if the priority changes.
func TestTheClaimDelayAfterAnExpiredLease(t *testing.T) {
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
	require.Equal(t, 10*time.Second, again.Sub(localEpoch), "with a higher priority it is the first in rank")
}

// Heartbeats during a hold-off do not challenge a leader of a lower priority.
func TestHeartbeatsDuringAHoldOff(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 9 })
	r.m.claim.holdOff = localEpoch.Add(6 * time.Second)
	r.follow(r.leader(bob, 1)).jump(5 * time.Second)
	require.True(t, r.op(ElectionCycle).Abstain)
}

// TestAWallClockThatJumps: it makes a lease by clock expire.
func TestAWallClockThatJumps(t *testing.T) {
	r := newRig(t)
	r.config.Expiry = fdbelection.ExpiryByClock
	r.follow(r.leader(bob, 1))
	r.wall = time.Hour
	r.step(Tick{}).does("do election cycle", "follower -> candidate: there is no leader")
}

// A claim that does nothing is retried after a tenth of a heartbeat.
func TestAClaimThatDoesNothing(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Followed, r.standing(election.Identity{}, 0))).idle()
	r.jump(300*time.Millisecond - 1).idle().jump(1).does("do election cycle")
}

// TestAHigherPriority: it challenges at once and repeats its request once per heartbeat. A heartbeat
// does not withdraw the request.
func TestAHigherPriority(t *testing.T) {
	higher := func(s *Settings) { s.Me.Priority = 6 }
	r := newRig(t, higher)
	leader := r.leader(bob, 1)
	r.follow(leader).does("leader bob in 1", "do election cycle", "candidate -> follower: another process leads")
	claims := 0
	for r.local < 30*time.Second {
		if op, ok := r.main(); ok {
			if op.Kind == ElectionCycle {
				claims++
				require.False(t, op.Abstain)
				r.answer(ElectionCycle, r.did(election.RequestedPreemption, leader))
			} else {
				leader = r.standing(bob, 1)
				leader.Ballot = r.m.leader.record.Ballot + 1
				r.answer(ReadLeader, r.reads(leader))
			}
		}
		r.jump(50 * time.Millisecond)
	}
	require.InDelta(t, 10, claims, 1)
	if op, ok := r.main(); ok {
		r.answer(op.Kind, r.did(election.RequestedPreemption, r.m.leader.record))
	}
	r.step(RegistrationChanged{Priority: 6, Metadata: map[string]string{"at": "here"}})
	require.False(t, r.op(ElectionCycle).Abstain, "a heartbeat does not withdraw the request")

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
			leader := r.leader(bob, 1)
			change(r, &leader)
			r.follow(leader)
			r.idle().jump(5 * time.Second)
			require.True(t, r.op(ElectionCycle).Abstain, "its heartbeat withdraws a request")
		})
	}
}

// TestTheFirstInRankClaimsAtOnce: when the watch fires, it claims without reading before that.
// All others read.
func TestTheFirstInRankClaimsAtOnce(t *testing.T) {
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
	require.False(t, r.started(ElectionCycle), "it has seen the change")
	r.answer(WatchTerm, r.reads(r.standing(carol, 2)))
	r.m.claim.holdOff = r.now().Local.Add(time.Minute)
	r.fire(WatchTerm, nil)
	r.answer(WatchTerm, r.reads(r.vacant(2)))
	require.False(t, r.started(ElectionCycle), "not during a hold-off")
}

// TestTheClaimDelayChangesWithTheBallot: the rank order may have changed.
func TestTheClaimDelayChangesWithTheBallot(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0), candidate(bob, 1), candidate(alice, 2))
	require.NotZero(t, r.m.claimDelay())
	vacant := r.rereads(r.reads(r.leader(bob, 1))).reads(r.vacant(1))
	vacant.Status.Term.Identity = bob
	r.rereads(vacant)
	require.Zero(t, r.m.claimDelay(), "bob led last and claims last")
}

// The claim delay is at most two leases, for any number of candidates.
func TestTheDelayIsBounded(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	lease := r.config.LeaseDuration
	last := int(lease / r.m.claimInterval())
	require.LessOrEqual(t, r.m.rankDelay(last), lease+r.m.claimInterval())
	for _, before := range []int{last + 1, 10 * last, 1 << 40} {
		delay := r.m.rankDelay(before)
		require.GreaterOrEqual(t, delay, lease, before)
		require.LessOrEqual(t, delay, 2*lease, before)
	}
}

// TestANewPreemptionRequestIsRepeated: twice within milliseconds, and once per heartbeat after
// that.
func TestANewPreemptionRequestIsRepeated(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 6 })
	leader := r.leader(bob, 1)
	r.follow(leader)
	for counter := uint64(1); counter <= 4; counter++ {
		op := r.op(ElectionCycle)
		answer := r.did(election.RequestedPreemption, leader)
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
