package elector

import "context"

// Callbacks report every change: in order, each once, and none is skipped as long as they
// return within Options.CallbackLimit. Only OnCandidatesChange may report several changes
// with one call. They run one after the other beside the loop, which
// does not wait for them, with one exception: if leadership is given up although it could
// continue, it is released after the callbacks that report the loss have returned or have
// used up their time.
//
// Use callbacks to inform, and to switch things on and off. Work that takes as long as the
// tenure belongs in Run, which waits for it.
//
// The context of a callback ends with its time limit. The contexts of OnElected and
// OnEnterLeader end with leadership as well. If a call is late, the elector reports a
// CallbackError and goes on, so that later calls of other callbacks run beside it. The
// late callback is not called again before it has returned. Then it gets the newest call
// that it missed, and the elector reports how many calls were skipped. A callback that
// panics is caught and reported. A callback must not wait for Stop, which waits for it.
//
// At each change of state the callback that leaves the old state comes first, then the
// one that enters the new state, then OnElected or OnDemoted, then OnTransition. Jeopardy
// counts as leadership: only OnTransition reports it.
//
// OnElected and OnDemoted form a pair, and so do the two callbacks of each state in
// StateCallbacks. The calls of a pair alternate. If a call is late, the next call that
// enters is delayed. If what it reports has ended by then, both calls are skipped.
type Callbacks struct {
	// OnElected is called when this process starts to lead, OnDemoted when it has stopped.
	OnElected, OnDemoted func(context.Context, Transition)
	// OnTransition is called at every change of state.
	OnTransition func(context.Context, Transition)
	// OnNewLeader is called once for each tenure, including those of this process. A change
	// of the metadata of the leader is not a new tenure.
	OnNewLeader func(context.Context, LeaderInfo)
	// OnLeadershipChange is called for everything that Subscribe sends: each tenure, each
	// vacancy, each successor that has not accepted yet, and each change of the metadata of
	// the leader, with its term and ballot as they were. It comes before the change of state
	// that goes with it.
	OnLeadershipChange func(context.Context, LeaderInfo)
	// OnCandidatesChange is called with all candidates when they are first listed, and after
	// each change: a candidate has registered or is gone, or its priority, role or metadata
	// have changed. Heartbeats are not changes. A watch tells of a change within
	// milliseconds, and of two changes within a tenth of the heartbeat interval on average.
	// Changes that come while a call waits or runs are reported by one call after it, with
	// the state at that time. With this callback, the process lists all candidates at each
	// change and once per candidate timeout, and has one watch more.
	OnCandidatesChange func(context.Context, ClusterState)
	// OnStoreError is called with each new error of the store, and with nil when the store
	// is available again.
	OnStoreError func(context.Context, error)

	StateCallbacks
}

// StateCallbacks are called when this process enters or leaves a state. OnTransition
// reports the same and more: From is left and To is entered.
type StateCallbacks struct {
	OnEnterLeader, OnLeaveLeader       func(context.Context, Transition)
	OnEnterFollower, OnLeaveFollower   func(context.Context, Transition)
	OnEnterCandidate, OnLeaveCandidate func(context.Context, Transition)
}

// callbackPair is two callbacks whose calls alternate.
type callbackPair struct {
	lane         string
	enter, leave func(context.Context, Transition)
}

// elected returns OnElected and OnDemoted.
func (c *Callbacks) elected() callbackPair {
	return callbackPair{"Elected", c.OnElected, c.OnDemoted}
}

// of returns the callbacks of a state. Only OnTransition reports the other states.
func (c *StateCallbacks) of(state State) callbackPair {
	switch state {
	case StateLeader:
		return callbackPair{"Leader", c.OnEnterLeader, c.OnLeaveLeader}
	case StateFollower:
		return callbackPair{"Follower", c.OnEnterFollower, c.OnLeaveFollower}
	case StateCandidate:
		return callbackPair{"Candidate", c.OnEnterCandidate, c.OnLeaveCandidate}
	default:
		return callbackPair{}
	}
}

// active reports whether there is any callback.
func (c *Callbacks) active() bool {
	for _, pair := range []callbackPair{c.of(StateLeader), c.of(StateFollower), c.of(StateCandidate), c.elected()} {
		if pair.enter != nil || pair.leave != nil {
			return true
		}
	}
	return c.OnTransition != nil || c.OnNewLeader != nil || c.OnLeadershipChange != nil || c.OnCandidatesChange != nil ||
		c.OnStoreError != nil
}

// withoutJeopardy returns the state as the callbacks of a pair see it.
func withoutJeopardy(s State) State {
	if s == StateJeopardy {
		return StateLeader
	}
	return s
}
