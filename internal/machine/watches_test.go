package machine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestAWatchThatFires: the leader record is read at once, by arming the watch again or, if
// that is too soon, by a read.
func TestAWatchThatFires(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1)).pass(time.Second).fire(WatchTerm, nil).does()
	require.True(t, r.started(WatchTerm))
	require.Equal(t, 3*time.Second, r.op(WatchTerm).Limit)
	r.answer(WatchTerm, r.reads(r.leader(bob, 2))).does("leader bob in 2")
	r.fire(WatchTerm, nil)
	require.True(t, r.started(WatchTerm), "two at once, for a hand-over and a claim")
	r.answer(WatchTerm, r.reads(r.standing(bob, 2)))
	r.fire(WatchTerm, nil).does("do read the leader record")
	require.False(t, r.started(WatchTerm))
	r.notArmed(WatchTerm).answer(ReadLeader, r.reads(r.leader(bob, 3))).does("leader bob in 3")
	r.pass(300 * time.Millisecond)
	require.True(t, r.started(WatchTerm), "a tenth of a heartbeat after the last time")
}

// notArmed asserts that a watch is not armed.
func (r *rig) notArmed(kind Kind) *rig {
	r.t.Helper()
	require.Zero(r.t, r.armed[kind])
	return r
}

// A watch that fires all the time does not cause a hot loop.
func TestAWatchThatFiresAllTheTime(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1))
	arms, reads := 0, 0
	leader := r.standing(bob, 1)
	for r.local < 30*time.Second {
		for i := 0; i < 5 && len(r.pending)+len(r.armed) > 0; i++ {
			if r.armed[WatchTerm] != 0 {
				r.fire(WatchTerm, nil)
				continue
			}
			for _, op := range r.pending {
				switch op.Kind {
				case WatchTerm:
					arms++
				case ReadLeader:
					reads++
				default:
				}
				r.answer(op.Kind, r.reads(leader))
				break
			}
		}
		r.pass(10 * time.Millisecond)
	}
	require.InDelta(t, 100, arms, 3, "one per tenth of a heartbeat")
	require.LessOrEqual(t, reads, 250)
}

// A watch that fails is armed again after a heartbeat, and the leader record is read
// meanwhile.
func TestAWatchThatFails(t *testing.T) {
	lost := errors.New("the watch is lost")
	for name, lose := range map[string]func(*rig) *rig{
		"when it was armed": func(r *rig) *rig {
			return r.answer(WatchTerm, r.reads(r.leader(bob, 1))).pass(time.Second).fire(WatchTerm, lost)
		},
		"when it is being armed": func(r *rig) *rig { return r.pass(time.Second).answer(WatchTerm, failing(lost)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, standingBy).join()
			lose(r).does("do read the leader record")
			require.Equal(t, []string{"watch the leadership: the watch is lost"}, r.reports())
			r.answer(ReadLeader, r.reads(r.standing(bob, 1)))
			r.pass(3*time.Second - 1)
			require.False(t, r.started(WatchTerm))
			r.pass(1)
			require.True(t, r.started(WatchTerm))
			r.answer(WatchTerm, failing(lost))
			require.Empty(t, r.reports(), "it is reported once")
			r.step(Tick{})
		})
	}
}

// runSubscriber runs a process that only subscribes. Each watch ends some time after it was
// armed. runSubscriber returns when a watch was armed, how many errors were reported, and how
// often the leader record was read.
func runSubscriber(t *testing.T, d, lifetime time.Duration, ends func(arming int) error) (armed []time.Duration, reports, reads int) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly }).step(Begin{})
	end := time.Duration(0)
	for r.local < d {
		for len(r.pending) > 0 {
			kind := r.pending[slices.Min(slices.Collect(maps.Keys(r.pending)))].Kind
			if kind == WatchTerm {
				armed, end = append(armed, r.local), r.local+lifetime
			} else {
				reads++
			}
			r.answer(kind, r.reads(r.standing(bob, 1)))
		}
		if r.armed[WatchTerm] != 0 && r.local >= end {
			r.fire(WatchTerm, ends(len(armed)))
			reports += len(r.reports())
		}
		r.pass(heartbeat / 10)
	}
	return armed, reports, reads
}

// A watch that always fails is reported once, and is armed again after twice as long each
// time. The leader record is read meanwhile.
func TestAWatchThatAlwaysFails(t *testing.T) {
	armed, reports, reads := runSubscriber(t, time.Hour, 0, func(int) error { return errStore })
	require.Equal(t, 1, reports)
	require.GreaterOrEqual(t, reads, int(time.Hour/heartbeat)-1)
	for i := range armed[1:] {
		require.InDelta(t, min(heartbeat<<i, longestRearm), armed[i+1]-armed[i], float64(heartbeat/10))
	}
	require.Len(t, armed, 18)
}

// A failed watch is reported again if a watch has stayed armed for long or has fired in
// between. Then the back-off starts again.
func TestAFailedWatchIsReportedAgain(t *testing.T) {
	armed, reports, _ := runSubscriber(t, time.Hour, longestRearm, func(int) error { return errStore })
	require.Equal(t, len(armed)-1, reports)
	for i := range armed[1:] {
		require.InDelta(t, longestRearm+heartbeat, armed[i+1]-armed[i], float64(heartbeat/5))
	}
	armed, reports, _ = runSubscriber(t, time.Minute, time.Second, func(arming int) error {
		if arming%2 == 0 {
			return errStore
		}
		return nil
	})
	require.InDelta(t, len(armed)/2, reports, 1)
	require.Greater(t, reports, 5)
}

// TestNoClaimAfterAFailedWatch: a failed watch does not say that the term has changed.
func TestNoClaimAfterAFailedWatch(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.follow(leader)
	for range 3 {
		r.fire(WatchTerm, errStore)
		for _, kind := range r.kinds() {
			require.Equal(t, ReadLeader, kind)
			r.answer(ReadLeader, r.reads(leader))
		}
		r.jump(r.m.watches.term.backoff).answer(WatchTerm, r.reads(leader))
		for _, kind := range r.kinds() {
			r.answer(kind, r.did(election.Followed, leader))
		}
		leader = r.leader(bob, 1)
	}
}

// TestArmingReadsTheLeader: while the watch is being armed there is no other read. There is
// one if arming fails.
func TestArmingReadsTheLeader(t *testing.T) {
	r := newRig(t, standingBy).join().idle()
	require.Equal(t, 3*time.Second, r.op(WatchTerm).Limit)
	r.pass(3*time.Second).idle().answer(WatchTerm, failing(context.DeadlineExceeded)).does("do read the leader record")
}

// TestArmingAgainReadsTheLeader: there is no other read while the watch is being armed. If
// arming fails, the leader record is read.
func TestArmingAgainReadsTheLeader(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1)).pass(heartbeat).does("do read the leader record").fire(WatchTerm, nil)
	require.True(t, r.started(WatchTerm))
	r.answer(ReadLeader, failing(errStore)).pass(20 * time.Millisecond).idle()
	r.answer(WatchTerm, failing(errStore)).does("do read the leader record")

	r = newRig(t, standingBy)
	r.follow(r.leader(bob, 1)).pass(time.Second).fire(WatchTerm, nil).idle()
	r.answer(WatchTerm, failing(errStore)).does("do read the leader record") // the watch has fired for a change
}

// A watch that fires too often is not a reason to claim without a read.
func TestAWatchThatFiresTooOften(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.follow(leader)
	r.fire(WatchTerm, nil).does("do election cycle")
	r.answer(ElectionCycle, r.did(election.Followed, leader)).answer(WatchTerm, r.reads(leader))
	r.m.claim.retryAt = time.Time{}
	r.fire(WatchTerm, nil).does("do read the leader record")
}

func TestTheWatchOfTheRequest(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	require.True(t, r.started(WatchRequest))
	requested := r.reads(r.standing(alice, 1))
	requested.Status.Request = resign
	old := requested
	old.Status.Request.Term = 7
	r.answer(WatchRequest, old).does()
	r.fire(WatchRequest, nil)
	require.True(t, r.started(WatchRequest))
	r.answer(WatchRequest, old).does()
	r.pass(100*time.Millisecond).fire(WatchRequest, nil).does("do read the leader record") // it may have fired without a change
	again := *r
	again.pending = map[uint64]Operation{r.op(ReadLeader).ID: r.op(ReadLeader)}
	again.answer(ReadLeader, requested).does("do renew 1")
	r.answer(ReadLeader, r.reads(r.standing(alice, 1))).does().pass(200 * time.Millisecond)
	require.True(t, r.started(WatchRequest))
	r.answer(WatchRequest, requested).does("do renew 1")
	r.fire(WatchRequest, errors.New("lost"))
	require.Equal(t, []string{"watch the request: lost"}, r.reports())
	r.renew().pass(3 * time.Second).renew()
	r.answer(WatchRequest, failing(errors.New("lost"))).does()
}

// TestARequestDuringARenewal: it causes another renewal. The running one may have read before
// the request was written.
func TestARequestDuringARenewal(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).does("do renew 1")
	r.pass(10*time.Millisecond).fire(WatchRequest, nil)
	requested := r.reads(r.standing(alice, 1))
	requested.Status.Request = resign
	r.answer(WatchRequest, requested).renew().does("do renew 1")
}

// TestWatchesAreCancelled: this happens when they are not needed. What a cancelled watch
// reads is ignored.
func TestWatchesAreCancelled(t *testing.T) {
	r := newRig(t).elect()
	armed := r.armed[WatchRequest]
	r.step(WorkReturning{Term: 1})
	require.Contains(t, texts(r.acts), "cancel "+itoa(armed))
	r.step(WorkReturned{1}).answer(Resign, r.reads(r.vacant(1)))
	r.fire(WatchRequest, errors.New("cancelled"))
	require.Empty(t, r.reports())

	r = newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	arming := r.op(WatchRequest).ID
	r.step(WorkReturning{Term: 1})
	require.Contains(t, texts(r.acts), "cancel "+itoa(arming))
	again := *r
	requested := r.reads(r.leader(bob, 2))
	r.answer(WatchRequest, requested).does()
	r.fire(WatchRequest, nil).does()
	again.pending = map[uint64]Operation{arming: {ID: arming, Kind: WatchRequest}}
	again.answer(WatchRequest, failing(errors.New("cancelled")))
	require.Empty(t, again.reports())
}

// TestUnexpectedAnswers: they change nothing.
func TestUnexpectedAnswers(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	before := r.m
	for _, event := range []Event{
		Answered{Op: 0, Answer: r.reads(r.leader(carol, 9))},
		Answered{Op: 1, Answer: r.reads(r.leader(carol, 9))},
		Answered{Op: 999, Answer: r.reads(r.leader(carol, 9))},
		WatchEnded{Op: 0},
		WatchEnded{Op: 999},
		CommitStarting{Op: 1},
		CommitDone{Op: 1},
	} {
		r.step(event)
		require.Empty(t, r.acts, "%#v", event)
	}
	require.Equal(t, before, r.m)
}

// TestAnEarlyTick: if the timer was early, the wake-up is requested again.
func TestAnEarlyTick(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	at := r.wake
	r.local = at - 1
	r.wake = 0
	r.step(Tick{}).wakes(at)
}

// The election is created while a process subscribes already. The watch that could not be
// armed before is armed at once.
func TestTheElectionIsCreated(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly })
	r.step(Begin{}).answer(WatchTerm, failing(fdbelection.ErrNotInitialized))
	r.answer(ReadLeader, failing(fdbelection.ErrNotInitialized)).pass(time.Second)
	require.False(t, r.started(WatchTerm))
	r.answer(ReadLeader, r.reads(r.leader(bob, 1)))
	require.True(t, r.started(WatchTerm))
}
