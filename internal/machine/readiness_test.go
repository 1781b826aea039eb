package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/subspace"
)

func notReady(s *Settings) { s.Me.NotReady = "cold" }

func leadUnready(after time.Duration) func(*Settings) {
	return func(s *Settings) { s.LeadUnready = after }
}

// cold makes a candidate record say that it is not ready.
func cold(c *election.Candidate) { c.NotReady, c.ReadySince = "cold", subspace.Versionstamp{} }

// startsClaim reports whether the machine starts a cycle that claims within d, and answers
// everything else.
func (r *rig) startsClaim(d time.Duration, members ...election.Candidate) bool {
	r.t.Helper()
	for end := r.local + d; r.local < end; r.jump(100 * time.Millisecond) {
		if _, ok := r.find(List); ok {
			r.answer(List, Answer{Members: members})
		}
		op, ok := r.main()
		switch {
		case !ok:
		case op.Kind == ElectionCycle && !op.Abstain:
			return true
		case op.Kind == ElectionCycle:
			r.answer(ElectionCycle, r.did(election.Followed, r.m.leader.record))
		default:
			r.answer(op.Kind, r.reads(r.m.leader.record))
		}
	}
	return false
}

// TestALeaderThatIsNotReady: it drains, resigns when its work has returned, says so with the
// next heartbeat, and holds off for one lease after it is ready again.
func TestALeaderThatIsNotReady(t *testing.T) {
	r := newRig(t).elect().step(ReadinessChanged{NotReady: "cold"})
	require.Contains(t, r.acts, Action(Drain{Term: 1, Reason: ReasonNotReady}))
	require.Contains(t, r.acts, Action(HoldOff{Failures: 1, For: 10 * time.Second}))
	_, busy := r.main()
	require.False(t, busy, "no renewal delays the resignation")
	r.step(WorkReturned{1})
	require.Equal(t, election.NoRequest, r.op(Resign).Request.Kind)
	r.answer(Resign, r.reads(r.vacant(1)))
	resigned := r.local
	for {
		op, ok := r.main()
		if ok && op.Kind == ElectionCycle {
			require.Equal(t, "cold", op.Me.NotReady)
			break
		}
		if ok {
			r.answer(op.Kind, r.reads(r.m.leader.record))
		}
		r.jump(10 * time.Millisecond)
	}
	require.InDelta(t, pollStep(heartbeat), r.local-resigned, float64(20*time.Millisecond), "the successor commits first")
	r.answer(ElectionCycle, r.did(election.Followed, r.m.leader.record))
	r.step(ReadinessChanged{})
	require.False(t, r.startsClaim(9*time.Second, candidate(alice, 1)))
	require.True(t, r.startsClaim(2*time.Second, candidate(alice, 1)))
}

// TestACandidateThatIsNotReady: it claims nothing until it is ready.
func TestACandidateThatIsNotReady(t *testing.T) {
	r := newRig(t, notReady).follow(election.LeaderRecord{}, candidate(alice, 1, cold))
	require.False(t, r.startsClaim(time.Minute, candidate(alice, 1, cold)))
	require.False(t, r.m.candidates.first.damaged, "its entry is not missing in the rank index")
	r.step(ReadinessChanged{})
	require.True(t, r.startsClaim(time.Second, candidate(alice, 1)))
	require.Empty(t, r.op(ElectionCycle).Me.NotReady)
}

// TestLeadUnready: a candidate that is not ready claims after a while if it knows of no other
// one that is ready.
func TestLeadUnready(t *testing.T) {
	for name, c := range map[string]struct {
		other  func(*election.Candidate)
		claims bool
	}{
		"another one is ready":       {func(*election.Candidate) {}, false},
		"another one is not":         {cold, true},
		"a ready one holds off":      {func(c *election.Candidate) { c.Delay.Rule = RuleHoldOff }, true},
		"a ready one is an observer": {func(c *election.Candidate) { c.Role = election.Observer }, true},
	} {
		t.Run(name, func(t *testing.T) {
			heartbeats := uint64(0)
			members := func() []election.Candidate {
				heartbeats++ // the other one is alive
				return []election.Candidate{candidate(alice, 2, cold), candidate(bob, 1, c.other, func(c *election.Candidate) { c.Heartbeats = heartbeats })}
			}
			r := newRig(t, notReady, leadUnready(20*time.Second)).follow(election.LeaderRecord{}, members()...)
			for range 20 {
				require.False(t, r.startsClaim(time.Second, members()...))
			}
			for range 10 {
				if r.startsClaim(time.Second, members()...) {
					require.True(t, c.claims)
					require.Equal(t, 20*time.Second, r.op(ElectionCycle).LeadUnready)
					return
				}
			}
			require.False(t, c.claims)
		})
	}
}

// TestALoneLeaderThatIsNotReady: it leads until another candidate is ready.
func TestALoneLeaderThatIsNotReady(t *testing.T) {
	r := newRig(t, leadUnready(20*time.Second)).elect().step(ReadinessChanged{NotReady: "cold"})
	require.True(t, r.m.tenure.leads())
	require.Equal(t, "cold", r.op(ElectionCycle).Me.NotReady, "the record says so at once")
	r.renew()
	require.Zero(t, r.m.View().Failures)
	r.op(List)
	r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1, cold), candidate(bob, 2)}})
	require.Contains(t, r.acts, Action(Drain{Term: 1, Reason: ReasonNotReady}))
}

// TestAnotherReason: it is written within a heartbeat interval, not at once.
func TestAnotherReason(t *testing.T) {
	r := newRig(t, notReady).follow(election.LeaderRecord{}, candidate(alice, 1, cold))
	for {
		op, ok := r.main()
		if !ok {
			break
		}
		r.answer(op.Kind, r.reads(r.m.leader.record))
	}
	r.step(ReadinessChanged{NotReady: "colder"})
	_, busy := r.main()
	require.False(t, busy)
	for begin := r.local; ; r.jump(10 * time.Millisecond) {
		require.LessOrEqual(t, r.local-begin, heartbeat)
		op, ok := r.main()
		if !ok {
			continue
		}
		if op.Kind == ElectionCycle {
			require.Equal(t, "colder", op.Me.NotReady)
			return
		}
		r.answer(op.Kind, r.reads(r.m.leader.record))
	}
}

// TestTheRankOfACandidateThatIsReadyAgain: until a list shows its new rank, it is the last of
// its priority. It lists when the record that says that it is ready is committed.
func TestTheRankOfACandidateThatIsReadyAgain(t *testing.T) {
	before := []election.Candidate{candidate(bob, 2), candidate(alice, 1, cold)}
	r := newRig(t, notReady).follow(election.LeaderRecord{}, before...)
	r.startsClaim(time.Second, before...)
	r.step(ReadinessChanged{})
	if _, ok := r.find(List); ok { // it may begin before the record is committed
		r.answer(List, Answer{Members: before})
	}
	require.False(t, r.m.firstInRank())
	r.answer(ElectionCycle, r.did(election.Followed, r.m.leader.record))
	r.answer(List, Answer{Members: []election.Candidate{candidate(bob, 2), candidate(alice, 3)}})
	require.False(t, r.m.firstInRank())
	require.Equal(t, 1, r.m.rankedBefore())
}

// TestACandidateThatIsNotReadyIsNotMissing: a list may show its record before it knows that
// the record is committed. It does not list again at once.
func TestACandidateThatIsNotReadyIsNotMissing(t *testing.T) {
	r := newRig(t).follow(election.LeaderRecord{Ballot: 1, Term: 1, Identity: bob, Priority: 5, Accepted: true, LeaseDuration: 10 * time.Second}, candidate(bob, 1), candidate(alice, 2))
	r.step(ReadinessChanged{NotReady: "cold"})
	for range 3 {
		if _, ok := r.find(List); !ok {
			break
		}
		r.answer(List, Answer{Members: []election.Candidate{candidate(bob, 1), candidate(alice, 2, cold)}})
	}
	_, busy := r.find(List)
	require.False(t, busy)
}
