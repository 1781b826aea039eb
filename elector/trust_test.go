package elector_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// tenures calls Run and returns a channel of its tenures. The work of each returns when its
// lease has ended and hold is closed. A nil hold counts as closed.
func (p *process) tenures(hold <-chan struct{}) <-chan *elector.Leadership {
	leads := make(chan *elector.Leadership, 100)
	p.run(p.tc.Context(), func(_ context.Context, lead *elector.Leadership) error {
		leads <- lead
		<-lead.LeaseContext().Done()
		if hold != nil {
			<-hold
		}
		return nil
	})
	return leads
}

// Whatever fails in the store, the work is asked to stop at the stop deadline, and the lease
// ends at the end deadline.
func TestLeadershipEndsWhileTheStoreHangs(t *testing.T) {
	for name, fault := range map[string]func(release chan struct{}) hook{
		"commits hang until their time limit": func(chan struct{}) hook { return on(memkv.CallCommit, "a", hang) },
		"commits hang and ignore their context": func(release chan struct{}) hook {
			return on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { <-release; return nil })
		},
		"reads hang until their time limit": func(chan struct{}) hook { return on(memkv.CallRead, "a", hang) },
		"all calls hang":                    func(chan struct{}) hook { return of("a", hang) },
		"all calls fail":                    func(chan struct{}) hook { return of("a", fail(errDisk)) },
		"all calls fail with a retryable error": func(chan struct{}) hook {
			return of("a", fail(kv.Error{Code: kv.CodeProcessBehind}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				release := make(chan struct{})
				p := tc.process("a")
				tenures := p.tenures(nil)
				lead := within(tc, tenures, "leadership")
				time.Sleep(heartbeat + heartbeat/2) // one renewal
				renewed := tc.start.Add(heartbeat)
				tc.before(fault(release))

				<-lead.Context().Done()
				require.Equal(tc, stopAt, time.Since(renewed))
				require.False(tc, p.Leading())
				require.False(tc, lead.Leads())
				require.ErrorIs(tc, context.Cause(lead.Context()), fdbelection.ErrNotLeader)
				require.NoError(tc, lead.LeaseContext().Err())
				<-lead.LeaseContext().Done()
				require.Equal(tc, endAt, time.Since(renewed))

				tc.before(nil)
				close(release)
				again := within(tc, tenures, "the next leadership")
				require.Equal(tc, lead.Term()+1, again.Term(), "a claim after the end deadline is a new tenure")
				require.Contains(tc, p.history(), elector.StateJeopardy)
			})
		})
	}
}

// An attempt with an unknown result counts as committed. If it writes a shorter lease, the
// deadlines move before its commit is sent.
func TestShorterLeaseMovesDeadlinesFirst(t *testing.T) {
	for name, fault := range map[string]hook{
		"committed, not acknowledged": fail(kv.Error{Code: kv.CodeTransactionTimedOut}),
		"committed, not answered":     hang,
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead := within(tc, p.tenures(nil), "leadership")
				time.Sleep(heartbeat / 2) // the watches are armed
				tc.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30 })
				tc.after(on(memkv.CallCommit, "a", fault))
				<-lead.Context().Done()
				shortened := tc.start.Add(heartbeat) // the first renewal under the new config
				require.Equal(tc, stopAt/10, time.Since(shortened))
				<-lead.LeaseContext().Done()
				require.Equal(tc, endAt/10, time.Since(shortened))
				tc.after(nil)
			})
		})
	}
}

// The deadlines count from the start of the attempt, however late its answer comes.
func TestDeadlinesCountFromTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		delay  time.Duration // of the answer to the claim
		ballot uint64        // with which the tenure begins
	}{
		"before the stop deadline": {heartbeat - time.Millisecond, 1},
		"after the stop deadline":  {stopAt + time.Millisecond, 2},
		"after the end deadline":   {endAt + time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				claim := tc.commits("a", "term")
				var slow atomic.Bool
				tc.after(func(_ context.Context, c *memkv.Call) error {
					if c.Kind != memkv.CallCommit {
						return nil
					}
					if claim(c) && !slow.Swap(true) {
						time.Sleep(test.delay) // ignores its context
						return nil
					}
					return nil
				})
				p := tc.process("a")
				lead := within(tc, p.tenures(nil), "leadership")
				require.Equal(tc, test.ballot, lead.Ballot())
				tc.before(on(memkv.CallCommit, "a", hang))
				wrote := tc.start
				if test.ballot == 2 {
					wrote = time.Now()
				}
				<-lead.Context().Done()
				require.Equal(tc, stopAt, time.Since(wrote))
				tc.before(nil)
			})
		})
	}
}

// An acknowledged renewal settles earlier attempts whose result is unknown.
func TestAcknowledgedRenewalSettlesEarlierOnes(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead := within(tc, p.tenures(nil), "leadership")
		lost, wasLost := once(tc.commits("a", "leader"), fail(kv.Error{Code: kv.CodeTransactionTimedOut}))
		tc.after(lost)
		time.Sleep(10 * lease)
		require.True(tc, wasLost())
		require.True(tc, lead.Leads())
		require.Equal(tc, uint64(1), tc.leader().Term)
	})
}

// The next tenure waits for work that does not stop in time, and for nothing else.
func TestNothingIsClaimedBeforeWorkReturned(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hold := make(chan struct{})
		p := tc.process("a")
		tenures := p.tenures(hold)
		first := within(tc, tenures, "leadership")
		tc.before(on(memkv.CallCommit, "a", fail(errDisk)))
		<-first.LeaseContext().Done()
		tc.before(nil)
		time.Sleep(10 * lease)
		require.Equal(tc, uint64(1), tc.leader().Term)
		require.Empty(tc, tenures)
		require.NotEmpty(tc, tc.candidates(), "it sends heartbeats meanwhile")
		close(hold)
		synctest.Wait()
		require.Equal(tc, uint64(2), within(tc, tenures, "the next leadership").Term())
	})
}

// A suspension is noticed at the next call, before a timer or the loop has run, because each
// call compares the clock.
func TestSuspensionIsNoticedAtTheNextCall(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead := within(tc, p.tenures(nil), "leadership")
		time.Sleep(heartbeat / 2)
		require.True(tc, p.Leading())
		p.clock.suspend(stopAt)

		require.ErrorIs(tc, p.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
		require.False(tc, lead.Leads())
		require.Error(tc, lead.Context().Err())
		require.NotEqual(tc, elector.StateLeader, p.State())
		_, known := p.Leader()
		require.False(tc, known)
		require.NoError(tc, lead.LeaseContext().Err(), "the work may still use the lease to finish")
		p.clock.suspend(endAt - stopAt)
		require.Error(tc, lead.LeaseContext().Err())
	})
}

// After a suspension a follower does not name a leader whose lease has expired on its own
// clock.
func TestFollowerForgetsTheLeaderAfterASuspension(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("a").leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(2 * heartbeat)
		require.Equal(tc, "a", b.LeaderID())
		b.clock.suspend(lease)
		require.Empty(tc, b.LeaderID())
	})
}

// Jumps of a wall clock have no effect.
func TestWallClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				a := tc.begin("a")
				a.leads()
				b := tc.begin("b", priority(-1))
				b.enters(elector.StateFollower)
				for _, p := range []*process{a, b} {
					time.Sleep(lease)
					p.clock.setWall(jump)
					time.Sleep(5 * lease)
					require.True(tc, a.Leading())
					require.Equal(tc, uint64(1), tc.leader().Term)
					require.True(tc, tc.listed("b"))
				}
				require.Equal(tc, []elector.State{elector.StateCandidate, elector.StateLeader}, a.history())
			})
		})
	}
}

// Clocks whose rates differ by less than the margin never show two leaders.
func TestClockRates(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		slow, fast := tc.begin("slow"), tc.process("fast")
		slow.clock.setRate(0.96)
		fast.clock.setRate(1.04)
		slow.leads()
		require.NoError(tc, fast.Start(tc.Context()))
		fast.enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.Equal(tc, uint64(1), tc.leader().Term)
		tc.before(of("slow", hang))
		for !fast.Leading() {
			require.LessOrEqual(tc, slow.Term(), uint64(1))
			time.Sleep(time.Millisecond)
		}
		require.False(tc, slow.Leading())
		tc.before(nil)
	})
}

// A timer that runs ahead of the clock is set again.
func TestTimerRunsAheadOfTheClock(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		p.clock.suspend(-heartbeat / 2) // timers fire before the clock reaches their time
		time.Sleep(5 * lease)
		require.True(tc, p.Leading())
		require.Greater(tc, tc.leader().Ballot, uint64(10))
	})
}

// stuck is a log writer that blocks.
type stuck struct{ release chan struct{} }

func (s stuck) Write(line []byte) (int, error) { <-s.release; return len(line), nil }

// The contexts of a leadership end in time even if the logger blocks the loop. The test runs in
// real time, because virtual time stops while a goroutine waits for a lock.
func TestLeadershipEndsWhileTheLoopHangs(t *testing.T) {
	out := stuck{make(chan struct{})}
	var broken atomic.Bool
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(context.Context, *memkv.Call) error {
		if broken.Load() {
			return errDisk // which is logged
		}
		return nil
	}}})
	el, err := elector.New(db, election.New(subspace.New("test")), elector.Options{
		Config: fdbelection.ConfigWithLease(300 * time.Millisecond),
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	lead, err := el.Campaign(t.Context())
	require.NoError(t, err)
	broken.Store(true)
	<-lead.Context().Done()
	<-lead.LeaseContext().Done()
	require.ErrorIs(t, el.IsLeader(t.Context()), fdbelection.ErrNotLeader)
	broken.Store(false)
	close(out.release)
	require.NoError(t, lead.Resign(t.Context()))
	require.NoError(t, el.Stop(t.Context()))
}

// A caller may see that the stop deadline has passed while the answer of a renewal that moves it
// is being handled. IsLeader has returned ErrNotLeader, so the tenure stays over, and the process
// claims a new one. In this test the clock jumps ahead for the call, and back.
func TestLeadershipStaysOverAfterIsLeaderSaidSo(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		term := a.Term()
		a.clock.suspend(lease)
		require.ErrorIs(tc, a.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
		a.clock.suspend(-lease)
		require.ErrorIs(tc, a.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
		time.Sleep(2 * heartbeat)
		require.NoError(tc, a.IsLeader(tc.Context()))
		require.Equal(tc, term+1, a.Term())
	})
}
