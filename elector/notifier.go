package elector

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
)

// call is one pending call of a callback.
type call struct {
	name       string
	run        func(context.Context) // nil: there is no such callback
	transition Transition
	// lane names the callbacks whose calls stay in order: one callback, or a pair.
	lane   string
	pair   *pair // the stay in a state that it enters or leaves, if any
	leaves bool
	// parent is the parent of the context of the call. values is the parent of the context
	// that ends only with the time limit.
	parent, values context.Context
	// lost is a tenure whose loss has been reported by the calls before this one.
	lost *Leadership
	// resumes is a lane whose held call is to be made.
	resumes string
}

// notifier calls the callbacks of a session in order, in a goroutine that exists while
// calls are pending.
type notifier struct {
	session   *session
	callbacks *Callbacks
	limit     time.Duration
	lanes     *lateCallbacks
	pairs     map[string]*pair // the present pair of each lane; guarded by the session

	mu      sync.Mutex
	queue   []call
	running bool
	since   time.Time // when the present call was taken from the queue
	group   sync.WaitGroup

	// candidatesPending says that a call of OnCandidatesChange waits, which will report
	// every change until it is made.
	candidatesPending atomic.Bool
}

func (n *notifier) active() bool { return n.callbacks.active() }

// transition queues the calls of a change of state. lead is the tenure that begins with
// it, if one does.
func (n *notifier) transition(t Transition, lead *Leadership) {
	if !n.active() {
		return
	}
	leading := n.session.values
	if lead != nil {
		leading = lead.ctx
	}
	c := n.callbacks
	var calls []call
	if from, to := withoutJeopardy(t.From), withoutJeopardy(t.To); from != to {
		leaving, entering := c.of(from), c.of(to)
		calls = n.leave(calls, t, "OnLeave"+leaving.lane, leaving)
		if to == StateLeader {
			calls = n.enter(leading, calls, t, "OnEnter"+entering.lane, entering)
			calls = n.enter(leading, calls, t, "OnElected", c.elected())
		} else {
			calls = n.enter(n.session.values, calls, t, "OnEnter"+entering.lane, entering)
		}
		if from == StateLeader {
			calls = n.leave(calls, t, "OnDemoted", c.elected())
		}
	}
	if c.OnTransition != nil {
		calls = append(calls, n.transitionCall(t, "OnTransition", "OnTransition", c.OnTransition))
	}
	n.push(calls)
}

// enter adds the first call of a pair, even if only the second callback is set.
func (n *notifier) enter(ctx context.Context, calls []call, t Transition, name string, c callbackPair) []call {
	if c.enter == nil && c.leave == nil {
		return calls
	}
	next := n.transitionCall(t, name, c.lane, c.enter)
	next.pair, next.parent = &pair{}, ctx
	n.pairs[c.lane] = next.pair
	return append(calls, next)
}

// leave adds the second call of the pair that was entered last.
func (n *notifier) leave(calls []call, t Transition, name string, c callbackPair) []call {
	if c.enter == nil && c.leave == nil {
		return calls
	}
	next := n.transitionCall(t, name, c.lane, c.leave)
	next.pair, next.leaves = n.pairs[c.lane], true
	return append(calls, next)
}

func (n *notifier) transitionCall(t Transition, name, lane string, callback func(context.Context, Transition)) call {
	c := call{name: name, lane: lane, transition: t, parent: n.session.values, values: n.session.values}
	if callback != nil {
		c.run = func(ctx context.Context) { callback(ctx, t) }
	}
	return c
}

// newLeader queues the call for a new tenure.
func (n *notifier) newLeader(leader LeaderInfo) {
	pushCall(n, "OnNewLeader", n.callbacks.OnNewLeader, leader, leader.Term)
}

// leadershipChange queues the call for a change of the leader record.
func (n *notifier) leadershipChange(leader LeaderInfo) {
	pushCall(n, "OnLeadershipChange", n.callbacks.OnLeadershipChange, leader, leader.Term)
}

// candidatesChange queues the call for a change of the candidates, unless one waits already.
func (n *notifier) candidatesChange() {
	callback := n.callbacks.OnCandidatesChange
	if n.candidatesPending.Swap(true) {
		return
	}
	pushCall(n, "OnCandidatesChange", func(ctx context.Context, e *Elector) {
		n.candidatesPending.Store(false) // before the state is read
		callback(ctx, e.ClusterState())
	}, n.session.elector, 0)
}

// storeError queues the call for an error of the store, or with nil for its end.
func (n *notifier) storeError(err error) {
	pushCall(n, "OnStoreError", n.callbacks.OnStoreError, err, 0)
}

// pushCall queues a call that is not part of a change of state.
func pushCall[T any](n *notifier, name string, callback func(context.Context, T), argument T, term uint64) {
	if callback == nil {
		return
	}
	n.push([]call{{
		name: name, lane: name, run: func(ctx context.Context) { callback(ctx, argument) },
		transition: Transition{Term: term}, parent: n.session.values, values: n.session.values,
	}})
}

func (n *notifier) push(calls []call) {
	if len(calls) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, calls...)
	n.begin()
}

// begin starts the goroutine that works on the queue. The caller holds n.mu.
func (n *notifier) begin() {
	if !n.running {
		n.running = true
		n.group.Go(n.drainQueue)
	}
}

// resume puts the held call of a lane first in the queue. It returns false if the session
// is over and its last callback has returned, because nothing is called any more then.
func (n *notifier) resume(lane string) bool {
	n.session.mu.Lock()
	defer n.session.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session.over && !n.running {
		return false
	}
	n.queue = slices.Insert(n.queue, 0, call{resumes: lane})
	n.begin()
	return true
}

func (n *notifier) drainQueue() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.running, n.queue, n.since = false, nil, time.Time{}
			n.mu.Unlock()
			return
		}
		next := n.queue[0]
		n.since = n.session.clock.Now()
		n.queue = n.queue[1:]
		n.mu.Unlock()
		n.process(next)
	}
}

// began returns when the present call was taken from the queue, on the process clock. It is
// zero if there is none.
func (n *notifier) began() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.since
}

// process makes a call unless it has to wait or is skipped.
func (n *notifier) process(c call) {
	switch {
	case c.lost != nil:
		n.session.lossReported(c.lost)
	case c.resumes != "":
		if held, ok := n.lanes.take(c.resumes, n); ok {
			n.make(held)
		} else {
			n.lanes.wake(c.resumes)
		}
	case n.lanes.admit(n, &c):
		n.make(c)
	}
}

// make makes a call and waits for it within its time limit.
func (n *notifier) make(c call) {
	if c.run == nil {
		return
	}
	ctx, cancel := clock.WithTimeout(c.parent, n.session.clock, n.limit)
	late, stop := clock.WithTimeout(c.values, n.session.clock, n.limit)
	defer stop()
	made := n.lanes.begin(c, n.session.clock.Now())
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		err := loop.Guarded(ctx, c.run)
		if err == nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			err = context.DeadlineExceeded // it returned because its context ended
		}
		ended <- err
		n.returned(made, err)
	}()
	select {
	case err := <-ended:
		if err != nil {
			n.session.reportCallback(&CallbackError{Callback: c.name, Transition: c.transition, Err: err})
		}
	case <-late.Done():
		n.lanes.late(made)
		n.session.reportCallback(&CallbackError{Callback: c.name, Transition: c.transition, Err: context.DeadlineExceeded})
	}
}

// returned handles the return of a call. err is its panic, if any. After a late call the
// call that waits for it is made.
func (n *notifier) returned(m *made, err error) {
	n.session.elector.counts.callback(m.name, n.session.clock.Now().Sub(m.began))
	late, skipped := n.lanes.returned(m)
	if !late {
		return
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		n.session.reportCallback(&CallbackError{Callback: m.name, Transition: m.transition, Err: err})
	}
	if skipped > 0 {
		n.session.reportCallback(&CallbackError{Callback: m.name, Transition: m.transition, Err: context.DeadlineExceeded, Skipped: skipped})
	}
	n.lanes.wake(m.lane)
}

// lossReported reports that the callbacks of a loss have returned.
func (s *session) lossReported(l *Leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.done(s)
}
