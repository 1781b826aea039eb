package fdbkv_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// lease of the tests' elections: short enough to wait for, and long enough to
// outlast a recovery of a database of one process.
const lease = 5 * time.Second

// newElector makes an elector on a connection of its own, and a channel that is
// closed when it is elected for the first time.
func newElector(t testing.TB, space subspace.Subspace, id string) (*elector.Elector, <-chan struct{}) {
	t.Helper()
	elected := make(chan struct{})
	var once atomic.Bool
	el, err := elector.New(fdbkv.FromDatabase(raw(t)), election.New(space), elector.Options{
		NodeID: id,
		Config: elector.ConfigWithLease(lease),
		Callbacks: elector.Callbacks{OnElected: func(context.Context, elector.Transition) {
			if once.CompareAndSwap(false, true) {
				close(elected)
			}
		}},
	})
	require.NoError(t, err)
	return el, elected
}

// TestElectorsHandOver: when the leader stops, the other leads long before the
// lease would be over.
func TestElectorsHandOver(t *testing.T) {
	space := subspace.FromBytes(below(prefix(t), "election/"))
	first, firstElected := newElector(t, space, "first")
	second, secondElected := newElector(t, space, "second")
	require.NoError(t, first.Start(t.Context()))
	within(t, patience, firstElected)
	require.NoError(t, second.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, second.Stop(context.Background())) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db := open(t, fdbkv.Options{})
	require.Eventually(t, func() bool { // the second is there
		all, err := kv.ReadTransact(ctx, db, election.New(space).ListCandidates)
		return err == nil && len(all) == 2
	}, patience, 20*time.Millisecond)

	begin := time.Now()
	require.NoError(t, first.Stop(ctx))
	within(t, lease/2, secondElected)
	t.Logf("from Stop to elected: %v", time.Since(begin))
	require.NoError(t, second.IsLeader(ctx))
	require.Error(t, first.IsLeader(ctx))
}

// TestElectorOutlastsARestart: fenced work goes on after the database has
// restarted, and no step of it is lost or done twice.
func TestElectorOutlastsARestart(t *testing.T) {
	p := prefix(t)
	binding, counter := raw(t), below(p, "counter")
	el, elected := newElector(t, subspace.FromBytes(below(p, "election/")), "one")
	db := open(t, fdbkv.Options{})
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	defer stop()
	var done atomic.Int64
	var terms atomic.Int64
	ran := background(func() error {
		return el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			terms.Add(1)
			for ctx.Err() == nil {
				n := done.Load()
				err := db.Transact(ctx, func(tr kv.Transaction) error {
					if err := lead.Fence(tr); err != nil {
						return err
					}
					value, err := tr.Get(counter).Get()
					if err != nil {
						return err
					}
					if at, _ := strconv.ParseInt(string(value), 10, 64); at > n {
						return nil // the run before this one has done it
					}
					tr.Set(counter, strconv.AppendInt(nil, n+1, 10))
					return nil
				})
				if err == nil {
					done.Add(1)
				}
			}
			return nil
		})
	})
	within(t, patience, elected)
	for range 2 {
		reached := done.Load() + 100
		require.Eventually(t, func() bool { return done.Load() >= reached }, 2*patience, 5*time.Millisecond)
		reboot(t, binding)
	}
	reached := done.Load() + 100
	require.Eventually(t, func() bool { return done.Load() >= reached }, 2*patience, 5*time.Millisecond)
	stop()
	require.NoError(t, await(t, ran))
	t.Logf("%d steps in %d tenures across two restarts", done.Load(), terms.Load())
	at, err := strconv.ParseInt(stored(t, counter), 10, 64)
	require.NoError(t, err)
	// The last step may have been done and not acknowledged.
	require.Contains(t, []int64{done.Load(), done.Load() + 1}, at)
}

// within waits for an event.
func within(t testing.TB, d time.Duration, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(d):
		t.Fatalf("nothing within %v", d)
	}
}
