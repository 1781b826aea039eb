// Command shards shows workers that share the shards of a group. One worker joins and another one
// leaves. Each shard is led by one worker at a time, and its writes are fenced by the term of the shard.
//
// worker.go has a worker, and main.go runs two of them in this process on the engine in memory, so
// nothing needs to be set up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var names = []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	db := memkv.New(memkv.Options{})
	if err := create(ctx, db, names...); err != nil {
		return err
	}
	r, err := newRouter(ctx, db)
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	start := func(id string) (*worker, error) {
		w, err := newWorker(db, member.Options{ID: id, Tags: map[string]string{"addr": id + ":8080"}})
		if err == nil {
			go func() { ended <- w.Run(ctx, w.work) }()
		}
		return w, err
	}

	a, err := start("a")
	if err != nil {
		return err
	}
	if err := r.show(ctx, out, "a has started", map[string]int{"a:8080": 8}); err != nil {
		return err
	}
	b, err := start("b")
	if err != nil {
		return err
	}
	if err := r.show(ctx, out, "b has joined", map[string]int{"a:8080": 4, "b:8080": 4}); err != nil {
		return err
	}
	if err := a.Stop(ctx); err != nil {
		return err
	}
	if err := r.show(ctx, out, "a has left", map[string]int{"b:8080": 8}); err != nil {
		return err
	}
	if err := errors.Join(b.Stop(ctx), <-ended, <-ended); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := readJournal(ctx, db, name); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "No journal has a gap, or a row of an earlier term after one of a later term.")
	return nil
}

// router knows which worker leads each shard. It takes no part in the group and writes nothing.
type router struct {
	*member.Member
	changed chan struct{}
}

func newRouter(ctx context.Context, db kv.Database) (*router, error) {
	r := &router{changed: make(chan struct{}, 1)}
	var err error
	r.Member, err = member.New(db, tenants, member.Options{OnRoutesChange: func([]string) {
		select {
		case r.changed <- struct{}{}:
		default: // a signal waits already
		}
	}})
	if err != nil {
		return nil, err
	}
	return r, r.Observe(ctx)
}

// show waits until the workers lead as many shards as wanted, and prints that.
func (r *router) show(ctx context.Context, out io.Writer, what string, want map[string]int) error {
	for {
		shares := map[string]int{}
		for _, name := range names {
			if leader, ok := r.Leader(name); ok {
				shares[leader.Tags["addr"]]++
			}
		}
		if maps.Equal(shares, want) {
			fmt.Fprintf(out, "%s, the shards are at %v\n", what, shares)
			return nil
		}
		select {
		case <-r.changed:
		case <-ctx.Done():
			return fmt.Errorf("the shards are at %v instead of %v: %w", shares, want, ctx.Err())
		}
	}
}
