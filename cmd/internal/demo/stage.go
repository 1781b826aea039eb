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
	// demoBooking is the time between two payments.
	demoBooking = 100 * time.Millisecond
	// demoPatience is how long a chapter waits for what it tells.
	demoPatience = 4 * demoLease
	// demoLook is how often the stage looks into the database meanwhile.
	demoLook = 10 * time.Millisecond
)

// stage is a database in memory, an election in it, and the candidates.
type stage struct {
	*narrator
	ctx      context.Context
	clock    elector.Clock
	db       kv.Database
	election *election.LeaderElection
	ledger   ledger
	actors   map[string]*actor
	running  sync.WaitGroup
	cast     cast
}

// cast is what one chapter leaves to the next.
type cast struct {
	first election.LeaderRecord // the leader of the first chapter
	fifth election.LeaderRecord // the one that preempted it
	heir  election.LeaderRecord // the one that took over after the crash
	late  kv.OwnedTransaction
}

func newStage(ctx context.Context, c elector.Clock, n *narrator) *stage {
	space := subspace.New("demo")
	return &stage{
		narrator: n, ctx: ctx, clock: c,
		db: memkv.New(memkv.Options{
			Now:   c.Now,
			Sleep: func(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, c, d) },
		}),
		election: election.New(space.Sub("election")),
		ledger:   ledger{space.Sub("payments")},
		actors:   make(map[string]*actor),
	}
}

// close ends whoever is still on the stage.
func (s *stage) close() {
	for _, actor := range s.actors {
		actor.crash()
		actor.stop()
	}
	s.running.Wait()
	if s.cast.late != nil {
		s.cast.late.Cancel()
	}
}

// demoConfig lets a higher priority challenge as soon as it has come: the story
// has no time for a minimum tenure.
func demoConfig() fdbelection.Config {
	c := fdbelection.ConfigWithLease(demoLease)
	c.MinimumTenure, c.PreemptDelay = 0, 0
	return c
}

// actor is one candidate, as a process would be.
type actor struct {
	elector *elector.Elector
	stop    func() // asks it to leave
	done    chan struct{}
	err     error // with which it ended, once done
}

// crash ends it as the death of its process would.
func (a *actor) crash() { a.elector.Abandon() }

// enter has a candidate campaign.
func (s *stage) enter(id string, priority int32) error {
	el, err := elector.New(s.db, s.election, elector.Options{
		NodeID: id, Priority: priority, Config: demoConfig(),
		DrainLimit: demoDrain * 2, Clock: s.clock,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	a := &actor{elector: el, stop: stop, done: make(chan struct{})}
	s.actors[id] = a
	s.running.Go(func() {
		defer close(a.done)
		a.err = el.Run(ctx, s.book)
	})
	return nil
}

// book is the work of a leader: payments, one after the other, each fenced. It
// takes its time to stop, as long as the lease allows it.
func (s *stage) book(ctx context.Context, lead *elector.Leadership) error {
	work, cancel := context.WithCancel(lead.LeaseContext())
	defer cancel()
	defer context.AfterFunc(ctx, func() { s.clock.AfterFunc(demoDrain, cancel) })()
	for work.Err() == nil {
		err := s.db.Transact(work, func(tr kv.Transaction) error {
			if err := lead.Fence(tr); err != nil {
				return err
			}
			return s.ledger.book(tr, lead.Token())
		})
		if errors.Is(err, fdbelection.ErrFenced) {
			return err
		}
		if clock.Sleep(work, s.clock, demoBooking) != nil {
			break
		}
	}
	return nil
}

// ask reads the database.
func ask[T any](s *stage, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	return kv.ReadTransact(s.ctx, s.db, fn)
}

// until looks at the seat until it is as expected, or patience is at its end.
func (s *stage) until(expected string, as func(l election.LeaderRecord) bool) (election.LeaderRecord, error) {
	deadline := s.clock.Now().Add(demoPatience)
	for {
		leader, err := ask(s, s.election.GetLeaderRaw)
		switch {
		case errors.Is(err, fdbelection.ErrNotInitialized): // nobody has come yet
		case err != nil:
			return leader, err
		case as(leader):
			return leader, nil
		}
		if s.clock.Now().After(deadline) {
			return leader, s.expected(expected+" within "+demoPatience.String(), leader)
		}
		if err := clock.Sleep(s.ctx, s.clock, demoLook); err != nil {
			return leader, err
		}
	}
}

// expected is the error of a chapter: what should be, and what is.
func (s *stage) expected(what string, is any) error {
	return fmt.Errorf("expected %s; the database has: %v", what, is)
}

// list joins names as in a sentence.
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
