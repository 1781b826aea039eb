package fdbkv_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/electortest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// lease is the lease of the tests' elections. It is short enough to wait for, and longer
// than a recovery of a database with one process.
const lease = 5 * time.Second

// newElector returns an elector on a separate connection and a channel that is closed
// when it is first elected.
func newElector(t testing.TB, space subspace.Subspace, id string) (*elector.Elector, <-chan struct{}) {
	t.Helper()
	elected := make(chan struct{})
	var once atomic.Bool
	el, err := elector.New(fdbkv.FromDatabase(raw(t)), election.New(space), elector.Options{
		NodeID: id,
		Config: fdbelection.ConfigWithLease(lease),
		Callbacks: elector.Callbacks{OnElected: func(context.Context, elector.Transition) {
			if once.CompareAndSwap(false, true) {
				close(elected)
			}
		}},
	})
	require.NoError(t, err)
	return el, elected
}

// TestElectors runs the suite of the electors on the real database. Each process has its
// own connection.
func TestElectors(t *testing.T) {
	electortest.Run(t, electortest.Engine{
		Name:   "FoundationDB",
		Prefix: []byte(testPrefix),
		Open: func(t testing.TB) func() kv.Database {
			return func() kv.Database { return fdbkv.FromDatabase(raw(t)) }
		},
	})
}

// TestElectorOutlastsARestart: fenced work continues after the database has restarted.
// No step of it is lost or done twice.
func TestElectorOutlastsARestart(t *testing.T) {
	p := prefix(t)
	binding, counter := raw(t), below(p, "counter")
	el, elected := newElector(t, subspace.FromBytes(below(p, "election/")), "one")
	db := open(t, fdbkv.Options{})
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	defer stop()
	work := &fencedWork{db: db, counter: counter}
	ran := background(func() error { return el.Run(ctx, work.run) })
	within(t, patience, elected)
	for range 2 {
		work.goesOn(t)
		reboot(t, binding)
	}
	work.goesOn(t)
	stop()
	require.NoError(t, await(t, ran))
	t.Logf("%d steps in %d tenures across two restarts", work.steps.Load(), work.tenures.Load())
	require.NoError(t, work.check(t.Context()))
}

// fencedWork increments a counter under leadership, each step once. If the acknowledgement
// of a step is lost, it detects whether the step was done.
type fencedWork struct {
	db             kv.Database
	counter        []byte
	steps, tenures atomic.Int64
	limit          int64 // number of steps, or zero for no limit
}

// run is the work of one tenure.
func (w *fencedWork) run(ctx context.Context, lead *elector.Leadership) error {
	w.tenures.Add(1)
	for ctx.Err() == nil && (w.limit == 0 || w.steps.Load() < w.limit) {
		n := w.steps.Load()
		if w.db.Transact(ctx, func(tr kv.Transaction) error {
			if err := lead.Fence(tr); err != nil {
				return err
			}
			value, err := tr.Get(w.counter).Get()
			if err != nil {
				return err
			}
			if at, _ := strconv.ParseInt(string(value), 10, 64); at > n {
				return nil // the previous run has done it
			}
			tr.Set(w.counter, strconv.AppendInt(nil, n+1, 10))
			return nil
		}) == nil {
			w.steps.Add(1)
		}
	}
	return nil
}

// goesOn waits for a hundred more steps.
func (w *fencedWork) goesOn(t testing.TB) {
	t.Helper()
	reached := w.steps.Load() + 100
	require.Eventually(t, func() bool { return w.steps.Load() >= reached }, 2*patience, 5*time.Millisecond)
}

// check compares the counter with the steps. The last one may have been done without an
// acknowledgement.
func (w *fencedWork) check(ctx context.Context) error {
	value, err := kv.ReadTransact(ctx, w.db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(w.counter).Get() })
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(string(value), 10, 64)
	if steps := w.steps.Load(); err != nil || (at != steps && at != steps+1) {
		return fmt.Errorf("the counter is %q after %d steps", value, steps)
	}
	return nil
}

// TestElectorWithLostAcknowledgements: an elector whose client injects faults leads,
// works, leaves in order, and does each step once.
func TestElectorWithLostAcknowledgements(t *testing.T) {
	t.Log(spawn(t, "lead", string(prefix(t))).wait())
}

// leadBuggified is the part of the child.
func leadBuggified(p string) error {
	db, err := buggified()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	el, err := elector.New(db, election.New(subspace.FromBytes([]byte(p+"election/"))), elector.Options{
		NodeID: "one", Config: fdbelection.ConfigWithLease(lease),
	})
	if err != nil {
		return err
	}
	work := &fencedWork{db: db, counter: []byte(p + "counter"), limit: 300}
	leading, stop := context.WithCancel(ctx)
	if err := el.Run(leading, func(ctx context.Context, lead *elector.Leadership) error {
		defer func() {
			if work.steps.Load() >= work.limit {
				stop()
			}
		}()
		return work.run(ctx, lead)
	}); err != nil {
		return err
	}
	fmt.Printf("%d steps in %d tenures\n", work.steps.Load(), work.tenures.Load())
	return work.check(ctx)
}

// within waits for an event.
func within(t testing.TB, d time.Duration, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(d):
		t.Fatalf("timed out after %v", d)
	}
}
