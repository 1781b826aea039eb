package machine

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

var (
	toBob   = Leave{Succession{To: "bob", Nonce: uuid.UUID{7}}}
	toCarol = Leave{Succession{To: "carol", Nonce: uuid.UUID{8}}}
)

// handedTo returns the answer of a process that has handed over to bob. He has not accepted yet.
func (r *rig) handedTo() Answer {
	leader := r.leader(bob, 2)
	leader.Accepted, leader.Nonce = false, toBob.Nonce
	return Answer{Status: election.Status{Leader: leader}}
}

// A leader that leaves hands over to its successor, after its work has returned.
func TestLeavingWithASuccessor(t *testing.T) {
	r := newRig(t).elect().step(toBob).does("drain 1: stopped", "leader -> candidate: stopped")
	r.step(WorkReturned{1}).does("expire 1", "do unregister")
	op := r.op(Unregister)
	require.Equal(t, toBob.Succession, op.Succession)
	require.Equal(t, r.standing(alice, 1).Token(), op.Token)
	r.answer(Unregister, r.handedTo()).does("leader bob in 2", "candidate -> stopped: stopped", "finish <nil>")
}

// The hand-over does not wait for work that ignores the stop, or for a renewal.
func TestSuccessionAfterTheDrainLimit(t *testing.T) {
	r := newRig(t).elect().step(toBob).pass(heartbeat).pass(testSettings().Drain-heartbeat).does("expire 1", "cancel election cycle")
	r.answer(ElectionCycle, failing(context.Canceled)).does("do unregister")
	require.Equal(t, toBob.Succession, r.op(Unregister).Succession)
}

// If the successor cannot be handed leadership, the process has resigned and left.
func TestSuccessionIsRefused(t *testing.T) {
	r := newRig(t).elect().step(toBob).step(WorkReturned{1})
	r.answer(Unregister, Answer{Status: election.Status{Leader: r.vacant(1)}, Refused: fdbelection.ErrProcessNotFound})
	r.does("vacant since 1", "candidate -> stopped: stopped", "finish could not hand over to bob: "+fdbelection.ErrProcessNotFound.Error())
	finish := r.acts[len(r.acts)-1].(Finish)
	var failed *HandOverError
	require.ErrorAs(t, finish.Err, &failed)
	require.Equal(t, &HandOverError{To: "bob", Err: fdbelection.ErrProcessNotFound}, failed)
	require.ErrorIs(t, failed, fdbelection.ErrProcessNotFound)
}

// Each retry is the same hand-over.
func TestSuccessionIsRetried(t *testing.T) {
	r := newRig(t).elect().step(toBob).step(WorkReturned{1})
	first := r.op(Unregister)
	r.answer(Unregister, Answer{Err: errStore, MayHaveWritten: true}).pass(r.wake - r.local).does("do unregister")
	again := r.op(Unregister)
	require.Equal(t, first.Succession, again.Succession)
	require.Equal(t, first.Token, again.Token)
	r.answer(Unregister, r.handedTo())
	require.Equal(t, Finish{}, r.acts[len(r.acts)-1])
}

// A process that does not lead has nothing to hand over.
func TestSuccessionOfAProcessThatDoesNotLead(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).step(toBob).does("do unregister")
	require.Zero(t, r.op(Unregister).Succession)

	r = newRig(t).elect().step(WorkReturning{Term: 1}).step(WorkReturned{1}).step(toBob).does("cancel resign")
	r.answer(Resign, failing(context.Canceled)).does("do unregister")
	require.Zero(t, r.op(Unregister).Succession)
}

// A successor that is named later counts until the work has returned. The first one counts.
func TestSuccessorIsNamedLater(t *testing.T) {
	r := newRig(t).elect().step(Leave{}).step(toBob).step(toCarol).step(WorkReturned{1}).does("expire 1", "do unregister")
	require.Equal(t, toBob.Succession, r.op(Unregister).Succession)

	r = newRig(t).elect().step(Leave{}).step(WorkReturned{1}).step(toBob).does()
	r.answer(Unregister, failing(errStore)).pass(r.wake - r.local).does("do unregister")
	require.Zero(t, r.op(Unregister).Succession)
}

// Candidates that have timed out do not succeed.
func TestTheDeadDoNotSucceed(t *testing.T) {
	for _, leave := range []Leave{{}, toBob} {
		r := newRig(t)
		members := func(heartbeats uint64) []election.Candidate {
			alive := func(c *election.Candidate) { c.Heartbeats = heartbeats }
			return []election.Candidate{candidate(alice, 1, alive), candidate(bob, 2), candidate(carol, 3, alive)}
		}
		r.follow(r.vacant(0), members(1)...).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
		r.answer(List, Answer{Members: members(2)})
		for n := range uint64(6) {
			r.pass(heartbeat)
			if _, running := r.find(ElectionCycle); running {
				r.renew()
			}
			if _, running := r.find(List); running {
				r.answer(List, Answer{Members: members(3 + n)})
			}
			if _, running := r.find(Evict); running {
				r.answer(Evict, failing(errStore))
			}
		}
		dead := r.step(leave).step(WorkReturned{1}).op(Unregister).Members
		if leave == toBob {
			require.Len(t, dead, 1)
			require.Equal(t, bob, dead[0].Identity)
		} else {
			require.Empty(t, dead)
		}
	}
}
