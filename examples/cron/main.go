// Command cron shows jobs of robfig/cron that run once per cluster. Every process has the same
// timetable, and a job wrapper skips the jobs while the process does not lead.
//
// Two processes run in this one on the engine in memory, so nothing needs to be set up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/robfig/cron/v3"

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

// onLeader is a job wrapper that skips a job while the process does not lead.
func onLeader(el *elector.Elector) cron.JobWrapper {
	return func(job cron.Job) cron.Job {
		return cron.FuncJob(func() {
			if el.Leading() {
				job.Run()
			}
		})
	}
}

// often is a schedule for this example. A service would use AddFunc("0 3 * * *", ...).
type often time.Duration

func (o often) Next(t time.Time) time.Time { return t.Add(time.Duration(o)) }

// host is a process with a timetable.
type host struct {
	*elector.Elector
	cron *cron.Cron
	ran  chan string
}

func newHost(ctx context.Context, db kv.Database, id string) (*host, error) {
	el, err := elector.New(db, election.New(subspace.New("jobs")), elector.Options{NodeID: id})
	if err != nil {
		return nil, err
	}
	h := &host{
		Elector: el,
		cron:    cron.New(cron.WithChain(onLeader(el), cron.SkipIfStillRunning(cron.DiscardLogger))),
		ran:     make(chan string),
	}
	h.cron.Schedule(often(10*time.Millisecond), cron.FuncJob(func() {
		select {
		case h.ran <- fmt.Sprintf("%s runs the job in term %d.", id, el.Term()):
		case <-ctx.Done():
		}
	}))
	h.cron.Start()
	return h, el.Start(ctx)
}

// stop waits for the job that runs, and leaves after that.
func (h *host) stop(ctx context.Context) error {
	done := h.cron.Stop()
	for {
		select {
		case <-h.ran:
		case <-done.Done():
			return h.Stop(ctx)
		}
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	db := memkv.New(memkv.Options{})
	a, err := newHost(ctx, db, "a")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, <-a.ran)
	b, err := newHost(ctx, db, "b")
	if err != nil {
		return err
	}
	for range 2 {
		select {
		case text := <-a.ran:
			fmt.Fprintln(out, text)
		case text := <-b.ran:
			return errors.New("not the leader: " + text)
		}
	}
	if err := a.stop(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "a has stopped.")
	for range 2 {
		fmt.Fprintln(out, <-b.ran)
	}
	return b.stop(ctx)
}
