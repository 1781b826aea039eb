package rollout

import (
	"context"
	"errors"
	"slices"
	"testing"
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

// Fleets are an old fleet, and the old lock as the new one takes it.
type Fleets struct {
	// Old runs a process of the old fleet until m.Stopped has ended. kill cuts its connection.
	Old func(tb testing.TB, m *Member) (run, kill func())
	// Lock returns the old lock for a process of the new fleet, and what cuts its connection.
	Lock func(tb testing.TB, m *Member) (lock bridge.Lock, kill func())
}

// linger is how long work goes on after it was told to stop. A release that does not wait for the
// work lets another process begin meanwhile.
const linger = 50 * time.Millisecond

type rollout struct {
	testing.TB
	fleets   Fleets
	ledger   *Ledger
	db       kv.Database
	running  map[string]*Member
	old, new []string
	waits    chan struct{}
}

// Run replaces an old fleet by a new one, goes back to the old one, and lets processes of both
// stop and crash meanwhile. At each instant at most one of them may work.
func Run(t *testing.T, fleets Fleets) {
	t.Helper()
	r := &rollout{TB: t, fleets: fleets, ledger: NewLedger(t), db: memkv.New(memkv.Options{}), running: map[string]*Member{}, waits: make(chan struct{}, 1)}
	t.Cleanup(r.stopAll)
	r.startOld("old-1", "old-2", "old-3")
	require.Contains(t, r.old, r.ledger.Worker())

	r.startNew("new-1", "new-2")
	r.worksOnWhileAnotherWaits()
	r.end((*Member).Kill, r.ledger.Worker())
	r.ledger.Worker()
	r.startNew("new-3")
	for end := (*Member).Stop; len(r.old) > 0; end = (*Member).Kill {
		victim := r.ledger.Worker()
		if slices.Contains(r.new, victim) {
			victim = r.old[0]
		}
		r.end(end, victim)
	}
	require.Contains(t, r.new, r.ledger.Worker(), "the new fleet is alone")
	r.end((*Member).Kill, r.ledger.Worker())
	r.end((*Member).Stop, r.ledger.Worker())
	require.Contains(t, r.new, r.ledger.Worker())

	r.startOld("old-4", "old-5")
	r.watch()
	r.end((*Member).Stop, r.new[0])
	require.Contains(t, r.old, r.ledger.Worker(), "rolled back")
	r.end((*Member).Kill, r.ledger.Worker())
	require.Contains(t, r.old, r.ledger.Worker())
	require.GreaterOrEqual(t, r.ledger.count(), 6)
}

// observation is longer than the lease of the old lock. A lock that is not renewed, or that the other
// fleet does not respect, is taken within it.
const observation = 2500 * time.Millisecond

// worksOnWhileAnotherWaits waits until a new process leads and waits for the old lock, and observes that it
// does not get it.
func (r *rollout) worksOnWhileAnotherWaits() {
	r.Helper()
	select {
	case <-r.waits:
	case <-time.After(patience):
		require.FailNow(r, "timeout: a new process waits for the old lock")
	}
	r.watch()
}

// watch observes that the same process works all the time. It waits for a time, because nothing should happen.
func (r *rollout) watch() {
	r.Helper()
	worker, tenures := r.ledger.Worker(), r.ledger.count()
	<-time.After(observation)
	require.Equal(r, worker, r.ledger.Worker(), "it works on")
	require.Equal(r, tenures, r.ledger.count(), "and did so all the time")
}

// waitingLock tells when it is waited for.
type waitingLock struct {
	bridge.Lock
	waits chan struct{}
}

func (l waitingLock) Acquire(ctx context.Context) (bridge.Held, error) {
	select {
	case l.waits <- struct{}{}:
	default:
	}
	return l.Lock.Acquire(ctx)
}

func (r *rollout) stopAll() {
	for _, m := range r.running {
		m.Stop()
	}
}

// end ends a process by Stop or Kill.
func (r *rollout) end(how func(*Member), id string) {
	r.Helper()
	m := r.running[id]
	require.NotNil(r, m, "%s is running", id)
	how(m)
	delete(r.running, id)
	is := func(one string) bool { return one == id }
	r.old, r.new = slices.DeleteFunc(r.old, is), slices.DeleteFunc(r.new, is)
}

func (r *rollout) member(id string, linger time.Duration) *Member {
	m := &Member{ID: id, ledger: r.ledger, killed: make(chan struct{}), ended: make(chan struct{}), linger: linger}
	m.Stopped, m.stop = context.WithCancel(context.WithoutCancel(r.Context()))
	r.running[id] = m
	return m
}

func (r *rollout) startOld(ids ...string) {
	for _, id := range ids {
		m := r.member(id, 0) // client-go does not wait for its work
		var run func()
		run, m.kill = r.fleets.Old(r, m)
		go func() {
			defer close(m.ended)
			run()
		}()
		r.old = append(r.old, id)
	}
}

func (r *rollout) startNew(ids ...string) {
	for _, id := range ids {
		m := r.member(id, linger)
		lock, cut := r.fleets.Lock(r, m)
		el := NewElector(r, r.db, id)
		m.kill = func() { cut(); el.Abandon() }
		gate := &bridge.Gate{Lock: waitingLock{lock, r.waits}, ReleaseLimit: time.Second}
		go func() {
			defer close(m.ended)
			err := gate.Run(m.Stopped, el, func(ctx context.Context, _ *elector.Leadership) error {
				m.Work(ctx)
				return nil
			})
			r.report(m, el, err)
		}()
		r.new = append(r.new, id)
	}
}

// report fails the test if a process that was not killed has ended with an error, or could not release
// the old lock.
func (r *rollout) report(m *Member, el *elector.Elector, err error) {
	select {
	case <-m.killed:
		return
	default:
	}
	if err != nil {
		r.Errorf("%s: %v", m, err)
	}
	for len(el.Errors()) > 0 {
		err := <-el.Errors()
		r.Logf("%s: %v", m, err)
		if errors.Is(err, bridge.ErrNotReleased) {
			r.Errorf("%s: %v", m, err)
		}
	}
}

// NewElector returns an elector with a lease of one second.
func NewElector(tb testing.TB, db kv.Database, id string) *elector.Elector {
	tb.Helper()
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{
		NodeID: id, Config: fdbelection.ConfigWithLease(time.Second),
	})
	require.NoError(tb, err)
	return el
}
