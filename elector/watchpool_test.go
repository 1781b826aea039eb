package elector_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// oneProcess returns several electors of one process. They share its client.
func (tc *cluster) oneProcess(n int, settings ...setting) (all []*process) {
	tc.Helper()
	for i := range n {
		id := fmt.Sprintf("p%02d", i)
		tc.mu.Lock()
		tc.clients[id] = tc.clients["p00"]
		tc.mu.Unlock()
		all = append(all, tc.process(id, settings...))
	}
	return all
}

// startAll starts electors and waits until the first leads and the others follow.
func startAll(all []*process) {
	for i, p := range all {
		require.NoError(p.tc, p.Start(p.tc.Context()))
		if i == 0 {
			p.leads()
		} else {
			p.enters(elector.StateFollower)
		}
	}
}

// Electors of one process share one watch for each key, and hand over as fast as with one each.
// The last one to end cancels it.
func TestElectorsOfAProcessShareWatches(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		// One for the term, and one for requests to the leader. Another one would fail.
		tc.db = memkv.New(memkv.Options{MaxWatches: 2})
		all := tc.oneProcess(20)
		startAll(all)
		for term := uint64(2); term < 12; term++ {
			time.Sleep(heartbeat / 2)
			registered := tc.db.Counters().Watches
			tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, term-1, nonce(byte(term))) })
			requested := time.Now()
			tc.until("held again", func(l election.LeaderRecord) bool { return l.Term == term && !l.Vacant() })
			require.Less(tc, time.Since(requested), soon)
			time.Sleep(lease)
			require.LessOrEqual(tc, tc.db.Counters().Watches-registered, int64(8), "not one per elector")
		}
		for _, p := range all {
			p.stop()
			require.Empty(tc, p.Errors())
		}
		other := tc.begin("another process")
		other.leads()
		time.Sleep(lease)
		require.Empty(tc, other.Errors(), "the watches are cancelled")
	})
}

// A watch stays armed for the others if the elector that armed it ends, even while it is being
// armed.
func TestSharedWatchOutlivesTheElectorThatArmedIt(t *testing.T) {
	for name, end := range map[string]func(p *process){
		"stopped":   func(p *process) { p.stop() },
		"abandoned": func(p *process) { p.Abandon() },
	} {
		for _, arming := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, arming: %t", name, arming), func(t *testing.T) {
				inCluster(t, func(tc *cluster) {
					tc.begin("leader").leads()
					all := tc.oneProcess(3)
					if arming {
						tc.before(on(memkv.CallWatch, "p00", delayed(step)))
					}
					for _, p := range all {
						require.NoError(tc, p.Start(tc.Context()))
						p.enters(elector.StateFollower)
					}
					time.Sleep(step)
					armed := tc.db.Counters().Watches
					end(all[0])
					ballot := tc.leader().Ballot
					tc.until("renewed", func(l election.LeaderRecord) bool { return l.Ballot > ballot })
					require.Equal(tc, armed, tc.db.Counters().Watches, "no watch is armed again")
					tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
					time.Sleep(3 * step) // the ended elector has the highest rank
					require.EqualValues(tc, 2, tc.leader().Term)
					require.NotEqual(tc, "leader", tc.leader().ID, "the last leader has the lowest rank")
				})
			})
		}
	}
}

// An elector that waits for a watch may end while another one arms it. The race detector checks
// that they do not use the watch at the same time.
func TestAnElectorEndsWhileAnotherArmsTheSharedWatch(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("leader").leads()
		all := tc.oneProcess(2)
		tc.before(on(memkv.CallWatch, "p00", delayed(step)))
		for _, p := range all {
			require.NoError(tc, p.Start(tc.Context()))
		}
		time.Sleep(step / 2)
		all[1].Abandon()
		all[0].enters(elector.StateFollower)
		time.Sleep(2 * step)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		all[0].leads()
	})
}

// Failures of watches are logged a few times an hour, with the number of skipped records. The
// watches are armed at a falling rate. Each elector polls meanwhile.
func TestFailingWatchesDoNotFloodTheLog(t *testing.T) {
	for name, test := range map[string]struct{ before, after hook }{
		"too many": {before: fail(kv.Error{Code: kv.CodeTooManyWatches})},
		"later":    {after: notifyAfter(kv.Error{Code: kv.CodeClusterVersionChanged})},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				electors := longtest.Pick(4, 10)
				armed := tc.disturbWatches(test.before, test.after)
				var log journal
				all := tc.oneProcess(electors, logTo(&log, slog.LevelWarn), withoutTransitions)
				for _, p := range all {
					require.NoError(tc, p.Start(tc.Context()))
				}
				time.Sleep(59 * time.Minute)
				lines := log.lines()
				require.LessOrEqual(tc, len(lines), 4, strings.Join(lines, "\n"))
				require.Contains(tc, lines[0], "skipped=0")
				require.Regexp(tc, "skipped=[1-9]", lines[len(lines)-1])
				// A back-off from 2 s to 5 min makes about 19 armings for each elector and kind. Ten
				// electors share most of them. Without sharing there would be 380.
				require.LessOrEqual(tc, armed.of("p00"), 100)
				require.EqualValues(tc, 1, tc.leader().Term)

				for _, p := range all {
					require.LessOrEqual(tc, len(p.Errors()), 2, "each kind is reported once")
				}
				tc.transact(func(tr kv.Transaction) error {
					return tc.election.RequestResign(tr, 1, nonce(1))
				})
				requested := time.Now()
				tc.until("handed over", func(l election.LeaderRecord) bool { return l.Term == 2 })
				require.LessOrEqual(tc, time.Since(requested), 2*heartbeat+2*step, "by polling")
				tc.before(nil)
				tc.after(nil)
			})
		})
	}
}

// unhashable is a database that cannot be a map key.
type unhashable struct {
	kv.Database
	_ []int
}

// A database whose type cannot be compared works too. Its watches are not shared.
func TestDatabaseThatCannotBeCompared(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		for _, id := range []string{"a", "b"} {
			el, err := elector.New(unhashable{Database: tc.client("p")}, tc.election, elector.Options{NodeID: id, Config: tc.config})
			require.NoError(tc, err)
			require.NoError(tc, el.Start(tc.Context()))
			time.Sleep(time.Second)
			require.NoError(tc, el.IsLeader(tc.Context()))
			require.NoError(tc, el.Stop(tc.Context()))
		}
	})
}

// lateTimers is a clock whose timers have fired just before they are stopped.
type lateTimers struct{ elector.Clock }

func (c lateTimers) AfterFunc(d time.Duration, f func()) elector.Timer {
	return &lateTimer{Timer: c.Clock.AfterFunc(d, f), fire: sync.OnceFunc(f)}
}

type lateTimer struct {
	elector.Timer
	fire func()
}

func (t *lateTimer) Stop() bool {
	if t.Timer.Stop() {
		go t.fire()
	}
	return false
}

// The time limit of arming does not end a watch that is armed, even if it passes at the same
// time.
func TestLimitOfArmingSparesAnArmedWatch(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var armed counter
		tc.after(armed.hook(memkv.CallWatch))
		tc.begin("a").leads()
		tc.begin("b", func(p *process, o *elector.Options) { o.Clock = lateTimers{p.clock} }).enters(elector.StateFollower)
		time.Sleep(100 * heartbeat)
		require.LessOrEqual(tc, armed.of("b"), 2)
	})
}

// A watch that has failed once is armed again after a heartbeat.
func TestWatchIsArmedAgainAfterAFailure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		all := tc.oneProcess(3)
		startAll(all)
		time.Sleep(lease)
		var failed atomic.Int32
		armed := tc.disturbWatches(func(context.Context, *memkv.Call) error {
			if failed.Add(1) > 2 {
				return nil
			}
			return kv.Error{Code: kv.CodeClusterVersionChanged}
		}, nil)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		tc.until("held again", func(l election.LeaderRecord) bool { return l.Term == 2 && !l.Vacant() })
		time.Sleep(2*heartbeat + step)
		require.Greater(tc, armed.of("p00"), 2)
		ballot := tc.leader().Ballot
		tc.until("renewed", func(l election.LeaderRecord) bool { return l.Ballot > ballot })
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 2, nonce(2)) })
		requested := time.Now()
		tc.until("held again", func(l election.LeaderRecord) bool { return l.Term == 3 && !l.Vacant() })
		require.Less(tc, time.Since(requested), step)
	})
}
