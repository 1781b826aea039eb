package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	demoLease = 3 * time.Second
	// demoDrain is how long the work of a candidate takes to stop.
	demoDrain = 1500 * time.Millisecond
	// demoPayment is the time between two payments.
	demoPayment = 100 * time.Millisecond
	// demoTimeout is how long a chapter waits for each step.
	demoTimeout = 4 * demoLease
	// demoPoll is the time between two reads of the database during such a wait.
	demoPoll = 10 * time.Millisecond
)

// demo is a database in memory, an election in it, and its candidates.
type demo struct {
	*printer
	ctx        context.Context
	clock      elector.Clock
	db         kv.Database
	election   *election.LeaderElection
	ledger     ledger
	candidates map[string]*candidate
	running    sync.WaitGroup
	seen       seen
}

// seen is what earlier chapters have seen, for later ones.
type seen struct {
	first      election.LeaderRecord // the leader of the first chapter
	preempting election.LeaderRecord // it preempted the first one
	successor  election.LeaderRecord // it took over after the crash
	late       kv.OwnedTransaction   // of the leader that crashed
}

func newDemo(ctx context.Context, c elector.Clock, p *printer) *demo {
	space := subspace.New("demo")
	return &demo{
		printer: p, ctx: ctx, clock: c,
		db: memkv.New(memkv.Options{
			Now:   c.Now,
			Sleep: func(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, c, d) },
		}),
		election:   election.New(space.Sub("election")),
		ledger:     ledger{space.Sub("payments")},
		candidates: make(map[string]*candidate),
	}
}

// close ends the candidates that still run.
func (d *demo) close() {
	for _, c := range d.candidates {
		c.crash()
		c.stop()
	}
	d.running.Wait()
	if d.seen.late != nil {
		d.seen.late.Cancel()
	}
}

// demoConfig lets a higher priority challenge as soon as it is registered. The demo
// has no time for a minimum tenure.
func demoConfig() fdbelection.Config {
	c := fdbelection.ConfigWithLease(demoLease)
	c.MinimumTenure, c.PreemptDelay = 0, 0
	return c
}

// candidate is one elector. In production each runs in a process of its own.
type candidate struct {
	elector *elector.Elector
	stop    func() // asks it to leave
	done    chan struct{}
	err     error // the result of Run, valid once done is closed
}

// crash ends the candidate as the crash of its process would.
func (c *candidate) crash() { c.elector.Abandon() }

// campaign starts a candidate.
func (d *demo) campaign(id string, priority int32) error {
	el, err := elector.New(d.db, d.election, elector.Options{
		NodeID: id, Priority: priority, Config: demoConfig(),
		DrainLimit: demoDrain * 2, Clock: d.clock,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(d.ctx))
	c := &candidate{elector: el, stop: stop, done: make(chan struct{})}
	d.candidates[id] = c
	d.running.Go(func() {
		defer close(c.done)
		c.err = el.Run(ctx, d.pay)
	})
	return nil
}

// pay is the work of a leader: payments, one after the other, each fenced. It takes
// demoDrain to stop, or less if the tenure ends before that.
func (d *demo) pay(ctx context.Context, lead *elector.Leadership) error {
	work, cancel := context.WithCancel(lead.LeaseContext())
	defer cancel()
	defer context.AfterFunc(ctx, func() { d.clock.AfterFunc(demoDrain, cancel) })()
	for work.Err() == nil {
		err := d.db.Transact(work, func(tr kv.Transaction) error {
			if err := lead.Fence(tr); err != nil {
				return err
			}
			return d.ledger.add(tr, lead.Token())
		})
		if errors.Is(err, fdbelection.ErrFenced) {
			return err
		}
		if clock.Sleep(work, d.clock, demoPayment) != nil {
			break
		}
	}
	return nil
}

// read runs fn in a read transaction.
func read[T any](d *demo, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	return kv.ReadTransact(d.ctx, d.db, fn)
}

// until reads the leader record until ok accepts it. It returns an error after
// demoTimeout.
func (d *demo) until(expected string, ok func(l election.LeaderRecord) bool) (election.LeaderRecord, error) {
	deadline := d.clock.Now().Add(demoTimeout)
	for {
		leader, err := read(d, d.election.GetLeaderRaw)
		switch {
		case errors.Is(err, fdbelection.ErrNotInitialized): // the first candidate has yet to initialize it
		case err != nil:
			return leader, err
		case ok(leader):
			return leader, nil
		}
		if d.clock.Now().After(deadline) {
			return leader, d.expected(expected+" within "+demoTimeout.String(), leader)
		}
		if err := clock.Sleep(d.ctx, d.clock, demoPoll); err != nil {
			return leader, err
		}
	}
}

// expected returns the error of a failed check.
func (d *demo) expected(what string, found any) error {
	return fmt.Errorf("expected %s; found: %v", what, found)
}

// list joins names with commas and "and".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
