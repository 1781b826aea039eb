package elector_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// fates are the possible outcomes of a commit whose acknowledgement is lost: whether it has
// committed, and whether the client knows that it cannot commit later.
var fates = map[string]func(late chan<- *memkv.LateCommit) (before, after hook){
	"committed, unknown result": func(chan<- *memkv.LateCommit) (before, after hook) {
		return nil, fail(kv.Error{Code: kv.CodeCommitUnknownResult})
	},
	"committed, unsettled": func(chan<- *memkv.LateCommit) (before, after hook) {
		return nil, fail(kv.Error{Code: kv.CodeTransactionTimedOut})
	},
	"committed, and the answer hangs": func(chan<- *memkv.LateCommit) (before, after hook) { return nil, hang },
	"not committed, unknown result": func(chan<- *memkv.LateCommit) (before, after hook) {
		return fail(kv.Error{Code: kv.CodeCommitUnknownResult}), nil
	},
	"not committed, unsettled": func(chan<- *memkv.LateCommit) (before, after hook) {
		return fail(kv.Error{Code: kv.CodeClusterVersionChanged}), nil
	},
	"not committed, and the call hangs": func(chan<- *memkv.LateCommit) (before, after hook) { return hang, nil },
	"commits later": func(late chan<- *memkv.LateCommit) (before, after hook) {
		return func(_ context.Context, c *memkv.Call) error {
			late <- c.Detach()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}, nil
	},
}

// eachFate runs a test for each fate of the first commit that matches. lost reports whether
// there was such a commit.
func eachFate(t *testing.T, matches func(tc *cluster) func(c *memkv.Call) bool, test func(tc *cluster, lost func() bool)) {
	t.Helper()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				late := make(chan *memkv.LateCommit, 1)
				before, after := fate(late)
				var lost func() bool
				if before != nil {
					before, lost = once(matches(tc), before)
					tc.before(before)
				} else {
					after, lost = once(matches(tc), after)
					tc.after(after)
				}
				test(tc, lost)
				require.True(tc, lost(), "there was no such commit")
				select {
				case l := <-late: // it arrives now, and has no effect
					before := tc.leader()
					_, err := l.Land()
					require.Contains(tc, []int{kv.CodeNotCommitted, kv.CodeTransactionTooOld}, kv.CodeOf(err))
					require.Equal(tc, before.Token(), tc.leader().Token())
					require.Equal(tc, before.Vacant(), tc.leader().Vacant())
				default:
				}
			})
		})
	}
}

// A lost registration is retried and happens once.
func TestLostRegistration(t *testing.T) {
	eachFate(t, func(tc *cluster) func(*memkv.Call) bool { return tc.commits("a", "candidates") }, func(tc *cluster, _ func() bool) {
		p := tc.begin("a")
		require.Equal(tc, uint64(1), p.leads().Term)
		require.Len(tc, tc.candidates(), 1)
	})
}

// A lost claim is settled before anything is concluded, and does not cost a lease.
func TestLostClaim(t *testing.T) {
	eachFate(t, func(tc *cluster) func(*memkv.Call) bool { return tc.commits("a", "term") }, func(tc *cluster, _ func() bool) {
		p := tc.begin("a")
		require.Equal(tc, uint64(1), p.leads().Term)
		require.Less(tc, time.Since(tc.start), heartbeat+time.Second)
		require.Equal(tc, "a", tc.leader().ID)
		require.Equal(tc, uint64(1), tc.leader().Term)
		time.Sleep(2 * lease)
		require.Equal(tc, uint64(1), tc.leader().Term)
	})
}

// A lost renewal is retried in the same term, and leadership is not interrupted.
func TestLostRenewal(t *testing.T) {
	matches := func(tc *cluster) func(*memkv.Call) bool {
		leader, term := tc.commits("a", "leader"), tc.commits("a", "term")
		return func(c *memkv.Call) bool { return leader(c) && !term(c) }
	}
	eachFate(t, matches, func(tc *cluster, lost func() bool) {
		p := tc.begin("a")
		p.leads()
		time.Sleep(2 * heartbeat)
		require.True(tc, lost())
		for range 100 {
			time.Sleep(lease / 50)
			require.True(tc, p.Leading())
		}
		require.Equal(tc, uint64(1), tc.leader().Term)
	})
}

// Stop unregisters until that has committed. After that no earlier commit of the process can
// arrive.
func TestLostUnregistration(t *testing.T) {
	var leaving atomic.Bool
	matches := func(*cluster) func(*memkv.Call) bool {
		return func(c *memkv.Call) bool { return leaving.Load() && c.Kind == memkv.CallCommit && c.Client == "a" }
	}
	eachFate(t, matches, func(tc *cluster, _ func() bool) {
		leaving.Store(false)
		p := tc.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		leaving.Store(true)
		left := time.Now()
		require.Contains(tc, []error{nil}, p.Stop(tc.Context()))
		require.LessOrEqual(tc, time.Since(left), leaveLimit)
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
	})
}

// A lost resignation is retried for the same term.
func TestLostResignation(t *testing.T) {
	var resigning atomic.Bool
	matches := func(tc *cluster) func(*memkv.Call) bool {
		term := tc.commits("a", "term")
		return func(c *memkv.Call) bool { return resigning.Load() && term(c) }
	}
	eachFate(t, matches, func(tc *cluster, lost func() bool) {
		resigning.Store(false)
		a, b := tc.process("a"), tc.process("b")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		resigning.Store(true)
		require.NoError(tc, lead.Resign(tc.Context()))
		require.True(tc, lost())
		require.Equal(tc, uint64(2), b.leads().Term)
		time.Sleep(2 * lease)
		require.Equal(tc, uint64(2), tc.leader().Term)
	})
}

// A lost hand-over to a challenger is recognised or retried.
func TestLostHandOver(t *testing.T) {
	var challenged atomic.Bool
	matches := func(tc *cluster) func(*memkv.Call) bool {
		term := tc.commits("low", "term")
		return func(c *memkv.Call) bool { return challenged.Load() && term(c) }
	}
	eachFate(t, matches, func(tc *cluster, lost func() bool) {
		challenged.Store(false)
		low := tc.begin("low")
		low.leads()
		time.Sleep(heartbeat)
		challenged.Store(true)
		high := tc.begin("high", priority(1))
		high.leads()
		require.True(tc, lost())
		time.Sleep(2 * lease)
		require.True(tc, high.Leading())
		require.False(tc, low.Leading())
		require.Equal(tc, "high", tc.leader().ID)
		history, err := kv.ReadTransact(tc.Context(), tc.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
			return tc.election.History(tr, 0)
		})
		require.NoError(tc, err)
		require.Equal(tc, tc.leader().Term, history[0].Term)
	})
}

// A claim that arrives before it is settled is found. The process leads after it has renewed
// it.
func TestLateClaimIsFound(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		landed := make(chan error, 1)
		claim, _ := once(tc.commits("a", "term"), func(_ context.Context, c *memkv.Call) error {
			late := c.Detach()
			go func() { // before any other call of this process
				_, err := late.Land()
				landed <- err
			}()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		})
		tc.before(claim)
		p := tc.begin("a")
		p.leads()
		require.NoError(tc, <-landed)
		require.Equal(tc, uint64(1), tc.leader().Term)
		require.Equal(tc, uint64(2), tc.leader().Ballot, "the tenure begins with a renewal")
	})
}

// A renewal that arrives after the end deadline changes nothing. The next tenure has a new
// term.
func TestRenewalArrivesAfterTheEnd(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tenures := p.tenures(nil)
		first := within(tc, tenures, "leadership")
		late := make(chan *memkv.LateCommit, 1000)
		tc.before(on(memkv.CallCommit, "a", func(_ context.Context, c *memkv.Call) error {
			late <- c.Detach()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}))
		<-first.LeaseContext().Done()
		_, err := (<-late).Land()
		require.NoError(tc, err)
		require.Equal(tc, uint64(2), tc.leader().Ballot)
		require.False(tc, p.Leading())
		tc.before(nil)
		require.Equal(tc, uint64(2), within(tc, tenures, "the next leadership").Term())
	})
}

// No earlier commit arrives after Stop has returned.
func TestNothingArrivesAfterStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		late := make(chan *memkv.LateCommit, 1000)
		tc.before(on(memkv.CallCommit, "a", func(_ context.Context, c *memkv.Call) error {
			if len(late) < 3 {
				late <- c.Detach()
				return kv.Error{Code: kv.CodeTransactionTimedOut}
			}
			return nil
		}))
		p := tc.begin("a")
		within(tc, late, "a registration")
		p.stop()
		for len(late) > 0 {
			_, err := (<-late).Land()
			require.Error(tc, err)
		}
		tc.before(nil)
		tc.initialize()
		require.Empty(tc, tc.candidates())
		require.True(tc, tc.leader().Vacant())
	})
}
