package elector_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/testseed"
)

// callLog records callbacks by name.
type callLog struct {
	mu          sync.Mutex
	names       []string
	transitions []elector.Transition
}

func (c *callLog) note(name string) func(context.Context, elector.Transition) {
	return func(_ context.Context, t elector.Transition) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names = append(c.names, name)
		if name == "transition" {
			c.transitions = append(c.transitions, t)
		}
	}
}

// all sets every callback.
func (c *callLog) all() setting {
	return callbacks(func(cb *elector.Callbacks) {
		cb.OnEnterLeader, cb.OnLeaveLeader = c.note("+leader"), c.note("-leader")
		cb.OnEnterFollower, cb.OnLeaveFollower = c.note("+follower"), c.note("-follower")
		cb.OnEnterCandidate, cb.OnLeaveCandidate = c.note("+candidate"), c.note("-candidate")
		cb.OnElected, cb.OnDemoted = c.note("elected"), c.note("demoted")
		cb.OnTransition = c.note("transition")
		cb.OnNewLeader = func(_ context.Context, l elector.LeaderInfo) { c.note("leader "+l.ID)(nil, elector.Transition{}) }
	})
}

func (c *callLog) made() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.names...)
}

func TestOrderOfCallbacks(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var leads, follows callLog
		a := tc.begin("a", leads.all())
		time.Sleep(lease)
		b := tc.begin("b", follows.all())
		time.Sleep(lease)
		b.stop()
		a.stop()
		require.Equal(tc, []string{
			"+candidate", "transition",
			"leader a",
			"-candidate", "+leader", "elected", "transition",
			"-leader", "+candidate", "demoted", "transition",
			"-candidate", "transition",
		}, leads.made())
		require.Equal(tc, []string{
			"+candidate", "transition",
			"leader a",
			"-candidate", "+follower", "transition",
			"-follower", "transition",
		}, follows.made())
	})
}

// 1,000 random faults and changes, with callbacks that take any time below their limit. No
// call is lost or made twice, and all come in order: every state that is entered is left, and
// each transition starts where the last one ended.
func TestCallbacksUnderRandomChanges(t *testing.T) {
	random := testseed.Random(t)
	inCluster(t, func(tc *cluster) {
		var c callLog
		var length atomic.Int64
		p := tc.process("p", c.all(), callbacks(func(cb *elector.Callbacks) {
			cb.OnEnterLeader = func(ctx context.Context, t elector.Transition) {
				c.note("+leader")(ctx, t)
				time.Sleep(time.Duration(length.Load()))
			}
		}))
		require.NoError(tc, p.Start(tc.Context()))
		other := tc.begin("q")
		for range 1000 {
			time.Sleep(time.Duration(random.Int64N(int64(lease / 2))))
			length.Store(random.Int64N(int64(callbackLimit)))
			switch random.IntN(8) {
			case 0:
				tc.before(of("p", hang))
			case 1:
				tc.before(of("q", fail(errDisk)))
			case 2, 3:
				tc.before(nil)
			case 4:
				p.SetPriority(int32(random.IntN(3)))
			case 5:
				other.SetPriority(int32(random.IntN(3)))
			case 6:
				tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = !c.ElectionEnabled })
			case 7:
				p.clock.suspend(time.Duration(random.Int64N(int64(lease))))
			}
		}
		tc.before(nil)
		p.stop()
		time.Sleep(lease) // until a late callback has returned

		at, entered := elector.StateStopped, map[string]int{}
		for _, t := range c.transitions {
			require.Equal(tc, at, t.From)
			require.NotEqual(tc, t.From, t.To)
			at = t.To
		}
		require.Equal(tc, elector.StateStopped, at)
		require.Greater(tc, len(c.transitions), 100)
		for _, name := range c.made() {
			switch name[0] {
			case '+':
				entered[name[1:]]++
				require.Equal(tc, 1, entered[name[1:]], "entered twice")
			case '-':
				entered[name[1:]]--
				require.Zero(tc, entered[name[1:]], "left without being entered")
			}
		}
		counts := map[string]int{}
		for _, name := range c.made() {
			counts[name]++
		}
		require.Equal(tc, counts["elected"], counts["demoted"])
		require.Equal(tc, counts["+leader"], counts["elected"])
		require.Greater(tc, counts["elected"], 10)
		require.Len(tc, c.transitions, counts["transition"])
	})
}

// A callback that is slow, panics or ignores its context is reported. Renewals continue, a
// loss is visible at once, and later callbacks are called.
func TestBadCallbacks(t *testing.T) {
	for name, test := range map[string]struct {
		elected func(hold chan struct{}) func(context.Context, elector.Transition)
		reports bool
	}{
		"slow": {func(chan struct{}) func(context.Context, elector.Transition) {
			return func(ctx context.Context, _ elector.Transition) {
				select {
				case <-time.After(lease):
				case <-ctx.Done():
				}
			}
		}, true},
		"panics": {func(chan struct{}) func(context.Context, elector.Transition) {
			return func(context.Context, elector.Transition) { panic("a bug") }
		}, true},
		"ignores its context": {func(hold chan struct{}) func(context.Context, elector.Transition) {
			return func(context.Context, elector.Transition) { <-hold }
		}, true},
		"returns": {func(chan struct{}) func(context.Context, elector.Transition) {
			return func(context.Context, elector.Transition) {}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				hold := make(chan struct{})
				defer close(hold)
				p := tc.begin("a", callbacks(func(c *elector.Callbacks) { c.OnElected = test.elected(hold) }))
				p.enters(elector.StateCandidate)
				time.Sleep(callbackLimit - time.Millisecond)
				require.True(tc, p.Leading())
				require.InDelta(tc, callbackLimit/heartbeat+1, tc.leader().Ballot, 1)
				tc.before(of("a", fail(errDisk)))
				time.Sleep(lease)
				require.False(tc, p.Leading())
				tc.before(nil)
				p.leads()
				if !test.reports {
					return
				}
				var late *elector.CallbackError
				for err := range p.Errors() {
					if e, ok := err.(*elector.CallbackError); ok { //nolint:errorlint // it is not wrapped
						late = e
						break
					}
				}
				require.Equal(tc, "OnElected", late.Callback)
				require.Equal(tc, elector.StateLeader, late.Transition.To)
				if name == "panics" {
					require.ErrorContains(tc, late, "a bug")
				} else {
					require.ErrorIs(tc, late, context.DeadlineExceeded)
				}
			})
		})
	}
}

// With Start, leadership is released only after OnDemoted has returned, or after its time
// limit if it hangs. The lease is renewed meanwhile.
func TestReleaseWaitsForOnDemoted(t *testing.T) {
	for name, hangs := range map[string]bool{"it returns": false, "it hangs": true} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				const takes, limit = 3 * time.Second, 3500 * time.Millisecond
				hold := make(chan struct{})
				defer close(hold)
				var returned atomic.Bool
				a := tc.begin("a", callbacks(func(c *elector.Callbacks) {
					c.OnDemoted = func(ctx context.Context, _ elector.Transition) {
						if hangs {
							<-hold
							return
						}
						<-time.After(takes)
						returned.Store(ctx.Err() == nil)
					}
				}), func(_ *process, o *elector.Options) { o.CallbackLimit = limit })
				a.leads()
				b := tc.begin("b")
				b.enters(elector.StateFollower)
				time.Sleep(heartbeat / 2)
				stopped := time.Now()
				go func() { _ = a.Stop(tc.Context()) }()
				synctest.Wait()
				require.False(tc, a.Leading())
				time.Sleep(takes - time.Millisecond)
				require.Equal(tc, "a", tc.leader().ID)
				require.Greater(tc, tc.leader().Ballot, uint64(1), "renewed meanwhile")
				b.leads()
				wait := map[bool]time.Duration{false: takes, true: limit}[hangs]
				require.InDelta(tc, wait, time.Since(stopped), float64(soon))
				require.Equal(tc, !hangs, returned.Load())
				synctest.Wait()
			})
		})
	}
}

// The context of OnElected ends with leadership and with the time limit.
func TestContextOfOnElected(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		ended := make(chan error, 10)
		p := tc.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(ctx context.Context, _ elector.Transition) {
				<-ctx.Done()
				ended <- context.Cause(ctx)
			}
		}))
		p.enters(elector.StateCandidate)
		require.ErrorIs(tc, within(tc, ended, "the limit"), context.DeadlineExceeded)
		require.True(tc, p.Leading())
		p.stop()
		require.NoError(tc, p.Start(tc.Context()))
		for !p.Leading() {
			time.Sleep(time.Millisecond)
		}
		go p.Abandon()
		require.ErrorIs(tc, within(tc, ended, "the end of leadership"), fdbelection.ErrNotLeader)
	})
}

// A callback may call the elector, and may let another goroutine call Stop. If it calls Stop
// itself, which is not allowed, it is only late.
func TestCallbackCallsTheElector(t *testing.T) {
	for name, itself := range map[string]bool{"another goroutine stops": false, "it stops itself": true} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				stopped := make(chan error, 1)
				var p *process
				p = tc.process("a", callbacks(func(c *elector.Callbacks) {
					c.OnElected = func(ctx context.Context, _ elector.Transition) {
						require.NoError(tc, p.IsLeader(ctx))
						require.Equal(tc, "a", p.LeaderID())
						stop := func() { stopped <- p.Stop(tc.Context()) }
						if itself {
							stop()
						} else {
							go stop()
						}
					}
				}))
				require.NoError(tc, p.Start(tc.Context()))
				require.NoError(tc, within(tc, stopped, "Stop"))
				require.True(tc, tc.leader().Vacant())
			})
		})
	}
}

// No callback is called after Stop has returned.
func TestNoCallbackAfterStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var c callLog
		p := tc.process("a", c.all())
		for i := range 20 {
			require.NoError(tc, p.Start(tc.Context()))
			time.Sleep(time.Duration(i) * time.Microsecond)
			if i%2 == 0 {
				p.Abandon()
			}
			p.stop()
			made := len(c.made())
			time.Sleep(lease)
			require.Len(tc, c.made(), made)
			require.Equal(tc, "transition", c.made()[len(c.made())-1])
		}
	})
}
