package machine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// A process can leave in every state.
func TestLeaving(t *testing.T) {
	stopped := "candidate -> stopped: stopped"
	t.Run("before the start", func(t *testing.T) {
		r := newRig(t)
		r.step(Leave{}).does("finish <nil>")
		r.step(Begin{}).does()
	})
	t.Run("while it only subscribes", func(t *testing.T) {
		r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly }).step(Begin{}).step(Leave{})
		r.does("observer -> stopped: stopped", "finish <nil>")
		require.Contains(t, texts(r.acts), "cancel 1", "the watch")
	})
	for name, c := range map[string]struct {
		answer Answer
		leaves bool
	}{
		"and it was not committed":  {failing(context.Canceled), false},
		"and the result is unknown": {Answer{Err: context.Canceled, MayHaveWritten: true}, true},
		"and it was committed":      {Answer{Status: election.Status{Config: testConfig()}}, true},
	} {
		t.Run("while registering, "+name, func(t *testing.T) {
			r := newRig(t).step(Begin{}).step(Leave{}).does("cancel register").answer(Register, c.answer)
			if !c.leaves {
				r.does(stopped, "finish <nil>")
				return
			}
			r.does("do unregister")
			require.Equal(t, 2*time.Second, r.op(Unregister).Limit)
			r.answer(Unregister, Answer{}).does(stopped, "finish <nil>")
		})
	}
	t.Run("after a registration whose result is unknown", func(t *testing.T) {
		r := newRig(t).step(Begin{}).answer(Register, Answer{Err: errStore, MayHaveWritten: true})
		r.step(Leave{}).does("do unregister")
	})
	t.Run("and its watch ends at once", func(t *testing.T) {
		r := newRig(t).elect()
		watch := r.armed[WatchTerm]
		r.step(Leave{})
		require.Contains(t, texts(r.acts), "cancel "+itoa(watch))
	})
	t.Run("while claiming", func(t *testing.T) {
		r := newRig(t)
		r.follow(r.vacant(0)).step(Leave{}).does("cancel election cycle").step(Leave{}).does()
		r.answer(ElectionCycle, Answer{Err: context.Canceled, MayHaveWritten: true}).does("do unregister")
		r.answer(Unregister, r.reads(r.vacant(1))).does("vacant since 1", stopped, "finish <nil>")
	})
	t.Run("while waiting after an error", func(t *testing.T) {
		r := newRig(t)
		r.follow(r.vacant(0)).answer(ElectionCycle, failing(errStore)).idle().step(Leave{}).does("do unregister")
	})
	t.Run("while handing over", func(t *testing.T) {
		r := newRig(t).elect().step(WorkReturning{Term: 1}).step(WorkReturned{1}).step(Leave{}).does("cancel resign")
		require.True(t, r.m.Holds())
		r.answer(Resign, failing(context.Canceled)).does("do unregister")
	})
	t.Run("while leading: renewed until the work has returned", func(t *testing.T) {
		r := newRig(t).elect().step(Leave{}).does("drain 1: stopped", "leader -> candidate: stopped")
		r.pass(heartbeat).does("do renew 1").renew().step(WorkReturned{1}).does("expire 1", "do unregister")
	})
	t.Run("while leading: not after the drain limit", func(t *testing.T) {
		r := newRig(t).elect().step(Leave{}).pass(heartbeat).renew().pass(time.Second).does("expire 1", "do unregister")
		r.answer(Unregister, Answer{}).does(stopped, "finish <nil>")
		r.step(WorkReturned{1}).does()
	})
	t.Run("after the end deadline, while the work goes on", func(t *testing.T) {
		r := newRig(t).elect().jump(30*time.Second).answer(Heartbeat, Answer{})
		r.step(Leave{}).does().wakes(r.local + 4*time.Second)
		r.pass(time.Second).idle()
		again := *r
		r.step(WorkReturned{1}).does("do unregister")
		again.pass(3 * time.Second).does("do unregister")
	})
}

// After the drain limit, leaving does not wait for a heartbeat that is not answered.
func TestLeavingDoesNotWaitForAHeartbeat(t *testing.T) {
	r := newRig(t).elect().jump(30 * time.Second).step(Leave{}).pass(4*time.Second - 1)
	require.Equal(t, []Kind{Heartbeat}, r.kinds())
	r.pass(1).does("cancel heartbeat")
	r.step(Tick{}).does()
	r.answer(Heartbeat, failing(context.Canceled)).does("do unregister")
}

// TestLeavingIsRetried: until the leave limit has passed.
func TestLeavingIsRetried(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).step(Leave{})
	n := 0
	for ; ; n++ {
		require.LessOrEqual(t, r.op(Unregister).Limit, 2*time.Second-r.local)
		r.pass(100*time.Millisecond).answer(Unregister, failing(errStore))
		if r.m.life.phase == stopped {
			break
		}
		r.idle().pass(r.wake - r.local).does("do unregister")
	}
	require.Less(t, r.local, 2*time.Second)
	require.Greater(t, n, 3)
	var left *LeaveError
	require.ErrorAs(t, r.m.life.err, &left)
	require.ErrorIs(t, left, errStore)
	require.ErrorContains(t, left, "its lease runs out by itself")

	r = newRig(t, func(s *Settings) { s.Permanent = func(error) bool { return true } })
	r.follow(r.leader(bob, 1)).step(Leave{}).answer(Unregister, failing(errStore))
	require.ErrorAs(t, r.m.life.err, &left, "no retry after a permanent error")

	r = newRig(t)
	r.follow(r.leader(bob, 1)).jump(time.Minute).step(Leave{})
	list := r.op(List).ID
	r.answer(ElectionCycle, failing(context.Canceled)).answer(Unregister, Answer{})
	require.Contains(t, texts(r.acts), fmt.Sprintf("cancel %d", list), "nothing keeps running")
}

// TestALateAttemptToLeave: a process that was suspended past the leave limit still tries
// once, with a limit that is not negative.
func TestALateAttemptToLeave(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).step(Leave{}).answer(Unregister, failing(errStore))
	r.jump(time.Minute)
	require.Positive(t, r.op(Unregister).Limit)
}

// TestALaterDrainLimit: a second reason to drain does not give the work more time.
func TestALaterDrainLimit(t *testing.T) {
	r := newRig(t).elect().step(WorkReturning{Term: 1})
	require.Equal(t, 4*time.Second, r.m.Deadlines().End.Sub(localEpoch))
	r.pass(2 * time.Second).step(Leave{})
	require.Equal(t, 4*time.Second, r.m.Deadlines().End.Sub(localEpoch))
}

// TestAFatalError: Drain passes it to the work.
func TestAFatalError(t *testing.T) {
	for _, err := range []error{
		fdbelection.ErrInvalidConfig, fdbelection.ErrInvalidCandidate, fdbelection.ErrSharedKeys, fdbelection.ErrDuplicateID,
	} {
		r := newRig(t).elect().pass(heartbeat).answer(ElectionCycle, failing(err))
		var passed error
		for _, action := range r.acts {
			if drain, ok := action.(Drain); ok {
				passed = drain.Err
			}
		}
		require.ErrorIs(t, passed, err)
		require.ErrorContains(t, passed, "election cycle: ")
	}
}
