package machine

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// TestADeadChallenger: the leader does not drain while the counter of the request does not
// rise.
func TestADeadChallenger(t *testing.T) {
	r := newRig(t).elect()
	request := challenge
	renew := func() *rig {
		return r.pass(heartbeat).commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true))
	}
	for range 20 {
		renew().does().state(StateLeader)
	}
	request.Nonce[0]++ // another request, whose author crashes as well
	renew().does()
	request.Counter++
	renew().does("drain 1: challenged by a higher priority", "leader -> candidate: challenged by a higher priority")
}

// TestAChallengerThatDiesWhileTheLeaderDrains: the leader claims again and does not hand
// over.
func TestAChallengerThatDiesWhileTheLeaderDrains(t *testing.T) {
	grace := func(s *Settings) { s.Config.PreemptionGrace = time.Minute }
	r := newRig(t, grace).elect()
	request := challenge
	for range 2 {
		request.Counter++
		r.pass(heartbeat).commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true))
	}
	for range 3 {
		r.pass(heartbeat).commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true))
	}
	r.step(WorkReturned{1}).does("expire 1", "do election cycle")
	require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm)
}

// TestATransferToATimedOutCandidate: the leader drains only after it has seen a heartbeat of
// the target.
func TestATransferToATimedOutCandidate(t *testing.T) {
	r := newRig(t).elect()
	target := candidate(bob, 2)
	list := func() *rig {
		return r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1, func(c *election.Candidate) { c.Heartbeats = uint64(r.local) }), target}})
	}
	for r.local < 20*time.Second {
		r.pass(time.Second)
		for _, op := range r.running() {
			switch op.Kind {
			case List:
				list()
			case ElectionCycle:
				r.renew()
			case Evict:
				r.answer(Evict, Answer{})
			default:
			}
		}
	}
	require.Len(t, r.m.candidates.members, 2)
	for cycling := false; !cycling; _, cycling = r.find(ElectionCycle) {
		r.pass(time.Second)
	}
	r.commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(transfer, true)).state(StateLeader)
	target.Heartbeats++
	for r.m.State() == StateLeader && r.local < time.Minute {
		r.pass(time.Second)
		for _, op := range r.running() {
			switch op.Kind {
			case List:
				list()
			case Evict:
				r.answer(Evict, Answer{})
			case ElectionCycle:
				r.commits(op, 1, r.config).answer(ElectionCycle, r.requested(transfer, true))
			default:
			}
		}
	}
	require.Contains(t, texts(r.acts), "drain 1: asked to hand over")
}

// TestARequestThatReplacesAnother: the leader drains for a preemption request. An operator's
// request, or that of a stronger challenger, replaces it before the work has returned. The
// leader meets the newer one.
func TestARequestThatReplacesAnother(t *testing.T) {
	raised := func(i election.Request) []election.Request {
		first := i
		i.Counter++
		return []election.Request{first, i}
	}
	stronger := election.Request{Kind: election.PreemptionRequest, Term: 1, Identity: carol, Nonce: uuid.UUID{8}, Priority: 8}
	moveTo, stepDown := transfer, resign
	moveTo.Nonce, stepDown.Nonce = uuid.UUID{8}, uuid.UUID{8}
	for _, c := range []struct {
		name string
		then []election.Request
		done string
	}{
		{"a transfer", []election.Request{moveTo}, "do hand over 1"},
		{"a resignation", []election.Request{stepDown}, "do resign 1"},
		{"a stronger challenger", raised(stronger), "do hand over 1"},
		{"a stronger challenger that is dead", []election.Request{stronger}, "do election cycle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Config.PreemptionGrace = time.Minute }).elect()
			for _, request := range append(raised(challenge), c.then...) {
				r.pass(heartbeat).commits(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.requested(request, true))
			}
			r.step(WorkReturned{1}).does("expire 1", c.done)
		})
	}
}

// TestHowLongAPreemptionRequestStands: for two heartbeats after its counter was seen to rise,
// to the nanosecond. A lower counter is from an earlier read and does not count.
func TestHowLongAPreemptionRequestStands(t *testing.T) {
	r := newRig(t).elect()
	see := func(counter uint64) bool {
		request := challenge
		request.Counter = counter
		r.m.now = r.now()
		r.m.request.saw(&request, r.m.now.Local)
		return r.m.requestStands(&request)
	}
	require.False(t, see(5), "it may be old")
	require.False(t, see(4))
	require.False(t, see(5))
	r.local += time.Second
	require.True(t, see(6))
	r.local += 2 * heartbeat
	require.True(t, see(6))
	require.True(t, see(5))
	r.local++
	require.False(t, see(5))
	require.False(t, see(6))
}
