package elector

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Callbacks are told of every change of state: in order, each once, and as long as
// they return within Options.CallbackLimit, none left out. They run one after the
// other beside the loop, which never waits for them, with one exception: where
// leadership is given up although it could go on, the seat is released only after
// those that tell of the loss have returned, or have had their time.
//
// They are there to tell, and to switch things on and off. Work that goes on for
// as long as leadership does belongs into Run, where it is waited for.
//
// Each gets a context that ends with its time limit, and for OnElected and
// OnEnterLeader also with leadership. If a call is late, the elector reports it as
// a CallbackError and goes on with the other callbacks, so that later calls of
// those run beside it. The late callback itself is not called again before it has
// returned. Then it gets the newest call that it missed, and the elector reports
// how many it did not get. A callback that panics is caught and reported. A
// callback must not wait for Stop, which waits for it.
//
// The calls that enter and leave a state stay paired, and so do OnElected and
// OnDemoted: they are left out together. While one of a pair is late, no call that
// enters is made. It is made later, unless what it tells of has ended meanwhile.
//
// At one change the state that is left comes first, then the one that is
// entered, then OnElected or OnDemoted, then OnTransition. Jeopardy is a part of
// leadership: nothing but OnTransition tells of it.
type Callbacks struct {
	OnEnterLeader, OnLeaveLeader       func(context.Context, Transition)
	OnEnterFollower, OnLeaveFollower   func(context.Context, Transition)
	OnEnterCandidate, OnLeaveCandidate func(context.Context, Transition)
	// OnElected tells that this process leads, OnDemoted that it leads no longer.
	OnElected, OnDemoted func(context.Context, Transition)
	// OnTransition tells of every change of state.
	OnTransition func(context.Context, Transition)
	// OnNewLeader tells who leads, this process included, the first time and
	// whenever it is another tenure.
	OnNewLeader func(context.Context, LeaderInfo)
	// OnLeadershipChange tells of every change of the seat, as Observe does: of a vacancy
	// as well, and of a seat that was handed over and has not been taken yet. It
	// comes before the change of state that goes with it, if one does.
	OnLeadershipChange func(context.Context, LeaderInfo)
	// OnStoreError tells what goes wrong with the store, once per change, and with nil
	// that all is well again.
	OnStoreError func(context.Context, error)
}

// call is one callback to come.
type call struct {
	name string
	run  func(context.Context) // nil: there is nothing to call
	what Transition
	// lane is what the call must not overtake, and pair what it enters or leaves.
	lane   string
	pair   *pair
	leaves bool
	// parent is what its context ends with besides, and values what that is given
	// anyway.
	parent, values context.Context
	// lost is a tenure of whose end all has been told before.
	lost *Leadership
	// resumes is the lane whose held call is to be made.
	resumes string
}

// notifier calls the callbacks of a session in order, in a goroutine that is
// there while there is something to call.
type notifier struct {
	session   *session
	callbacks *Callbacks
	limit     time.Duration
	lanes     *lateCallbacks
	pairs     map[string]*pair // the present one of each lane; guarded by the session

	mu      sync.Mutex
	queue   []call
	running bool
	group   sync.WaitGroup
}

// active reports whether there is anything to call.
func (n *notifier) active() bool {
	c := n.callbacks
	for _, callback := range []func(context.Context, Transition){
		c.OnEnterLeader, c.OnLeaveLeader, c.OnEnterFollower, c.OnLeaveFollower,
		c.OnEnterCandidate, c.OnLeaveCandidate, c.OnElected, c.OnDemoted, c.OnTransition,
	} {
		if callback != nil {
			return true
		}
	}
	return c.OnNewLeader != nil || c.OnLeadershipChange != nil || c.OnStoreError != nil
}

// transition queues what a change of state calls for. lead is the tenure that
// begins with it, if one does.
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
	if from, to := part(t.From), part(t.To); from != to {
		leaving, entering := c.of(from), c.of(to)
		calls = n.leave(calls, t, "OnLeave"+leaving.lane, &leaving)
		if to == StateLeader {
			calls = n.enter(leading, calls, t, "OnEnter"+entering.lane, &entering)
			calls = n.enter(leading, calls, t, "OnElected", c.elected())
		} else {
			calls = n.enter(n.session.values, calls, t, "OnEnter"+entering.lane, &entering)
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

// halves are two callbacks that are called in turn.
type halves struct {
	lane         string
	enter, leave func(context.Context, Transition)
}

// of returns the callbacks of a state, if it has any.
func (c *Callbacks) of(state State) halves {
	switch state {
	case StateLeader:
		return halves{"Leader", c.OnEnterLeader, c.OnLeaveLeader}
	case StateFollower:
		return halves{"Follower", c.OnEnterFollower, c.OnLeaveFollower}
	case StateCandidate:
		return halves{"Candidate", c.OnEnterCandidate, c.OnLeaveCandidate}
	default: // OnTransition tells of it
		return halves{}
	}
}

func (c *Callbacks) elected() *halves { return &halves{"Elected", c.OnElected, c.OnDemoted} }

// enter adds the first half of a pair, also if there is nothing to call but for
// the second one.
func (n *notifier) enter(ctx context.Context, calls []call, t Transition, name string, h *halves) []call {
	if h.enter == nil && h.leave == nil {
		return calls
	}
	next := n.transitionCall(t, name, h.lane, h.enter)
	next.pair, next.parent = &pair{}, ctx
	n.pairs[h.lane] = next.pair
	return append(calls, next)
}

// leave adds the second half of the pair that was entered last.
func (n *notifier) leave(calls []call, t Transition, name string, h *halves) []call {
	if h.enter == nil && h.leave == nil {
		return calls
	}
	next := n.transitionCall(t, name, h.lane, h.leave)
	next.pair, next.leaves = n.pairs[h.lane], true
	return append(calls, next)
}

func (n *notifier) transitionCall(t Transition, name, lane string, callback func(context.Context, Transition)) call {
	c := call{name: name, lane: lane, what: t, parent: n.session.values, values: n.session.values}
	if callback != nil {
		c.run = func(ctx context.Context) { callback(ctx, t) }
	}
	return c
}

// newLeader queues that a tenure has begun.
func (n *notifier) newLeader(leader LeaderInfo) {
	tell(n, "OnNewLeader", n.callbacks.OnNewLeader, leader, leader.Term)
}

// leadershipChange queues that the seat has changed.
func (n *notifier) leadershipChange(leader LeaderInfo) {
	tell(n, "OnLeadershipChange", n.callbacks.OnLeadershipChange, leader, leader.Term)
}

// storeError queues that something goes wrong, or with nil that nothing does.
func (n *notifier) storeError(err error) { tell(n, "OnStoreError", n.callbacks.OnStoreError, err, 0) }

// tell queues the call of a callback that is no part of a change of state.
func tell[T any](n *notifier, name string, callback func(context.Context, T), what T, term uint64) {
	if callback == nil {
		return
	}
	n.push([]call{{
		name: name, lane: name, run: func(ctx context.Context) { callback(ctx, what) },
		what: Transition{Term: term}, parent: n.session.values, values: n.session.values,
	}})
}

// part is a state as its callbacks see it: jeopardy is a part of leadership.
func part(s State) State {
	if s == StateJeopardy {
		return StateLeader
	}
	return s
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

// begin has the queue worked on. The caller holds n.mu.
func (n *notifier) begin() {
	if !n.running {
		n.running = true
		n.group.Go(n.run)
	}
}

// resume has the held call of a lane made next. It reports false if the session is
// over and its last callback has returned: then none is called any more.
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

func (n *notifier) run() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.running, n.queue = false, nil
			n.mu.Unlock()
			return
		}
		next := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		n.call(next)
	}
}

// call runs one callback, and waits for it for as long as it may take.
func (n *notifier) call(c call) {
	switch {
	case c.lost != nil:
		n.session.told(c.lost)
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

// make makes a call that is admitted.
func (n *notifier) make(c call) {
	if c.run == nil {
		return
	}
	ctx, cancel := clock.WithTimeout(c.parent, n.session.clock, n.limit)
	late, stop := clock.WithTimeout(c.values, n.session.clock, n.limit)
	defer stop()
	made := &made{call: c}
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		err := guarded(ctx, c.run)
		if err == nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			err = context.DeadlineExceeded // it obeyed, and has taken all of its time
		}
		ended <- err
		n.returned(made, err)
	}()
	select {
	case err := <-ended:
		if err != nil {
			n.report(&CallbackError{Callback: c.name, Transition: c.what, Err: err})
		}
	case <-late.Done():
		n.lanes.late(made)
		n.report(&CallbackError{Callback: c.name, Transition: c.what, Err: context.DeadlineExceeded})
	}
}

// returned takes in that a call has returned with what it panicked with, if it
// did. After a late one the call that waits for it is made.
func (n *notifier) returned(m *made, err error) {
	late, skipped := n.lanes.returned(m)
	if !late {
		return
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		n.report(&CallbackError{Callback: m.name, Transition: m.what, Err: err})
	}
	if skipped > 0 {
		n.report(&CallbackError{Callback: m.name, Transition: m.what, Err: context.DeadlineExceeded, Skipped: skipped})
	}
	n.lanes.wake(m.lane)
}

func (n *notifier) report(err *CallbackError) {
	fields := []any{
		"callback", err.Callback, "term", err.Transition.Term, "skipped", err.Skipped, "error", lineError{err.Err},
	}
	if panicked, ok := errors.AsType[*PanicError](err.Err); ok {
		fields = append(fields, "stack", strings.Split(strings.TrimSpace(string(panicked.Stack)), "\n"))
	}
	n.session.log().Warn("callback failed", fields...)
	n.session.elector.report(err)
}

// guarded runs a callback, and returns what it panicked with.
func guarded(ctx context.Context, run func(context.Context)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	run(ctx)
	return nil
}

// told says that the callbacks have told of the loss of a tenure.
func (s *session) told(l *Leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.done(s)
}
