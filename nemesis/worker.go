package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// How often work acts.
const (
	beliefInterval = 10 * time.Millisecond
	writeInterval  = 20 * time.Millisecond
	readInterval   = 50 * time.Millisecond
)

// lateWrites is how long work goes on writing after its tenure. The fence must refuse that.
const lateWrites = 2 * time.Second

// worker is a process with an elector. It writes down what it believes and does.
type worker struct {
	store, id, dir, name, bug string
	priority                  int32
	rate                      float64

	db    kv.Database
	gate  *gate
	clock *wrongClock
	el    *elector.Elector
	diary *diary
	free  time.Duration // a time at which this process did not lead, after its last tenure
}

func workerCommand() *cobra.Command {
	var w worker
	cmd := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd.InOrStdin()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&w.store, "store", "", "the store")
	flags.StringVar(&w.id, "id", "", "the candidate id")
	flags.StringVar(&w.dir, "dir", "", "the directory of the diary")
	flags.StringVar(&w.name, "name", "", "the name of the diary")
	flags.StringVar(&w.bug, "bug", "", "the planted bug")
	flags.Int32Var(&w.priority, "priority", 0, "the priority")
	flags.Float64Var(&w.rate, "rate", 1, "the rate of the process clock")
	return cmd
}

func (w *worker) run(orders io.Reader) error {
	var err error
	if w.diary, err = openDiary(w.dir, w.name); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	db, closer, err := openStore(w.store)
	if err != nil {
		return err
	}
	defer closer.Close() //nolint:errcheck // the process ends
	w.gate, w.clock, w.free = newGate(db), newWrongClock(w.rate), clock.Boot()
	w.db = w.gate
	role := election.Voter
	if w.bug == bugIdle {
		role = election.Observer
	}
	w.el, err = elector.New(w.db, theElection, elector.Options{
		NodeID: w.id, Priority: w.priority, Role: role, MustExist: true, Clock: w.clock,
		DrainLimit: time.Second, LeaveLimit: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	go w.obey(orders, stop)
	go w.readLeader(ctx)
	return w.el.Run(ctx, w.work)
}

// obey carries out the orders of the nemesis. It stops the worker when the nemesis has ended.
func (w *worker) obey(orders io.Reader, stop func()) {
	defer stop()
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		var verb string
		var value float64
		if _, err := fmt.Sscan(lines.Text(), &verb, &value); err != nil {
			return
		}
		switch verb {
		case orderGate:
			way := gateOrder(value)
			w.gate.set(way == gateCut, way == gateMute, 0)
		case orderDelay:
			w.gate.set(false, false, time.Duration(value))
		case orderRate:
			w.clock.setRate(value)
		case orderStep:
			w.clock.setStep(time.Duration(value))
		case orderPriority:
			w.el.SetPriority(int32(value))
		}
	}
}

// The orders, each with a number.
const (
	orderGate     = "gate"     // gateOrder
	orderDelay    = "delay"    // of each way to the store, in nanoseconds
	orderRate     = "rate"     // of the process clock
	orderStep     = "step"     // of the wall clock, in nanoseconds
	orderPriority = "priority" // of the candidate
)

type gateOrder int

const (
	gateOpen gateOrder = iota
	gateCut
	gateMute
)

// work believes for as long as its lease allows, and writes beside that.
func (w *worker) work(ctx context.Context, lead *elector.Leadership) error {
	token := lead.Token()
	w.diary.write(entry{Kind: claimed, Call: w.free, At: clock.Boot(), Term: token.Term, Ballot: lead.Ballot(), Token: token.Text()})
	defer func() { w.free = clock.Boot() }()
	var fence func(kv.Transaction) error
	if w.bug != bugFence {
		fence = lead.Fence
	}
	writer := &rowWriter{db: w.db, diary: w.diary, name: fmt.Sprintf("%s-%d", w.name, token.Term), term: token.Term, bug: w.bug, fence: fence}
	go writer.run(lead.LeaseContext())
	linger := time.Duration(rand.Int64N(int64(400 * time.Millisecond)))
	if rand.IntN(2) == 0 {
		linger = time.Hour // it uses the lease up to its end
	}
	var told time.Duration // when the work was told to stop
	for {
		at := clock.Boot() // the tenure had begun by then, and the check follows
		if lead.LeaseContext().Err() != nil {
			return nil
		}
		if w.bug != bugFence { // its late work is of another kind
			w.diary.write(entry{Kind: believes, At: at, Term: token.Term})
		}
		if ctx.Err() != nil && told == 0 {
			told = at
		}
		if told != 0 && at-told >= linger {
			return nil
		}
		_ = wait(lead.LeaseContext(), beliefInterval)
	}
}

// readLeader reads the leader record until ctx ends.
func (w *worker) readLeader(ctx context.Context) {
	var cached *election.LeaderRecord
	for ctx.Err() == nil {
		call := clock.Boot()
		limited, cancel := context.WithTimeout(ctx, 2*time.Second)
		leader, err := kv.ReadTransact(limited, w.db, theElection.GetLeaderRaw)
		cancel()
		at := clock.Boot()
		if err == nil && leader.Term > 1 && w.bug == bugStale {
			if cached == nil {
				cached = &leader
			}
			leader = *cached
		}
		if err == nil {
			w.diary.write(leaderEntry(call, at, leader))
		}
		_ = wait(ctx, readInterval)
	}
}

// leaderEntry is the entry of a read of the leader record.
func leaderEntry(call, at time.Duration, leader election.LeaderRecord) entry {
	e := entry{Kind: read, Call: call, At: at, Term: leader.Term, Ballot: leader.Ballot}
	if !leader.Vacant() {
		e.Token = leader.Token().Text()
	}
	return e
}

// rowWriter appends rows in one tenure.
type rowWriter struct {
	db     kv.Database
	diary  *diary
	name   string
	term   uint64
	bug    string
	fence  func(kv.Transaction) error // nil if there is none
	number int64
}

// run writes until the fence refuses a write, or for a while after the lease has ended.
func (w *rowWriter) run(lease context.Context) {
	var ended time.Duration
	for {
		if lease.Err() != nil && ended == 0 {
			ended = clock.Boot()
		}
		if ended != 0 && clock.Boot()-ended > lateWrites {
			return
		}
		if errors.Is(w.write(), fdbelection.ErrFenced) {
			return
		}
		_ = wait(context.Background(), writeInterval)
	}
}

// write appends one row, and writes down what is known about it.
func (w *rowWriter) write() error {
	w.number++
	e := entry{Kind: wrote, Call: clock.Boot(), Term: w.term, Writer: w.name, Number: w.number}
	limited, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := w.db.Transact(limited, func(tr kv.Transaction) (err error) {
		if w.fence != nil {
			if err = w.fence(tr); err != nil {
				return err
			}
		}
		e.Row, err = appendRow(tr, w.term, w.name, w.number)
		return err
	})
	e.At = clock.Boot()
	if err != nil {
		e.Text, e.Kind = err.Error(), unsure
		if kv.OutcomeOf(err) == kv.NotCommitted {
			e.Kind = refused
		}
		if w.bug == bugLost && e.Row > 0 {
			e.Kind = wrote
		}
	}
	w.diary.write(e)
	return err
}
