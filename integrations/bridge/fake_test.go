package bridge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const lease = 10 * time.Second

// virtual is the clock of a bubble of testing/synctest.
type virtual struct{}

func (virtual) Now() time.Time                                    { return time.Now() }
func (virtual) Wall() time.Time                                   { return time.Now() }
func (virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// oldLock is a lock in memory. It tells the test what happens to it.
type oldLock struct {
	free   chan struct{} // has one element if the lock is free
	events chan string

	// acquire replaces Acquire, and release replaces Release of what was acquired.
	acquire func(context.Context) (bridge.Held, error)
	left    error // why a cancelled Acquire could not give back everything
	release func(context.Context) error
}

func newOldLock() *oldLock {
	l := &oldLock{free: make(chan struct{}, 1), events: make(chan string, 1000)}
	l.free <- struct{}{}
	return l
}

func (l *oldLock) Acquire(ctx context.Context) (bridge.Held, error) {
	if l.acquire != nil {
		return l.acquire(ctx)
	}
	select {
	case <-l.free:
		return l.held(), nil
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), l.left)
	}
}

func (l *oldLock) held() *oldHeld {
	l.events <- "acquired"
	return &oldHeld{lock: l, lost: make(chan struct{})}
}

type oldHeld struct {
	lock *oldLock
	once sync.Once
	lost chan struct{}
}

func (h *oldHeld) Lost() <-chan struct{} { return h.lost }
func (h *oldHeld) lose()                 { h.once.Do(func() { close(h.lost) }) }

func (h *oldHeld) Holds() bool {
	select {
	case <-h.lost:
		return false
	default:
		return true
	}
}

func (h *oldHeld) Release(ctx context.Context) error {
	h.lock.events <- "released"
	h.lose()
	if h.lock.release != nil {
		return h.lock.release(ctx)
	}
	h.lock.free <- struct{}{}
	return nil
}

// world is an election in a bubble of virtual time.
type world struct {
	*testing.T
	hooks memkv.Hooks
	db    kv.Database
	e     *election.LeaderElection
	lock  *oldLock
}

func inWorld(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, e: election.New(subspace.New("billing")), lock: newOldLock()}
		w.db = memkv.New(memkv.Options{Hooks: &w.hooks})
		test(w)
	})
}

// process is a process of the new fleet.
type process struct {
	*elector.Elector
	gate   *bridge.Gate
	result chan error
}

func (w *world) process(id string) *process {
	el, err := elector.New(w.db, w.e, elector.Options{NodeID: id, Config: fdbelection.ConfigWithLease(lease), Clock: virtual{}})
	require.NoError(w, err)
	return &process{el, &bridge.Gate{Lock: w.lock, Clock: virtual{}}, make(chan error, 1)}
}

func (w *world) run(ctx context.Context, p *process, work func(context.Context, *elector.Leadership) error) {
	go func() { p.result <- p.gate.Run(ctx, p.Elector, work) }()
}

// stop stops a process and returns what Run returned.
func (w *world) stop(p *process) error {
	w.Helper()
	require.NoError(w, p.Stop(w.Context()))
	return <-p.result
}

// next returns the next event, within virtual time.
func next[T any](w *world, c <-chan T, limit time.Duration) T {
	w.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		require.FailNow(w, "timeout")
		panic("not reached")
	}
}

func (w *world) leader() election.LeaderRecord {
	w.Helper()
	s, err := kv.ReadTransact(w.Context(), w.db, w.e.ReadStatus)
	require.NoError(w, err)
	return s.Leader
}

// work tells the test when it begins and has returned.
type work struct {
	events  chan string
	begun   chan context.Context
	leads   chan *elector.Leadership
	proceed chan error // what it returns, after its context has ended or before
}

func (w *world) work() *work {
	return &work{events: w.lock.events, begun: make(chan context.Context, 100), leads: make(chan *elector.Leadership, 100), proceed: make(chan error, 1)}
}

func (k *work) run(ctx context.Context, lead *elector.Leadership) error {
	k.events <- "begun"
	k.leads <- lead
	k.begun <- ctx
	err := <-k.proceed
	k.events <- "returned"
	return err
}

func untilStopped(ctx context.Context, _ *elector.Leadership) error {
	<-ctx.Done()
	return ctx.Err()
}
