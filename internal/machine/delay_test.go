package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestDelays: each rule is reported once, is in the view, and is written with the heartbeat.
func TestDelays(t *testing.T) {
	weak := func(r *rig, c func(*election.LeaderRecord)) election.LeaderRecord {
		leader := r.leader(bob, 1)
		leader.Priority = 1
		c(&leader)
		return leader
	}
	for name, c := range map[string]struct {
		config func(*fdbelection.Config)
		leader func(*election.LeaderRecord)
		rule   string
		length time.Duration
	}{
		"preempt delay":  {func(c *fdbelection.Config) { c.PreemptDelay = 7 * time.Second }, func(*election.LeaderRecord) {}, RulePreemptDelay, 7 * time.Second},
		"minimum tenure": {func(c *fdbelection.Config) { c.MinimumTenure = 8 * time.Second }, func(*election.LeaderRecord) {}, RuleMinimumTenure, 8 * time.Second},
		"after a transfer": {
			func(*fdbelection.Config) {}, func(l *election.LeaderRecord) { l.AcquireReason = election.AcquireTransfer },
			RuleMinimumTenure, 10 * time.Second,
		},
		"by clock": {
			func(c *fdbelection.Config) { c.Expiry, c.MinimumTenure = fdbelection.ExpiryByClock, 8*time.Second },
			func(l *election.LeaderRecord) { l.AcquiredAt = wallEpoch.Add(-2 * time.Second) }, RuleMinimumTenure, 6 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.config(&r.config)
			r.follow(weak(r, c.leader), candidate(alice, 1))
			delay := Delay{c.rule, r.now().Local.Add(c.length)}
			require.Equal(t, []Delay{delay}, r.m.View().Delays)
			require.Contains(t, r.acts, Action(Delayed{delay}))
			r.jump(c.length / 2)
			require.NotContains(t, r.acts, Action(Delayed{delay}), "only once")
			require.Equal(t, election.Delay{Rule: c.rule, Until: r.now().Wall.Add(c.length / 2)}, r.m.storedDelay())
			r.jump(c.length / 2)
			require.Empty(t, r.m.View().Delays)
		})
	}
}

// TestDelaysOfAProcessThatDoesNotOutrank: the rules about preemption do not delay it.
func TestDelaysOfAProcessThatDoesNotOutrank(t *testing.T) {
	r := newRig(t)
	r.config.PreemptDelay, r.config.MinimumTenure = time.Minute, time.Minute
	leader := r.leader(bob, 1)
	leader.Priority = 5
	r.follow(leader, candidate(alice, 1))
	require.Empty(t, r.m.View().Delays)
}

// TestNoDelayOfASuccessor: leadership is handed over to a process that holds off. It accepts
// at once, and its record does not say that it is delayed.
func TestNoDelayOfASuccessor(t *testing.T) {
	r := newRig(t).elect().workFails(errFailed)
	handed := r.leader(alice, 2)
	handed.Accepted = false
	if op, ok := r.main(); ok {
		r.answer(op.Kind, r.did(election.Followed, handed))
	} else {
		r.rereads(r.reads(handed))
	}
	require.Empty(t, r.m.View().Delays)
	op := r.op(ElectionCycle)
	require.False(t, op.Abstain)
	require.Zero(t, op.Me.Delay)
}

// TestDelayAfterAResignRequestAndAFailure: an earlier failure, which was reported, does not
// hide the hold-off.
func TestDelayAfterAResignRequestAndAFailure(t *testing.T) {
	r := newRig(t).elect().workFails(errFailed).claims(2)
	r.answerRenewal(election.Request{Kind: election.ResignRequest, Term: 2})
	r.step(WorkReturned{2})
	require.Contains(t, r.acts, Action(Delayed{Delay{RuleHoldOff, r.now().Local.Add(10 * time.Second)}}))
}

// TestDelayAfterAResignRequest: the hold-off is reported, since no failure was.
func TestDelayAfterAResignRequest(t *testing.T) {
	r := newRig(t).elect()
	r.answerRenewal(election.Request{Kind: election.ResignRequest, Term: 1})
	r.step(WorkReturned{1})
	require.Contains(t, r.acts, Action(Delayed{Delay{RuleHoldOff, r.now().Local.Add(10 * time.Second)}}))
	r.answer(Resign, r.reads(r.vacant(1)))
	for begin := r.local; ; r.jump(10 * time.Millisecond) {
		require.LessOrEqual(t, r.local-begin, heartbeat, "its record says so within a heartbeat")
		if op, ok := r.main(); ok && op.Kind == ElectionCycle {
			require.Equal(t, "hold-off", op.Me.Delay.Rule)
			return
		} else if ok {
			r.answer(op.Kind, r.reads(r.m.leader.record))
		}
	}
}
