package elector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestChaos runs four processes on a database that loses answers, lets commits arrive late,
// and cuts processes off for longer than a lease. The processes are suspended, crash, leave
// and come back, on clocks with different rates. It checks that two of them never lead at the
// same instant, that no work begins before the work of the process's last tenure has
// returned, that each term has one holder, and that one process leads after the faults.
func TestChaos(t *testing.T) {
	for range longtest.Pick(1, 3) {
		seed := testseed.Draw(t)
		inCluster(t, func(tc *cluster) { newChaos(tc, seed).run() })
	}
}

// chaos injects random faults. Goroutines run in any order, so one seed does not always give
// the same run.
type chaos struct {
	*cluster
	mu      sync.Mutex
	random  *rand.Rand
	cutOff  map[string]time.Time // until when a process cannot reach the database
	working map[string]int
	holders map[uint64]string
	errs    []string
}

func newChaos(tc *cluster, seed uint64) *chaos {
	return &chaos{
		cluster: tc, random: rand.New(rand.NewPCG(seed, 1)), cutOff: make(map[string]time.Time),
		working: make(map[string]int), holders: make(map[uint64]string),
	}
}

func (c *chaos) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.random.Int64N(int64(d)))
}

func (c *chaos) enter(id string) *process {
	p := c.process(id, priority(int32(c.upTo(3))), withoutTransitions)
	p.clock.setRate(0.97 + float64(c.upTo(61))/1000)
	p.run(c.Context(), func(ctx context.Context, lead *elector.Leadership) error { return c.work(ctx, id, lead) })
	return p
}

// work returns at a random time after the end of its context, or at the end of the lease.
func (c *chaos) work(ctx context.Context, id string, lead *elector.Leadership) error {
	c.mu.Lock()
	token := lead.Token().String()
	if holder, taken := c.holders[lead.Term()]; taken && holder != token {
		c.errs = append(c.errs, fmt.Sprintf("term %d: held by %s and by %s", lead.Term(), holder, token))
	}
	c.holders[lead.Term()] = token
	if c.working[id]++; c.working[id] > 1 {
		c.errs = append(c.errs, id+" works twice")
	}
	c.mu.Unlock()
	<-ctx.Done()
	select {
	case <-lead.LeaseContext().Done():
	case <-time.After(c.upTo(lease)):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working[id]--
	return nil
}

func (c *chaos) run() {
	ids := []string{"a", "b", "c", "d"}
	processes := make(map[string]*process)
	for _, id := range ids {
		processes[id] = c.enter(id)
	}
	c.before(c.faultBefore)
	c.after(c.faultAfter)
	for range 120 {
		for range 20 + c.upTo(60) {
			time.Sleep(lease / 80)
			c.countLeaders(processes)
		}
		id := ids[c.upTo(4)]
		p := processes[id]
		switch c.upTo(5) {
		case 0, 1:
			until := time.Now().Add(c.upTo(3 * lease))
			c.mu.Lock()
			c.cutOff[id] = until
			c.mu.Unlock()
		case 2:
			p.Abandon()
			waitForEnd(p.result)
			processes[id] = c.enter(id)
		case 3:
			_ = p.Stop(c.Context())
			waitForEnd(p.result)
			processes[id] = c.enter(id)
		case 4:
			if p.Leading() { // a follower would take over too early, see suspend
				p.clock.suspend(c.upTo(2 * lease))
			}
		}
	}
	c.before(nil)
	c.after(nil)
	require.True(c, c.settles(processes), "there is one leader after the faults")
	require.Equal(c, processes[c.leader().ID].Term(), c.leader().Term)
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(c, c.errs)
	require.Greater(c, len(c.holders), 10, "too few tenures")
}

// settles reports whether one process leads for two leases without a break, within 20 leases.
// Leadership may have to pass to the highest priority first, and the work of each former
// leader takes time to stop.
func (c *chaos) settles(processes map[string]*process) bool {
	steady := 0
	for range 20 * 80 {
		time.Sleep(lease / 80)
		if c.countLeaders(processes) == 1 {
			steady++
		} else {
			steady = 0
		}
		if steady == 2*80 {
			return true
		}
	}
	return false
}

// countLeaders returns how many processes lead, and records an error if there are several.
func (c *chaos) countLeaders(processes map[string]*process) int {
	var leaders []string
	for id, p := range processes {
		if p.Leading() {
			leaders = append(leaders, fmt.Sprint(id, " in ", p.Term()))
		}
	}
	if len(leaders) > 1 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.errs = append(c.errs, fmt.Sprintf("at %s: %v", time.Since(c.start), leaders))
	}
	return len(leaders)
}

// wait delays a call until the process is not cut off any more, and sometimes for a short
// time.
func (c *chaos) wait(ctx context.Context, client string) error {
	c.mu.Lock()
	pause := time.Until(c.cutOff[client])
	c.mu.Unlock()
	if pause <= 0 && c.upTo(20) == 0 {
		pause = c.upTo(heartbeat)
	}
	if pause <= 0 {
		return nil
	}
	return delayed(pause)(ctx, nil)
}

func (c *chaos) faultBefore(ctx context.Context, call *memkv.Call) error {
	if call.Kind != memkv.CallCommit {
		if c.upTo(100) == 0 {
			return kv.Error{Code: kv.CodeProcessBehind}
		}
		return c.wait(ctx, call.Client)
	}
	switch c.upTo(40) {
	case 0: // the commit arrives after the caller has given up
		late := call.Detach()
		time.AfterFunc(1+c.upTo(5*time.Second), func() { _, _ = late.Land() })
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	case 1:
		return kv.Error{Code: kv.CodeCommitUnknownResult}
	case 2:
		return kv.Error{Code: kv.CodeNotCommitted}
	}
	if err := c.wait(ctx, call.Client); err != nil {
		late := call.Detach()
		time.AfterFunc(1+c.upTo(time.Second), func() { _, _ = late.Land() })
		return err
	}
	return nil
}

func (c *chaos) faultAfter(ctx context.Context, call *memkv.Call) error {
	if call.Kind == memkv.CallCommit {
		switch c.upTo(40) {
		case 0:
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		case 1:
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		case 2:
			return kv.Error{Code: kv.CodeClusterVersionChanged}
		}
	}
	return c.wait(ctx, call.Client)
}

// waitForEnd waits until Run has returned and ignores its error.
func waitForEnd(result <-chan error) {
	err := <-result
	_ = err
}
