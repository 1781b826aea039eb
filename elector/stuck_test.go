package elector_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/testseed"
)

// hung is a callback that does not return before hold is closed.
type hung struct {
	mu      sync.Mutex
	hold    chan struct{}
	calls   []string // the argument of each call
	running int
	most    int // concurrent calls
}

func newHung() *hung { return &hung{hold: make(chan struct{})} }

func (s *hung) call(what string) {
	s.mu.Lock()
	s.calls = append(s.calls, what)
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	<-s.hold
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
}

func (s *hung) made() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

func (s *hung) ofTransition(_ context.Context, t elector.Transition) {
	s.call(fmt.Sprintf("term %d", t.Term))
}

// callbackErrors returns the reports of callbacks that wait to be read.
func (p *process) callbackErrors() (all []*elector.CallbackError) {
	for len(p.Errors()) > 0 {
		if e, ok := (<-p.Errors()).(*elector.CallbackError); ok { //nolint:errorlint // it is not wrapped
			all = append(all, e)
		}
	}
	return all
}

// vacate disables the election until the process does not lead, and waits until it leads again.
func (p *process) vacate() elector.Transition {
	p.tc.Helper()
	p.tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	p.enters(elector.StateCandidate)
	p.tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	return p.leads()
}

// A callback that does not return is reported once and not called again. When it has returned,
// it is called for the present tenure, and the number of skipped calls is reported.
func TestStuckCallbackIsNotCalledAgain(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		elected := newHung()
		p := tc.begin("a", logTo(&log, slog.LevelWarn), callbacks(func(c *elector.Callbacks) {
			c.OnElected = elected.ofTransition
		}))
		p.leads()
		for range 10 {
			p.vacate()
		}
		time.Sleep(callbackLimit)
		require.Equal(tc, []string{"term 1"}, elected.made())
		reports := p.callbackErrors()
		require.Len(tc, reports, 1)
		require.Equal(tc, "OnElected", reports[0].Callback)
		require.ErrorIs(tc, reports[0], context.DeadlineExceeded)
		require.Equal(tc, 1, strings.Count(strings.Join(log.lines(), "\n"), "OnElected"))

		close(elected.hold)
		synctest.Wait()
		require.True(tc, p.Leading())
		require.Equal(tc, []string{"term 1", "term 11"}, elected.made(), "the callback gets the present tenure")
		reports = p.callbackErrors()
		require.Len(tc, reports, 1)
		require.Equal(tc, 9, reports[0].Skipped)
		require.ErrorContains(tc, reports[0], "9 calls were skipped")
		p.vacate()
		synctest.Wait()
		require.Equal(tc, []string{"term 1", "term 11", "term 12"}, elected.made())
		require.Empty(tc, p.callbackErrors())
	})
}

// When a stuck callback returns, it gets the newest call that it has missed.
func TestNewestCallAfterAStuckOne(t *testing.T) {
	for name, set := range map[string]func(c *elector.Callbacks, s *hung){
		"OnNewLeader": func(c *elector.Callbacks, s *hung) {
			c.OnNewLeader = func(_ context.Context, l elector.LeaderInfo) { s.call(fmt.Sprintf("term %d", l.Term)) }
		},
		"OnLeadershipChange": func(c *elector.Callbacks, s *hung) {
			c.OnLeadershipChange = func(_ context.Context, l elector.LeaderInfo) { s.call(fmt.Sprintf("term %d", l.Term)) }
		},
		"OnTransition": func(c *elector.Callbacks, s *hung) {
			record := c.OnTransition
			c.OnTransition = func(ctx context.Context, t elector.Transition) {
				if t.Term == 1 || len(s.made()) > 0 {
					s.ofTransition(ctx, t)
				}
				record(ctx, t)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				tc.initialize()
				s := newHung()
				p := tc.begin("a", callbacks(func(c *elector.Callbacks) { set(c, s) }))
				tc.until("held", func(l election.LeaderRecord) bool { return l.Term == 1 })
				for term := uint64(2); term < 6; term++ {
					tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
					tc.until("vacant", func(l election.LeaderRecord) bool { return l.Vacant() })
					tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
					tc.until("held", func(l election.LeaderRecord) bool { return l.Term == term && !l.Vacant() })
				}
				time.Sleep(2 * callbackLimit)
				require.Len(tc, s.made(), 1)
				require.Len(tc, p.callbackErrors(), 1)
				close(s.hold)
				synctest.Wait()
				require.Len(tc, s.made(), 2)
				require.Equal(tc, "term 5", s.made()[1])
				require.Equal(tc, name, p.callbackErrors()[0].Callback)
			})
		})
	}
}

// A callback that is stuck when the elector stops is not called by the next session before it
// has returned. It never gets the calls of the old session.
func TestStuckCallbackOutlivesStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		elected, record := newHung(), newHung()
		p := tc.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected, c.OnTransition = elected.ofTransition, record.ofTransition
		}))
		for range 5 {
			tc.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
			time.Sleep(3 * callbackLimit)
			p.stop()
			require.NoError(tc, p.Start(tc.Context()))
		}
		tc.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		require.Len(tc, elected.made(), 1)
		require.Len(tc, record.made(), 1)
		p.stop()
		close(elected.hold)
		close(record.hold)
		synctest.Wait()
		require.Len(tc, elected.made(), 1, "nothing is called after Stop")
		require.Len(tc, record.made(), 1)
		require.NoError(tc, p.Start(tc.Context()))
		tc.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		synctest.Wait()
		require.Equal(tc, []string{"term 1", "term 7"}, elected.made())
		require.Greater(tc, len(record.made()), 1)
	})
}

// The release does not wait for a callback that is still stuck with an earlier loss.
func TestReleaseDoesNotWaitForAStuckCallback(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		demoted := newHung()
		defer close(demoted.hold)
		p := tc.begin("a", callbacks(func(c *elector.Callbacks) { c.OnDemoted = demoted.ofTransition }))
		p.leads()
		p.vacate() // OnDemoted is late
		time.Sleep(heartbeat / 2)
		stopped := time.Now()
		p.stop()
		require.Less(tc, time.Since(stopped), soon)
		require.Len(tc, demoted.made(), 1)
	})
}

// A panic of a late callback is reported.
func TestPanicOfALateCallback(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		elected := newHung()
		p := tc.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(ctx context.Context, t elector.Transition) {
				elected.ofTransition(ctx, t)
				panic("a bug")
			}
		}))
		p.leads()
		time.Sleep(2 * callbackLimit)
		require.Len(tc, p.callbackErrors(), 1)
		close(elected.hold)
		synctest.Wait()
		reports := p.callbackErrors()
		require.Len(tc, reports, 1)
		require.ErrorContains(tc, reports[0], "a bug")
	})
}

// With callbacks that take any time, no callback is called while it runs, and the calls of a
// pair alternate, whatever is skipped.
func TestPairsOfLateCallbacks(t *testing.T) {
	random := testseed.Random(t)
	inCluster(t, func(tc *cluster) {
		var mu sync.Mutex
		running, inside := map[string]int{}, map[string]bool{}
		skipped := 0
		late := func(name, pair string, enters bool) func(context.Context, elector.Transition) {
			return func(context.Context, elector.Transition) {
				mu.Lock()
				if running[name]++; running[name] > 1 {
					tc.Errorf("%s is called while it runs", name)
				}
				if inside[pair] == enters {
					tc.Errorf("%s is called although %s is already %t", name, pair, enters)
				}
				inside[pair] = enters
				length := time.Duration(random.Int64N(int64(3 * callbackLimit)))
				mu.Unlock()
				time.Sleep(length)
				mu.Lock()
				running[name]--
				mu.Unlock()
			}
		}
		p := tc.process("p", callbacks(func(c *elector.Callbacks) {
			c.OnEnterLeader, c.OnLeaveLeader = late("OnEnterLeader", "leader", true), late("OnLeaveLeader", "leader", false)
			c.OnElected, c.OnDemoted = late("OnElected", "elected", true), late("OnDemoted", "elected", false)
			c.OnEnterCandidate, c.OnLeaveCandidate = late("OnEnterCandidate", "candidate", true), late("OnLeaveCandidate", "candidate", false)
		}))
		require.NoError(tc, p.Start(tc.Context()))
		for range 400 {
			mu.Lock()
			pause, enabled := time.Duration(random.Int64N(int64(2*lease))), random.IntN(2) == 0
			restart := random.IntN(20) == 0
			mu.Unlock()
			time.Sleep(pause)
			if restart {
				p.stop()
				require.NoError(tc, p.Start(tc.Context()))
			}
			tc.initialize()
			tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = enabled })
			for _, e := range p.callbackErrors() {
				skipped += e.Skipped
			}
		}
		p.stop()
		time.Sleep(4 * callbackLimit) // until the late calls have returned
		require.NotZero(tc, skipped, "no call was skipped")
		mu.Lock()
		defer mu.Unlock()
		for pair, still := range inside {
			require.False(tc, still, pair)
		}
	})
}
