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
func eachFate(t *testing.T, wanted func(w *world) func(c *memkv.Call) bool, test func(w *world, lost func() bool)) {
	t.Helper()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				late := make(chan *memkv.LateCommit, 1)
				before, after := fate(late)
				var lost func() bool
				if before != nil {
					before, lost = once(wanted(w), before)
					w.before(before)
				} else {
					after, lost = once(wanted(w), after)
					w.after(after)
				}
				test(w, lost)
				require.True(w, lost(), "the commit is never made")
				select {
				case l := <-late: // whatever it does, nothing comes of it
					before := w.seat()
					_, err := l.Land()
					require.Contains(w, []int{kv.CodeNotCommitted, kv.CodeTransactionTooOld}, kv.CodeOf(err))
					require.Equal(w, before.Token(), w.seat().Token())
					require.Equal(w, before.Vacant(), w.seat().Vacant())
				default:
				}
			})
		})
	}
}

// A registration that got lost is made again, once.
func TestLostRegistration(t *testing.T) {
	eachFate(t, func(w *world) func(*memkv.Call) bool { return w.commits("a", "candidates") }, func(w *world, _ func() bool) {
		p := w.begin("a")
		require.Equal(w, uint64(1), p.leads().Term)
		require.Len(w, w.candidates(), 1)
	})
}

// A claim that got lost is settled before anything is concluded, and costs no
// lease.
func TestLostClaim(t *testing.T) {
	eachFate(t, func(w *world) func(*memkv.Call) bool { return w.commits("a", "term") }, func(w *world, _ func() bool) {
		p := w.begin("a")
		require.Equal(w, uint64(1), p.leads().Term)
		require.Less(w, time.Since(w.start), heartbeat+time.Second)
		require.Equal(w, "a", w.seat().ID)
		require.Equal(w, uint64(1), w.seat().Term)
		time.Sleep(2 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
	})
}

// A renewal that got lost is made again, in the same term, and nobody notices.
func TestLostRenewal(t *testing.T) {
	wanted := func(w *world) func(*memkv.Call) bool {
		leader, term := w.commits("a", "leader"), w.commits("a", "term")
		return func(c *memkv.Call) bool { return leader(c) && !term(c) }
	}
	eachFate(t, wanted, func(w *world, lost func() bool) {
		p := w.begin("a")
		p.leads()
		time.Sleep(2 * heartbeat)
		require.True(w, lost())
		for range 100 {
			time.Sleep(lease / 50)
			require.True(w, p.believes())
		}
		require.Equal(w, uint64(1), w.seat().Term)
	})
}

// Stopping is tried until it has committed: then nothing of the process can come
// any more.
func TestLostDeparture(t *testing.T) {
	var leaving atomic.Bool
	wanted := func(*world) func(*memkv.Call) bool {
		return func(c *memkv.Call) bool { return leaving.Load() && c.Kind == memkv.CallCommit && c.Client == "a" }
	}
	eachFate(t, wanted, func(w *world, _ func() bool) {
		leaving.Store(false)
		p := w.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		leaving.Store(true)
		left := time.Now()
		require.Contains(w, []error{nil}, p.Stop(w.Context()))
		require.LessOrEqual(w, time.Since(left), elector.DefaultLeaveLimit)
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
	})
}

// A resignation that got lost is tried again, for the very term.
func TestLostResignation(t *testing.T) {
	var resigning atomic.Bool
	wanted := func(w *world) func(*memkv.Call) bool {
		term := w.commits("a", "term")
		return func(c *memkv.Call) bool { return resigning.Load() && term(c) }
	}
	eachFate(t, wanted, func(w *world, lost func() bool) {
		resigning.Store(false)
		a, b := w.process("a"), w.process("b")
		lead, err := a.Campaign(w.Context())
		require.NoError(w, err)
		require.NoError(w, b.Start(w.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		resigning.Store(true)
		require.NoError(w, lead.Resign(w.Context()))
		require.True(w, lost())
		require.Equal(w, uint64(2), b.leads().Term)
		time.Sleep(2 * lease)
		require.Equal(w, uint64(2), w.seat().Term)
	})
}

// A hand-over to a challenger that got lost is recognised, or done again.
func TestLostHandOver(t *testing.T) {
	var challenged atomic.Bool
	wanted := func(w *world) func(*memkv.Call) bool {
		term := w.commits("low", "term")
		return func(c *memkv.Call) bool { return challenged.Load() && term(c) }
	}
	eachFate(t, wanted, func(w *world, lost func() bool) {
		challenged.Store(false)
		low := w.begin("low")
		low.leads()
		time.Sleep(heartbeat)
		challenged.Store(true)
		high := w.begin("high", priority(1))
		high.leads()
		require.True(w, lost())
		time.Sleep(2 * lease)
		require.True(w, high.believes())
		require.False(w, low.believes())
		require.Equal(w, "high", w.seat().ID)
		history, err := kv.ReadTransact(w.Context(), w.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
			return w.election.History(tr, 0)
		})
		require.NoError(w, err)
		require.Equal(w, w.seat().Term, history[0].Term)
	})
}

// A claim that arrives before it was settled is found, and renewed before anybody
// believes in it.
func TestLateClaimIsFound(t *testing.T) {
	inWorld(t, func(w *world) {
		landed := make(chan error, 1)
		claim, _ := once(w.commits("a", "term"), func(_ context.Context, c *memkv.Call) error {
			late := c.Detach()
			go func() { // before anything else of this process arrives
				_, err := late.Land()
				landed <- err
			}()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		})
		w.before(claim)
		p := w.begin("a")
		p.leads()
		require.NoError(w, <-landed)
		require.Equal(w, uint64(1), w.seat().Term)
		require.Equal(w, uint64(2), w.seat().Ballot, "belief begins with a renewal")
	})
}

// A renewal that arrives after belief in it has ended changes nothing: the next
// tenure has a term of its own.
func TestRenewalArrivesAfterTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		tenures := p.tenures(nil)
		first := within(w, tenures, "leadership")
		late := make(chan *memkv.LateCommit, 1000)
		w.before(on(memkv.CallCommit, "a", func(_ context.Context, c *memkv.Call) error {
			late <- c.Detach()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}))
		<-first.LeaseContext().Done()
		_, err := (<-late).Land()
		require.NoError(w, err)
		require.Equal(w, uint64(2), w.seat().Ballot)
		require.False(w, p.believes())
		w.before(nil)
		require.Equal(w, uint64(2), within(w, tenures, "another leadership").Term())
	})
}

// Nothing arrives after Stop has returned, whatever was on its way.
func TestNothingArrivesAfterStop(t *testing.T) {
	inWorld(t, func(w *world) {
		late := make(chan *memkv.LateCommit, 1000)
		w.before(on(memkv.CallCommit, "a", func(_ context.Context, c *memkv.Call) error {
			if len(late) < 3 {
				late <- c.Detach()
				return kv.Error{Code: kv.CodeTransactionTimedOut}
			}
			return nil
		}))
		p := w.begin("a")
		within(w, late, "a registration")
		p.stop()
		for len(late) > 0 {
			_, err := (<-late).Land()
			require.Error(w, err)
		}
		w.before(nil)
		w.initialize()
		require.Empty(w, w.candidates())
		require.True(w, w.seat().Vacant())
	})
}
