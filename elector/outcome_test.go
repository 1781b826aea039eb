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

// fates are what may become of a commit whose acknowledgement is lost: whether it
// landed, and whether its client knows that it never will land after all.
var fates = map[string]func(late chan<- *memkv.LateCommit) (before, after hook){
	"landed, and settled": func(chan<- *memkv.LateCommit) (before, after hook) {
		return nil, fail(kv.Error{Code: kv.CodeCommitUnknownResult})
	},
	"landed, and open": func(chan<- *memkv.LateCommit) (before, after hook) {
		return nil, fail(kv.Error{Code: kv.CodeTransactionTimedOut})
	},
	"landed, and the answer hangs": func(chan<- *memkv.LateCommit) (before, after hook) { return nil, hang },
	"never landed, and settled": func(chan<- *memkv.LateCommit) (before, after hook) {
		return fail(kv.Error{Code: kv.CodeCommitUnknownResult}), nil
	},
	"never landed, and open": func(chan<- *memkv.LateCommit) (before, after hook) {
		return fail(kv.Error{Code: kv.CodeClusterVersionChanged}), nil
	},
	"never landed, and hangs": func(chan<- *memkv.LateCommit) (before, after hook) { return hang, nil },
	"lands later": func(late chan<- *memkv.LateCommit) (before, after hook) {
		return func(_ context.Context, c *memkv.Call) error {
			late <- c.Detach()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}, nil
	},
}

// eachFate runs a test once for each fate of the first commit that is wanted.
// lost reports whether it has met it.
func eachFate(t *testing.T, wanted func(tc *cluster) func(c *memkv.Call) bool, test func(tc *cluster, lost func() bool)) {
	t.Helper()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				late := make(chan *memkv.LateCommit, 1)
				before, after := fate(late)
				var lost func() bool
				if before != nil {
					before, lost = once(wanted(tc), before)
					tc.before(before)
				} else {
					after, lost = once(wanted(tc), after)
					tc.after(after)
				}
				test(tc, lost)
				require.True(tc, lost(), "the commit is never made")
				select {
				case l := <-late: // whatever it does, nothing comes of it
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

// A registration that got lost is made again, once.
func TestLostRegistration(t *testing.T) {
	eachFate(t, func(tc *cluster) func(*memkv.Call) bool { return tc.commits("a", "candidates") }, func(tc *cluster, _ func() bool) {
		p := tc.begin("a")
		require.Equal(tc, uint64(1), p.leads().Term)
		require.Len(tc, tc.candidates(), 1)
	})
}

// A claim that got lost is settled before anything is concluded, and costs no
// lease.
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

// A renewal that got lost is made again, in the same term, and nobody notices.
func TestLostRenewal(t *testing.T) {
	wanted := func(tc *cluster) func(*memkv.Call) bool {
		leader, term := tc.commits("a", "leader"), tc.commits("a", "term")
		return func(c *memkv.Call) bool { return leader(c) && !term(c) }
	}
	eachFate(t, wanted, func(tc *cluster, lost func() bool) {
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

// Stopping is tried until it has committed: then nothing of the process can come
// any more.
func TestLostUnregistration(t *testing.T) {
	var leaving atomic.Bool
	wanted := func(*cluster) func(*memkv.Call) bool {
		return func(c *memkv.Call) bool { return leaving.Load() && c.Kind == memkv.CallCommit && c.Client == "a" }
	}
	eachFate(t, wanted, func(tc *cluster, _ func() bool) {
		leaving.Store(false)
		p := tc.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		leaving.Store(true)
		left := time.Now()
		require.Contains(tc, []error{nil}, p.Stop(tc.Context()))
		require.LessOrEqual(tc, time.Since(left), elector.DefaultLeaveLimit)
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
	})
}

// A resignation that got lost is tried again, for the very term.
func TestLostResignation(t *testing.T) {
	var resigning atomic.Bool
	wanted := func(tc *cluster) func(*memkv.Call) bool {
		term := tc.commits("a", "term")
		return func(c *memkv.Call) bool { return resigning.Load() && term(c) }
	}
	eachFate(t, wanted, func(tc *cluster, lost func() bool) {
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

// A hand-over to a challenger that got lost is recognised, or done again.
func TestLostHandOver(t *testing.T) {
	var challenged atomic.Bool
	wanted := func(tc *cluster) func(*memkv.Call) bool {
		term := tc.commits("low", "term")
		return func(c *memkv.Call) bool { return challenged.Load() && term(c) }
	}
	eachFate(t, wanted, func(tc *cluster, lost func() bool) {
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

// A claim that arrives before it was settled is found, and renewed before anybody
// believes in it.
func TestLateClaimIsFound(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		landed := make(chan error, 1)
		claim, _ := once(tc.commits("a", "term"), func(_ context.Context, c *memkv.Call) error {
			late := c.Detach()
			go func() { // before anything else of this process arrives
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
		require.Equal(tc, uint64(2), tc.leader().Ballot, "belief begins with a renewal")
	})
}

// A renewal that arrives after belief in it has ended changes nothing: the next
// tenure has a term of its own.
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
		require.Equal(tc, uint64(2), within(tc, tenures, "another leadership").Term())
	})
}

// Nothing arrives after Stop has returned, whatever was on its way.
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
