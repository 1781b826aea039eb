package campaign_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

var chaosSeed = flag.Uint64("chaos.seed", 0, "seed of TestChaos; 0 draws some")

// TestChaos has four processes campaign on a database that loses answers, lets
// commits arrive late, and leaves single processes waiting for longer than a
// lease; processes crash, leave and come back. No two of them ever believe at
// the same instant that they lead, each term has one holder, and once all is
// well again there is one leader.
func TestChaos(t *testing.T) {
	seeds := []uint64{*chaosSeed}
	if *chaosSeed == 0 {
		seeds = seeds[:0]
		for range 4 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("replay: go test -run TestChaos ./internal/cli/campaign -chaos.seed=%d", seed)
			inWorld(t, func(w *world) { newChaos(w, seed).run() })
		})
	}
}

// chaos decides by chance what happens to whom. As goroutines run in any
// order, a seed gives the same odds, and not always the same run.
type chaos struct {
	*world
	mu      sync.Mutex
	random  *rand.Rand
	cutOff  map[string]time.Time // until when a process hears nothing
	tenures map[*campaign.Tenure]string
	holders map[uint64]string
	errs    []string
}

func newChaos(w *world, seed uint64) *chaos {
	return &chaos{
		world: w, random: rand.New(rand.NewPCG(seed, 1)), cutOff: make(map[string]time.Time),
		tenures: make(map[*campaign.Tenure]string), holders: make(map[uint64]string),
	}
}

func (c *chaos) chance(percent int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(100) < percent
}

func (c *chaos) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.random.Int64N(int64(d)))
}

func (c *chaos) run() {
	ids := []string{"a", "b", "c", "d"}
	processes := make(map[string]*process)
	enter := func(id string) { processes[id] = c.campaign(id, priority(int32(c.upTo(3))), c.lazy(id)) }
	for _, id := range ids {
		enter(id)
	}
	done := make(chan struct{})
	go c.observe(done)
	c.before(c.faultBefore)
	c.after(c.faultAfter)
	for range 150 {
		time.Sleep(c.upTo(lease))
		id := ids[c.upTo(4)]
		switch c.upTo(4) {
		case 0, 1:
			c.mu.Lock()
			c.cutOff[id] = time.Now().Add(time.Duration(c.random.Int64N(int64(3 * lease))))
			c.mu.Unlock()
		case 2:
			processes[id].crash()
			<-processes[id].done
			enter(id)
		case 3:
			processes[id].leave()
			<-processes[id].done
			enter(id)
		}
	}
	c.before(nil)
	c.after(nil)
	time.Sleep(5 * lease)
	leader := c.leader()
	require.False(c, leader.Vacant())
	require.True(c, c.believed(leader))
	close(done)
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(c, c.errs)
	require.Greater(c, len(c.holders), 20)
}

// lazy is work that stops when it likes, and at the latest when it must.
func (c *chaos) lazy(id string) setting {
	return work(func(t *campaign.Tenure) error {
		c.mu.Lock()
		c.tenures[t] = id
		term := t.Token().Term
		if holder, taken := c.holders[term]; taken {
			c.errs = append(c.errs, fmt.Sprintf("term %d: held by %s and by %s", term, holder, t.Token()))
		}
		c.holders[term] = t.Token().String()
		c.mu.Unlock()
		<-t.Stopping()
		select {
		case <-t.Overdue():
		case <-time.After(c.upTo(lease)):
		}
		return nil
	})
}

// observe looks every few milliseconds who believes to lead.
func (c *chaos) observe(done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
		c.mu.Lock()
		var believers []string
		for t := range c.tenures {
			if t.Leads() {
				believers = append(believers, t.Token().String())
			} else {
				delete(c.tenures, t)
			}
		}
		if len(believers) > 1 {
			c.errs = append(c.errs, fmt.Sprintf("at %s: %v", time.Since(c.start), believers))
		}
		c.mu.Unlock()
	}
}

func (c *chaos) believed(leader election.Leader) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.tenures {
		if t.Token() == leader.Token() && t.Leads() {
			return true
		}
	}
	return false
}

// wait holds a call up until a process is no longer cut off, and for a while
// now and then.
func (c *chaos) wait(ctx context.Context, client string) error {
	c.mu.Lock()
	pause := time.Until(c.cutOff[client])
	c.mu.Unlock()
	if pause <= 0 && c.chance(5) {
		pause = c.upTo(heartbeat)
	}
	if pause <= 0 {
		return nil
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *chaos) faultBefore(ctx context.Context, call *memkv.Call) error {
	if call.Client == "" { // the test's own
		return nil
	}
	if call.Kind != memkv.CallCommit {
		if c.chance(1) {
			return kv.Error{Code: kv.CodeProcessBehind}
		}
		return c.wait(ctx, call.Client)
	}
	switch c.upTo(40) {
	case 0: // it arrives later than anybody waits for it
		late := call.Detach()
		time.AfterFunc(c.upTo(5*time.Second), func() { _, _ = late.Land() })
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	case 1:
		return kv.Error{Code: kv.CodeCommitUnknownResult}
	case 2:
		return kv.Error{Code: kv.CodeNotCommitted}
	}
	if err := c.wait(ctx, call.Client); err != nil {
		late := call.Detach()
		time.AfterFunc(c.upTo(time.Second), func() { _, _ = late.Land() })
		return err
	}
	return nil
}

func (c *chaos) faultAfter(ctx context.Context, call *memkv.Call) error {
	if call.Client == "" {
		return nil
	}
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
