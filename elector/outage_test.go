package elector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// outage is a store that can be away. Its calls then fail at once, or wait until it is back.
type outage struct {
	waits bool
	back  atomic.Pointer[chan struct{}] // nil: the store is there
}

// options returns the options of the store. Every call takes d.
func (o *outage) options(d time.Duration) memkv.Options {
	options := latency(d)
	before := options.Hooks.Before
	options.Hooks.Before = func(ctx context.Context, call *memkv.Call) error {
		if back := o.back.Load(); back != nil {
			if !o.waits {
				return errDisk
			}
			select {
			case <-*back:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return before(ctx, call)
	}
	return options
}

// lasts takes the store away for d.
func (o *outage) lasts(d time.Duration) {
	back := make(chan struct{})
	o.back.Store(&back)
	time.Sleep(d)
	o.back.Store(nil)
	close(back)
}

// outageCase is an outage for three candidates, after which a tenure begins. The seed decides on
// its phase between two heartbeats, on the latency and on the identities.
type outageCase struct {
	seed      uint64
	length    time.Duration // zero: there is no outage
	waits     bool
	crash     bool // the leader dies
	headStart time.Duration
}

// run returns the leader before and after the outage, and how long after the return of the
// store the new tenure has begun. Without an outage it is how long after the crash.
func (c outageCase) run(t *testing.T) (before, after election.LeaderRecord, took time.Duration) {
	t.Helper()
	inVirtualTime(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(c.seed, 1))
		below := func(d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d))) }
		o := &outage{waits: c.waits}
		f := newCrowd(t, o.options(below(2*time.Millisecond)))
		f.headStart, f.random = c.headStart, rand.NewChaCha8([32]byte{byte(c.seed)})
		config := fdbelection.DefaultConfig()
		f.enter(3, below(config.HeartbeatInterval), config, elector.Callbacks{})
		time.Sleep(2 * config.LeaseDuration)
		phase, dies := below(config.HeartbeatInterval), below(max(c.length, 1))
		if c.crash { // after the others have seen the last renewal, so that its lease ends in the outage
			renewed := f.leader().LeaseExpiry.Add(-config.LeaseDuration)
			phase = min(max(phase, config.HeartbeatInterval/5), config.HeartbeatInterval*4/5)
			time.Sleep(time.Until(renewed.Add(config.HeartbeatInterval)))
		}
		time.Sleep(phase)
		synctest.Wait()
		before = f.leader()
		require.Equal(t, f.electors[0].NodeID(), before.ID)
		if c.crash {
			time.AfterFunc(dies, f.electors[0].Abandon)
		}
		o.lasts(c.length)
		back := time.Now()
		for after = f.leader(); after.Term == before.Term; after = f.leader() {
			time.Sleep(time.Millisecond)
		}
		took = time.Since(back)
		f.leave()
	})
	return before, after, took
}

// The store is away for longer than a lease. The former leader leads again. If its process has
// died, another one leads within the head start.
func TestTheSameLeaderAfterAnOutage(t *testing.T) {
	runs := longtest.Pick[uint64](10, 40)
	headStart := fdbelection.DefaultConfig().HeartbeatInterval
	for _, length := range []time.Duration{12 * time.Second, 120 * time.Second} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, calls wait: %v", length, waits), func(t *testing.T) {
				var same, sameWithout uint64
				var longest, without []time.Duration
				for seed := range runs {
					c := outageCase{seed: seed, length: length, waits: waits}
					before, after, took := c.run(t)
					longest = append(longest, took)
					if before.Identity == after.Identity {
						same++
					} else {
						t.Logf("seed %d: %s, then %s", seed, before, after)
					}
					c.headStart = -1
					if before, after, _ := c.run(t); before.Identity == after.Identity {
						sameWithout++
					}
					c.headStart, c.crash = 0, true
					_, _, took = c.run(t)
					require.LessOrEqual(t, took, headStart+headStart/10, "seed %d", seed)
					without = append(without, took)
				}
				t.Logf("same leader %d of %d within %s, without a head start %d; without the leader's process a successor within %s",
					same, runs, slices.Max(longest), sameWithout, slices.Max(without))
				require.Equal(t, runs, same)
			})
		}
	}
}

// The leader dies, and the store is available. A head start does not change when another
// process leads.
func TestTheHeadStartDoesNotDelayAFailOver(t *testing.T) {
	var with, without []time.Duration
	for seed := range longtest.Pick[uint64](10, 100) {
		c := outageCase{seed: seed, crash: true}
		_, _, took := c.run(t)
		with = append(with, took)
		c.headStart = -1
		_, _, took = c.run(t)
		without = append(without, took)
		require.Equal(t, without[seed], with[seed], "seed %d", seed)
	}
	slices.Sort(with)
	slices.Sort(without)
	t.Logf("p50 and longest: %s and %s, without a head start %s and %s", with[len(with)/2], with[len(with)-1], without[len(without)/2], without[len(without)-1])
}
