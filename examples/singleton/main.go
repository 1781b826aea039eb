// Command singleton shows a job that runs in one process at a time. Each step is a fenced
// transaction that also moves a cursor. The next leader continues at the cursor, and when the
// job is done every process leaves. job.go has the job, and main.go runs it in three processes.
//
// All run in this process on the engine in memory, so nothing needs to be set up.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// process is one process with the job.
type process struct {
	*elector.Elector
	begins chan string // each document, before it is indexed
	ended  chan error  // what Run returned
}

func start(ctx context.Context, db kv.Database, id string) (*process, error) {
	el, err := elector.New(db, jobElection, elector.Options{NodeID: id})
	if err != nil {
		return nil, err
	}
	p := &process{Elector: el, begins: make(chan string), ended: make(chan error, 1)}
	j := &job{db: db, documents: 6, begin: func(ctx context.Context, term uint64, document int) error {
		select {
		case p.begins <- fmt.Sprintf("%s indexes document %d in term %d.", id, document, term):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	go func() { p.ended <- el.Run(ctx, j.work) }()
	return p, nil
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	db := memkv.New(memkv.Options{})
	a, err := start(ctx, db, "a")
	if err != nil {
		return err
	}
	for range 3 {
		document, err := a.next(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, document)
	}
	b, err := start(ctx, db, "b")
	if err != nil {
		return err
	}
	if err := a.Stop(ctx); err != nil { // in a service: the end of the context of Run
		return err
	}
	fmt.Fprintln(out, "a has stopped.")
	if err := b.untilDone(ctx, out); err != nil {
		return err
	}
	c, err := start(ctx, db, "c")
	if err != nil {
		return err
	}
	return c.untilDone(ctx, out)
}

// untilDone prints what a process does until it has left.
func (p *process) untilDone(ctx context.Context, out io.Writer) error {
	for {
		document, err := p.next(ctx)
		if errors.Is(err, errLeft) {
			fmt.Fprintf(out, "The job is done. %s has left.\n", p.NodeID())
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, document)
	}
}

var errLeft = errors.New("the process has left the election")

// next waits until the process begins a document. If it has left instead, the error is errLeft.
func (p *process) next(ctx context.Context) (string, error) {
	select {
	case document := <-p.begins:
		return document, nil
	case err := <-p.ended:
		return "", cmp.Or(err, errLeft)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
