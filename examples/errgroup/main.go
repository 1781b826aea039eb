// Command errgroup shows two processes whose goroutines are in an errgroup: an elector, and a
// component that runs all the time. When a component of the leader fails, its elector leaves, and
// the other process leads.
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

	"golang.org/x/sync/errgroup"

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

// process runs an elector and a component until one of them fails or ctx ends.
func process(ctx context.Context, db kv.Database, id string, work func(context.Context, *elector.Leadership) error,
	component func(context.Context) error,
) error {
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{NodeID: id})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return el.Run(ctx, work) })
	group.Go(func() error { return component(ctx) })
	return group.Wait() // after the elector has left
}

func run(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	db := memkv.New(memkv.Options{})
	leads, fails, ended := make(chan string), make(chan error, 1), make(chan error, 1)
	work := func(id string) func(context.Context, *elector.Leadership) error {
		return func(ctx context.Context, lead *elector.Leadership) error {
			leads <- fmt.Sprintf("%s leads in term %d.", id, lead.Term())
			<-ctx.Done()
			return nil
		}
	}
	go func() {
		ended <- process(ctx, db, "a", work("a"), func(context.Context) error { return <-fails })
	}()
	fmt.Fprintln(out, <-leads)
	other := make(chan error, 1)
	go func() {
		other <- process(ctx, db, "b", work("b"), func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
	}()

	fails <- errors.New("the connection to the bank is closed")
	fmt.Fprintln(out, "a has ended:", <-ended)
	fmt.Fprintln(out, <-leads)
	stop()
	err := <-other
	fmt.Fprintln(out, "b has ended:", err)
	return err
}
