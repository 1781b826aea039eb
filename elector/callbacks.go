package elector

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Callbacks are told of every change of state: in order, each once, none left
// out. They run one after the other beside the loop, which never waits for them,
// with one exception: where leadership is given up although it could go on, the
// seat is released only after those that tell of the loss have returned, or have
// had their time.
//
// They are there to tell, and to switch things on and off. Work that goes on for
// as long as leadership does belongs into Run, where it is waited for.
//
// Each gets a context that ends with its time limit, and for OnElected and
// OnEnterLeader also with leadership. One that is late goes on alone; one that
// panics is caught. Both are reported as a CallbackError. A callback must not
// wait for Stop, which waits for it.
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
	OnNewLeader func(context.Context, Leader)
	// OnSeatChange tells of every change of the seat, as Observe does: of a vacancy
	// as well, and of a seat that was handed over and has not been taken yet. It
	// comes before the change of state that goes with it, if one does.
	OnSeatChange func(context.Context, Leader)
	// OnTrouble tells what goes wrong with the store, once per change, and with nil
	// that all is well again.
	OnTrouble func(context.Context, error)
}

// call is one callback to come.
type call struct {
	name string
	run  func(context.Context)
	what Transition
	// parent is what its context ends with besides, and values what that is given
	// anyway.
	parent, values context.Context
	// lost is a tenure of whose end all has been told before.
	lost *Leadership
}

// notifier calls the callbacks of a session in order, in a goroutine that is
// there while there is something to call.
type notifier struct {
	session   *session
	callbacks *Callbacks
	limit     time.Duration

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
	return c.OnNewLeader != nil || c.OnSeatChange != nil || c.OnTrouble != nil
}

// transition queues what a change of state calls for. lead is the tenure that
// begins with it, if one does.
func (n *notifier) transition(t Transition, lead *Leadership) {
	if !n.active() {
		return
	}
	var calls []call
	values := n.session.values
	leading := values
	if lead != nil {
		leading = lead.ctx
	}
	add := func(name string, parent context.Context, callback func(context.Context, Transition)) {
		if callback != nil {
			calls = append(calls, call{
				name: name, run: func(ctx context.Context) { callback(ctx, t) }, what: t,
				parent: parent, values: values,
			})
		}
	}
	c := n.callbacks
	if from, to := part(t.From), part(t.To); from != to {
		leave := map[State]func(context.Context, Transition){
			StateLeader: c.OnLeaveLeader, StateFollower: c.OnLeaveFollower, StateCandidate: c.OnLeaveCandidate,
		}
		add("OnLeave"+partNames[from], values, leave[from])
		switch to {
		case StateLeader:
			add("OnEnterLeader", leading, c.OnEnterLeader)
			add("OnElected", leading, c.OnElected)
		case StateFollower:
			add("OnEnterFollower", values, c.OnEnterFollower)
		case StateCandidate:
			add("OnEnterCandidate", values, c.OnEnterCandidate)
		case StateStopped, StateJeopardy, StateObserver: // OnTransition tells of it
		}
		if from == StateLeader {
			add("OnDemoted", values, c.OnDemoted)
		}
	}
	add("OnTransition", values, c.OnTransition)
	n.push(calls)
}

// newLeader queues that a tenure has begun.
func (n *notifier) newLeader(leader Leader) {
	tell(n, "OnNewLeader", n.callbacks.OnNewLeader, leader, leader.Term)
}

// seatChange queues that the seat has changed.
func (n *notifier) seatChange(leader Leader) {
	tell(n, "OnSeatChange", n.callbacks.OnSeatChange, leader, leader.Term)
}

// trouble queues that something goes wrong, or with nil that nothing does.
func (n *notifier) trouble(err error) { tell(n, "OnTrouble", n.callbacks.OnTrouble, err, 0) }

// tell queues the call of a callback that is no part of a change of state.
func tell[T any](n *notifier, name string, callback func(context.Context, T), what T, term uint64) {
	if callback == nil {
		return
	}
	n.push([]call{{
		name: name, run: func(ctx context.Context) { callback(ctx, what) },
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

var partNames = map[State]string{StateLeader: "Leader", StateFollower: "Follower", StateCandidate: "Candidate"}

func (n *notifier) push(calls []call) {
	if len(calls) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, calls...)
	if !n.running {
		n.running = true
		n.group.Go(n.run)
	}
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
	if c.run != nil {
		ctx, cancel := withTimeout(c.parent, n.session.clock, n.limit)
		late, stop := withTimeout(c.values, n.session.clock, n.limit)
		ended := make(chan error, 1)
		go func() {
			defer cancel()
			err := guarded(ctx, c.run)
			if err == nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				err = context.DeadlineExceeded // it obeyed, and has taken all of its time
			}
			ended <- err
		}()
		var err error
		select {
		case err = <-ended:
		case <-late.Done():
			err = context.DeadlineExceeded
		}
		stop()
		if err != nil {
			n.session.elector.report(&CallbackError{Callback: c.name, Transition: c.what, Err: err})
		}
	}
	if c.lost != nil {
		n.session.told(c.lost)
	}
}

// guarded runs a callback, and returns what it panicked with.
func guarded(ctx context.Context, run func(context.Context)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
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
