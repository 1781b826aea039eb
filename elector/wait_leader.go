package elector

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// WaitLeader waits until a leader stands that has accepted and whose lease is live, as far
// as this process can prove it, and returns it. It may be this process.
//
// The newest read decides, so a leader that a read has seen displaced is never returned. By
// observation, a process that reads the leader record for the first time cannot know if the
// leader is alive. WaitLeader then waits for the next renewal, which takes at most about one
// heartbeat interval. By clock, it compares the wall clocks. A leader that has been handed
// leadership counts after it has accepted. If this process leads itself, its own deadline
// decides.
//
// WaitLeader reads nothing that the loop would not read. It works beside Start, Run and
// Campaign. If nothing else uses the elector, it subscribes while it waits, as Subscribe does.
// The answer may be out of date at once, and is not a fence.
//
// If ctx ends first, the error is an *election.UnsettledError, which says why there is no
// answer. It matches the cause of ctx, and the error of the store if there is one. WaitLeader
// returns the error of the elector if it stops meanwhile, or ErrNotRunning.
func (e *Elector) WaitLeader(ctx context.Context) (LeaderInfo, error) {
	if ctx.Err() != nil {
		return LeaderInfo{}, context.Cause(ctx)
	}
	if leader, err := e.settled(e.status.Load()); err == nil {
		return leader, nil
	}
	s, sub, err := e.subscribe(ctx)
	if err != nil {
		return LeaderInfo{}, err
	}
	defer s.removeSubscriber()
	defer e.broadcaster.remove(sub)
	for {
		next := e.published.next()
		st := e.status.Load()
		leader, unsettled := e.settled(st)
		if unsettled == nil {
			return leader, nil
		}
		select {
		case <-next:
		case <-s.done:
			if s.err != nil {
				return LeaderInfo{}, s.err
			}
			return LeaderInfo{}, ErrNotRunning
		case <-ctx.Done():
			return LeaderInfo{}, st.unsettled(context.Cause(ctx), unsettled)
		}
	}
}

// settled returns the leader of a status if it is settled, and otherwise why not.
func (e *Elector) settled(st *status) (LeaderInfo, error) {
	switch {
	case st.State == machine.StateStopped, st.Config.Revision == 0:
		return LeaderInfo{}, ErrNoAnswer
	case st.leads() != nil:
	case st.Leader.HeldBy(st.Me.Identity):
		return LeaderInfo{}, &election.UnsettledError{Leader: st.Leader, Problem: "this process holds leadership and does not lead"}
	default:
		clock := e.options.Clock
		if err := st.Freshness.Settled(st.Config.Expiry, st.Leader, clock.Wall(), clock.Now()); err != nil {
			return LeaderInfo{}, err
		}
	}
	return withMetadata(&st.View, st.Leader), nil
}

// unsettled returns the error of a wait that ended because of cause, although there was no
// settled leader.
func (st *status) unsettled(cause, why error) error {
	result := &election.UnsettledError{Leader: st.Leader, Problem: why.Error(), Err: cause}
	if known, ok := errors.AsType[*election.UnsettledError](why); ok {
		result.Problem = known.Problem
	}
	if st.storeError != nil {
		result.Err = fmt.Errorf("%w: %w", cause, st.storeError)
	}
	return result
}

// published tells when the next status is published.
type published struct {
	mu      sync.Mutex
	waiting chan struct{} // nil: nothing waits
}

// next returns a channel that is closed when the next status is published.
func (p *published) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = make(chan struct{})
	}
	return p.waiting
}

// wake closes the channel of next.
func (p *published) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}
