package clientgo_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/clientgo"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/leases"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/rollout"
)

const (
	// client-go compares the time of a renewal in whole seconds. With a lease of one second, a process that
	// looks shortly after a full second can take the lease from one that renews it in time.
	leaseDuration = 2 * time.Second
	renewDeadline = 1200 * time.Millisecond
	retryPeriod   = 50 * time.Millisecond
)

// wire is the connection of a process to the API server. Calls fail when it is cut.
type wire struct {
	resourcelock.Interface
	broken atomic.Bool
	lost   atomic.Bool // writes arrive, and their answers do not
	wrote  func()      // called after such a write
	reads  chan struct{}

	renewals atomic.Int64 // writes that arrived
}

var errCut = errors.New("connection refused")

func (w *wire) cut() { w.broken.Store(true) }

func (w *wire) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if w.broken.Load() {
		return nil, nil, errCut
	}
	if w.reads != nil {
		w.reads <- struct{}{}
	}
	return w.Interface.Get(ctx)
}

func (w *wire) Create(ctx context.Context, ler resourcelock.LeaderElectionRecord) error {
	return w.write(ctx, ler, w.Interface.Create)
}

func (w *wire) Update(ctx context.Context, ler resourcelock.LeaderElectionRecord) error {
	return w.write(ctx, ler, w.Interface.Update)
}

func (w *wire) write(ctx context.Context, ler resourcelock.LeaderElectionRecord, write func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	if w.broken.Load() {
		return errCut
	}
	err := write(ctx, ler)
	w.renewals.Add(1)
	if ler.HolderIdentity != "" && w.lost.Swap(false) {
		w.wrote()
		return errCut
	}
	return err
}

func connect(client coordination.LeasesGetter, id string) *wire {
	return &wire{Interface: &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "billing", Name: "leader"}, Client: client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: id},
	}}
}

func newLock(w *wire) *clientgo.Lock {
	return &clientgo.Lock{Lock: w, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod}
}

// old is a program with client-go's loop. It ends its work before it ends the loop, as a manager of
// controller-runtime does. After a loss a new loop begins, as in a process that is restarted.
func old(w *wire, m *rollout.Member) {
	ctx, end := context.WithCancel(context.WithoutCancel(m.Stopped))
	defer end()
	var working sync.Mutex
	context.AfterFunc(m.Stopped, func() {
		working.Lock() // waits until the work has returned
		defer working.Unlock()
		end()
	})
	for m.Stopped.Err() == nil && !w.broken.Load() {
		loop, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: w, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(leading context.Context) {
					working.Lock()
					defer working.Unlock()
					if leading.Err() != nil || m.Stopped.Err() != nil {
						return
					}
					leading, stop := context.WithCancel(leading)
					context.AfterFunc(m.Stopped, stop)
					m.Work(leading)
					stop()
				},
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			panic(err)
		}
		loop.Run(ctx)
	}
}

func TestRollout(t *testing.T) {
	t.Parallel()
	client := leases.New()
	rollout.Run(t, rollout.Fleets{
		Old: func(_ testing.TB, m *rollout.Member) (run, kill func()) {
			w := connect(client, m.ID)
			return func() { old(w, m) }, w.cut
		},
		Lock: func(_ testing.TB, m *rollout.Member) (lock bridge.Lock, kill func()) {
			w := connect(client, m.ID)
			return newLock(w), w.cut
		},
	})
}

// holder returns the holder that is stored.
func holder(t *testing.T, w *wire) string {
	t.Helper()
	record, _, err := w.Interface.Get(t.Context())
	require.NoError(t, err)
	return record.HolderIdentity
}

func within(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: "+what)
	}
}

// A process that stops waiting leaves nothing behind, also if its attempt came through and the answer
// did not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	w := connect(leases.New(), "new")
	w.lost.Store(true)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	wrote := make(chan struct{})
	w.wrote = func() { cancel(stopped); close(wrote) }
	_, err := newLock(w).Acquire(ctx)
	require.ErrorIs(t, err, stopped)
	within(t, wrote, "the attempt")
	require.Empty(t, holder(t, w))
}

// The lock is lost when no renewal has been answered for nine tenths of the lease, or when client-go
// gives up before that. Acquire fails when no call was answered.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	w := connect(leases.New(), "new")
	held, err := newLock(w).Acquire(t.Context())
	require.NoError(t, err)
	require.True(t, held.Holds())
	w.cut()
	within(t, held.Lost(), "the loss")
	require.False(t, held.Holds())
	require.ErrorIs(t, held.Release(t.Context()), errCut)
	require.Equal(t, "new", holder(t, w))
	_, err = newLock(w).Acquire(t.Context())
	require.ErrorIs(t, err, errCut)
	require.ErrorContains(t, err, "does not answer")
}

// client-go goes on if its lease has run out and it renews it late. Another process may have led
// meanwhile, so the lock is lost.
func TestLateRenewal(t *testing.T) {
	t.Parallel()
	w := connect(leases.New(), "new")
	clock := &jumping{}
	lock := newLock(w)
	lock.Clock = clock
	held, err := lock.Acquire(t.Context())
	require.NoError(t, err)
	clock.ahead.Store(int64(leaseDuration)) // the process was suspended
	require.False(t, held.Holds(), "before a timer has fired")
	within(t, held.Lost(), "the loss")
	clock.ahead.Store(0)
	before := w.renewals.Load()
	require.Eventually(t, func() bool { return w.renewals.Load() > before+1 }, 30*time.Second, time.Millisecond, "client-go goes on")
	require.False(t, held.Holds(), "and the lock stays lost")
	require.NoError(t, held.Release(t.Context()))
	require.Empty(t, holder(t, w))
}

// jumping is a clock that a test moves.
type jumping struct{ ahead atomic.Int64 }

func (c *jumping) Now() time.Time {
	return elector.SystemClock().Now().Add(time.Duration(c.ahead.Load()))
}
func (c *jumping) Wall() time.Time { return time.Now() }
func (c *jumping) AfterFunc(d time.Duration, f func()) elector.Timer {
	return time.AfterFunc(d, f)
}

func TestInvalidLock(t *testing.T) {
	_, err := (&clientgo.Lock{}).Acquire(t.Context())
	require.ErrorContains(t, err, "needs the Lock")
	_, err = (&clientgo.Lock{Lock: connect(leases.New(), "new"), LeaseDuration: time.Second}).Acquire(t.Context())
	require.ErrorContains(t, err, "leaseDuration must be greater than renewDeadline")
}

// After the migration the lease has a holder that does not exist and a duration of years, so that an old
// process that starts by mistake waits.
func TestRetiredLock(t *testing.T) {
	t.Parallel()
	client := leases.New()
	w := connect(client, "new")
	held, err := newLock(w).Acquire(t.Context())
	require.NoError(t, err)
	require.NoError(t, held.Release(t.Context()))
	require.False(t, held.Holds())
	within(t, held.Lost(), "the end by the release")
	lease, err := client.Leases("billing").Get(t.Context(), "leader", metav1.GetOptions{})
	require.NoError(t, err)
	holderIdentity, years := "retired", int32(2_000_000_000)
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &holderIdentity, &years
	_, err = client.Leases("billing").Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{}, 1)
	late := connect(client, "old")
	late.reads = make(chan struct{}, 1000)
	loop, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: late, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { started <- struct{}{} }, OnStoppedLeading: func() {}},
	})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loop.Run(ctx)
	}()
	for begun := time.Now(); time.Since(begun) < leaseDuration*3/2; { // it could take a lease of its own length
		within(t, late.reads, "an attempt")
	}
	require.Empty(t, started)
	require.Equal(t, "retired", holder(t, w))
	cancel()
	within(t, ended, "the end of the loop")
}
