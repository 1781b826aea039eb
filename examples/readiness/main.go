// Command readiness shows two processes of a service that may lead only with a warm cache.
// The second one starts with a cold cache and stays out. When the first one loses its cache,
// it stops its work, and the second one leads within milliseconds.
//
// Both run in this process on the engine in memory, so nothing needs to be set up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// service is one process of the service.
type service struct {
	*elector.Elector
	warm  atomic.Bool      // its cache
	leads chan tenureBegan // sent when it leads
}

type tenureBegan struct {
	term uint64
	at   time.Time
}

func newService(db kv.Database, name string, warm bool) (*service, error) {
	s := &service{leads: make(chan tenureBegan, 8)}
	s.warm.Store(warm)
	var err error
	s.Elector, err = elector.New(db, election.New(subspace.New("payments")), elector.Options{
		NodeID:        name,
		Ready:         s.ready,
		ReadyInterval: 100 * time.Millisecond,
	})
	return s, err
}

// ready is the readiness check. The text of its error is stored for others to read.
func (s *service) ready(context.Context) error {
	if s.warm.Load() {
		return nil
	}
	return errors.New("the cache is cold")
}

// work leads until it is told to stop.
func (s *service) work(ctx context.Context, lead *elector.Leadership) error {
	s.leads <- tenureBegan{lead.Term(), time.Now()}
	<-ctx.Done() // stop at once: leadership is released when this function returns
	return nil
}

func run(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	db := memkv.New(memkv.Options{})
	a, err := newService(db, "a", true)
	if err != nil {
		return err
	}
	b, err := newService(db, "b", false)
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- a.Run(ctx, a.work) }()
	fmt.Fprintf(out, "a leads in term %d.\n", (<-a.leads).term)

	go func() { ended <- b.Run(ctx, b.work) }()
	if err := until(ctx, b, func(c *election.Candidate) bool { return !c.Ready() && c.NotReady == "the cache is cold" }); err != nil {
		return err
	}
	fmt.Fprintln(out, "b is listed and not ready: the cache is cold.")

	b.warm.Store(true)
	if err := until(ctx, b, (*election.Candidate).Ready); err != nil {
		return err
	}
	fmt.Fprintln(out, "b is ready.")

	lost := time.Now()
	a.warm.Store(false)
	next := <-b.leads
	fmt.Fprintf(out, "a has lost its cache. b leads in term %d, %s later.\n", next.term, next.at.Sub(lost).Round(time.Millisecond))
	if err := until(ctx, a, func(c *election.Candidate) bool { return !c.Ready() }); err != nil {
		return err
	}
	fmt.Fprintln(out, "a stays listed and not ready.")
	stop()
	return errors.Join(<-ended, <-ended)
}

// until waits until the candidate record of a process is as wanted.
func until(ctx context.Context, s *service, wanted func(*election.Candidate) bool) error {
	for {
		state, err := s.ReadClusterState(ctx)
		if err != nil {
			return err
		}
		for i := range state.Voters {
			if c := &state.Voters[i].Candidate; c.ID == s.NodeID() && wanted(c) {
				return nil
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the record of %s is never as expected: %w", s.NodeID(), ctx.Err())
		}
	}
}
