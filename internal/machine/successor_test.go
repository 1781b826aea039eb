package machine

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// TestADeadChallengerIsNotObeyed: its challenge stands, and its counter does not
// move, or moved once and stopped.
func TestADeadChallengerIsNotObeyed(t *testing.T) {
	r := newRig(t).elect()
	asked := challenge
	renew := func() *rig {
		return r.pass(heartbeat).issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(asked, true))
	}
	for range 20 {
		renew().does().state(StateLeader)
	}
	asked.Nonce[0]++ // another one, which crashes as well
	renew().does()
	asked.Counter++
	renew().does("drain 1: challenged by a higher priority", "leader -> candidate: challenged by a higher priority")
}

// TestAChallengerThatDiesWhileTheLeaderDrains is not handed anything: the leadership
// is claimed again.
func TestAChallengerThatDiesWhileTheLeaderDrains(t *testing.T) {
	grace := func(s *Settings) { s.Config.PreemptionGrace = time.Minute }
	r := newRig(t, grace).elect()
	asked := challenge
	for range 2 {
		asked.Counter++
		r.pass(heartbeat).issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(asked, true))
	}
	for range 3 {
		r.pass(heartbeat).issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(asked, true))
	}
	r.step(WorkReturned{1}).does("expire 1", "do election cycle")
	require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm)
}

// TestASilentSuccessorIsNotObeyed: an operator asks for a transfer to a candidate
// that the leader has not seen alive for the candidate timeout.
func TestASilentSuccessorIsNotObeyed(t *testing.T) {
	r := newRig(t).elect()
	silent := candidate(bob, 2)
	list := func() *rig {
		return r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1, func(c *election.Candidate) { c.Heartbeats = uint64(r.local) }), silent}})
	}
	for r.local < 20*time.Second {
		r.pass(time.Second)
		for _, op := range r.underWay() {
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
	r.issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(transfer, true)).state(StateLeader)
	silent.Heartbeats++ // it is back
	for r.m.State() == StateLeader && r.local < time.Minute {
		r.pass(time.Second)
		for _, op := range r.underWay() {
			switch op.Kind {
			case List:
				list()
			case Evict:
				r.answer(Evict, Answer{})
			case ElectionCycle:
				r.issue(op, 1, r.config).answer(ElectionCycle, r.asked(transfer, true))
			default:
			}
		}
	}
	require.Contains(t, texts(r.acts), "drain 1: asked to hand over")
}

// TestWhatTakesThePlaceOfAChallengeIsMet: the leader drains for a challenge, and an
// operator's request or a stronger challenger replaces it before the work has
// returned.
func TestWhatTakesThePlaceOfAChallengeIsMet(t *testing.T) {
	moved := func(i election.Request) []election.Request {
		first := i
		i.Counter++
		return []election.Request{first, i}
	}
	stronger := election.Request{Kind: election.PreemptionRequest, Term: 1, Identity: carol, Nonce: uuid.UUID{8}, Priority: 8}
	request, step := transfer, resign
	request.Nonce, step.Nonce = uuid.UUID{8}, uuid.UUID{8}
	for _, c := range []struct {
		name  string
		then  []election.Request
		given string
	}{
		{"a transfer", []election.Request{request}, "do hand over 1"},
		{"a resignation", []election.Request{step}, "do resign 1"},
		{"a stronger challenger", moved(stronger), "do hand over 1"},
		{"a stronger challenger that is dead", []election.Request{stronger}, "do election cycle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Config.PreemptionGrace = time.Minute }).elect()
			for _, asked := range append(moved(challenge), c.then...) {
				r.pass(heartbeat).issue(r.op(ElectionCycle), 1, r.config).answer(ElectionCycle, r.asked(asked, true))
			}
			r.step(WorkReturned{1}).does("expire 1", c.given)
		})
	}
}

// TestHowLongAChallengeIsFresh: for two heartbeats after its counter was seen to rise, to
// the nanosecond. A reading that began earlier has a lower counter, which is not a sign of
// life.
func TestHowLongAChallengeIsFresh(t *testing.T) {
	r := newRig(t).elect()
	see := func(counter uint64) bool {
		intent := challenge
		intent.Counter = counter
		r.m.now = r.now()
		r.m.request.saw(&intent, r.m.now.Local)
		return r.m.requestStands(&intent)
	}
	require.False(t, see(5), "it may have been there for long")
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
