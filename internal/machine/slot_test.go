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

// TestAWatchThatFires has the seat read at once: by arming it again, or where that
// would be too soon by a look.
func TestAWatchThatFires(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1)).pass(time.Second).fire(WatchTerm, nil).does()
	require.True(t, r.started(WatchTerm))
	require.Equal(t, 3*time.Second, r.op(WatchTerm).Limit)
	r.answer(WatchTerm, r.reads(r.leader(bob, 2))).does("leader bob in 2")
	r.fire(WatchTerm, nil)
	require.True(t, r.started(WatchTerm), "two at once: a seat is given up, and taken")
	r.answer(WatchTerm, r.reads(r.standing(bob, 2)))
	r.fire(WatchTerm, nil).does("do read the leader record")
	require.False(t, r.started(WatchTerm))
	r.fire0(WatchTerm).answer(ReadLeader, r.reads(r.leader(bob, 3))).does("leader bob in 3")
	r.pass(300 * time.Millisecond)
	require.True(t, r.started(WatchTerm), "a tenth of a heartbeat after the last time")
}

// fire0 says that a watch is not armed.
func (r *rig) fire0(kind Kind) *rig {
	r.t.Helper()
	require.Zero(r.t, r.armed[kind])
	return r
}

// TestAWatchThatFiresAllTheTime is no hot loop.
func TestAWatchThatFiresAllTheTime(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1))
	arms, looks := 0, 0
	seat := r.standing(bob, 1)
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
					looks++
				default:
				}
				r.answer(op.Kind, r.reads(seat))
				break
			}
		}
		r.pass(10 * time.Millisecond)
	}
	require.InDelta(t, 100, arms, 3, "one per tenth of a heartbeat")
	require.LessOrEqual(t, looks, 250)
}

// TestAWatchThatIsLost is armed again after a heartbeat, and the seat is read
// meanwhile.
func TestAWatchThatIsLost(t *testing.T) {
	lost := errors.New("the watch is lost")
	for name, lose := range map[string]func(*rig) *rig{
		"while it waits": func(r *rig) *rig {
			return r.answer(WatchTerm, r.reads(r.leader(bob, 1))).pass(time.Second).fire(WatchTerm, lost)
		},
		"while it is armed": func(r *rig) *rig { return r.pass(time.Second).answer(WatchTerm, failing(lost)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, standingBy).join()
			lose(r).does("do read the leader record")
			require.Equal(t, []string{"watch the term record: the watch is lost"}, r.reports())
			r.answer(ReadLeader, r.reads(r.standing(bob, 1)))
			r.pass(3*time.Second - 1)
			require.False(t, r.started(WatchTerm))
			r.pass(1)
			require.True(t, r.started(WatchTerm))
			r.answer(WatchTerm, failing(lost))
			require.Empty(t, r.reports(), "once")
			r.step(Tick{})
		})
	}
}

// watchLife runs a process that only watches, whose watch ends after it stood for a
// while. It returns when the watch was armed, how often it was reported, and how often
// the seat was looked at.
func watchLife(t *testing.T, d, stands time.Duration, ends func(arming int) error) (armed []time.Duration, reports, looks int) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly }).step(Begin{})
	end := time.Duration(0)
	for r.local < d {
		for len(r.pending) > 0 {
			kind := r.pending[slices.Min(slices.Collect(maps.Keys(r.pending)))].Kind
			if kind == WatchTerm {
				armed, end = append(armed, r.local), r.local+stands
			} else {
				looks++
			}
			r.answer(kind, r.reads(r.standing(bob, 1)))
		}
		if r.armed[WatchTerm] != 0 && r.local >= end {
			r.fire(WatchTerm, ends(len(armed)))
			reports += len(r.reports())
		}
		r.pass(heartbeat / 10)
	}
	return armed, reports, looks
}

// TestAWatchThatAlwaysFails is reported once and armed again after twice as long each
// time. The seat is read meanwhile.
func TestAWatchThatAlwaysFails(t *testing.T) {
	armed, reports, looks := watchLife(t, time.Hour, 0, func(int) error { return errStore })
	require.Equal(t, 1, reports)
	require.GreaterOrEqual(t, looks, int(time.Hour/heartbeat)-1)
	for i := range armed[1:] {
		require.InDelta(t, min(heartbeat<<i, longestRearm), armed[i+1]-armed[i], float64(heartbeat/10))
	}
	require.Len(t, armed, 18)
}

// TestALossIsToldAgain if the watch stood for long, or fired, in between. The back-off
// begins again then.
func TestALossIsToldAgain(t *testing.T) {
	armed, reports, _ := watchLife(t, time.Hour, longestRearm, func(int) error { return errStore })
	require.Equal(t, len(armed)-1, reports)
	for i := range armed[1:] {
		require.InDelta(t, longestRearm+heartbeat, armed[i+1]-armed[i], float64(heartbeat/5))
	}
	armed, reports, _ = watchLife(t, time.Minute, time.Second, func(arming int) error {
		if arming%2 == 0 {
			return errStore
		}
		return nil
	})
	require.InDelta(t, len(armed)/2, reports, 1)
	require.Greater(t, reports, 5)
}

// TestALossIsNoNews: nothing is claimed because a watch has failed.
func TestALossIsNoNews(t *testing.T) {
	r := newRig(t)
	seat := r.leader(bob, 1)
	r.follow(seat)
	for range 3 {
		r.fire(WatchTerm, errStore)
		for _, kind := range r.kinds() {
			require.Equal(t, ReadLeader, kind)
			r.answer(ReadLeader, r.reads(seat))
		}
		r.jump(r.m.watches.term.backoff).answer(WatchTerm, r.reads(seat))
		for _, kind := range r.kinds() {
			r.answer(kind, r.did(election.Followed, seat))
		}
		seat = r.leader(bob, 1)
	}
}

// TestTheWatchTells: what is about to be read with it need not be read beside it,
// until that has failed.
func TestTheWatchTells(t *testing.T) {
	r := newRig(t, standingBy).join().idle()
	require.Equal(t, 3*time.Second, r.op(WatchTerm).Limit)
	r.pass(3*time.Second).idle().answer(WatchTerm, failing(context.DeadlineExceeded)).does("do read the leader record")
}

func TestTheWatchOfTheLeader(t *testing.T) {
	r := newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	require.True(t, r.started(WatchRequest))
	asked := r.reads(r.standing(alice, 1))
	asked.Status.Request = resign
	old := asked
	old.Status.Request.Term = 7
	r.answer(WatchRequest, old).does()
	r.fire(WatchRequest, nil)
	require.True(t, r.started(WatchRequest))
	r.answer(WatchRequest, old).does()
	r.pass(100*time.Millisecond).fire(WatchRequest, nil).does("do read the leader record") // it may fire for no reason
	again := *r
	again.pending = map[uint64]Operation{r.op(ReadLeader).ID: r.op(ReadLeader)}
	again.answer(ReadLeader, asked).does("do renew 1")
	r.answer(ReadLeader, r.reads(r.standing(alice, 1))).does().pass(200 * time.Millisecond)
	require.True(t, r.started(WatchRequest))
	r.answer(WatchRequest, asked).does("do renew 1")
	r.fire(WatchRequest, errors.New("lost"))
	require.Equal(t, []string{"watch the request: lost"}, r.reports())
	r.renew().pass(3 * time.Second).renew()
	r.answer(WatchRequest, failing(errors.New("lost"))).does()
}

// TestANewsThatComesDuringARenewal is not lost: the renewal may have read before
// it.
func TestANewsThatComesDuringARenewal(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).does("do renew 1")
	r.pass(10*time.Millisecond).fire(WatchRequest, nil)
	asked := r.reads(r.standing(alice, 1))
	asked.Status.Request = resign
	r.answer(WatchRequest, asked).renew().does("do renew 1")
}

// TestWatchesEnd with what they are for, and those that are on their way out are
// not listened to.
func TestWatchesEnd(t *testing.T) {
	r := newRig(t).elect()
	intents := r.armed[WatchRequest]
	r.step(WorkReturning{Term: 1})
	require.Contains(t, texts(r.acts), "cancel "+itoa(intents))
	r.step(WorkReturned{1}).answer(Resign, r.reads(r.vacant(1)))
	r.fire(WatchRequest, errors.New("cancelled"))
	require.Empty(t, r.reports())

	r = newRig(t)
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	arming := r.op(WatchRequest).ID
	r.step(WorkReturning{Term: 1})
	require.Contains(t, texts(r.acts), "cancel "+itoa(arming))
	again := *r
	asked := r.reads(r.leader(bob, 2))
	r.answer(WatchRequest, asked).does()
	r.fire(WatchRequest, nil).does()
	again.pending = map[uint64]Operation{arming: {ID: arming, Kind: WatchRequest}}
	again.answer(WatchRequest, failing(errors.New("cancelled")))
	require.Empty(t, again.reports())
}

// TestAnswersThatNobodyWaitsFor change nothing.
func TestAnswersThatNobodyWaitsFor(t *testing.T) {
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

// TestATickThatCameTooSoon: the timer that ran ahead of the clock is set again.
func TestATickThatCameTooSoon(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	at := r.wake
	r.local = at - 1
	r.wake = 0
	r.step(Tick{}).wakes(at)
}

// TestTheElectionIsMade while somebody looks on already: the watch that could not
// be armed before is armed at once.
func TestTheElectionIsMade(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly })
	r.step(Begin{}).answer(WatchTerm, failing(fdbelection.ErrNotInitialized))
	r.answer(ReadLeader, failing(fdbelection.ErrNotInitialized)).pass(time.Second)
	require.False(t, r.started(WatchTerm))
	r.answer(ReadLeader, r.reads(r.leader(bob, 1)))
	require.True(t, r.started(WatchTerm))
}
