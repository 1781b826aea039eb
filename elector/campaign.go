package elector

import (
	"context"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection/elector/machine"
)

// Campaign waits until this process leads, and returns its leadership. It goes
// on through every failure of the database, for as long as ctx allows. The caller
// works until Leadership.Context ends. When the work has ended, for this reason or
// any other, the caller calls Leadership.Resign. Until then, or until
// Leadership.Lease ends, the seat is not released.
//
// If the caller does not resign a tenure that was lost, that Leadership is over
// when its Lease ends, and the elector does not wait for its work any longer. The
// next campaign claims the seat again, and reports an UnfinishedError once.
//
// Between two campaigns the elector stays listed as a candidate and does not
// lead; Stop ends that. Several calls at once lead one after the other.
//
// Errors: the cause of ctx, ErrRunning if Start or Run use the elector, and why it
// has stopped. The cause of ctx is joined by the obstacle, if there was one: an
// UnfinishedError if an earlier Leadership was not resigned,
// fdbelection.ErrNotVoting for an observer, and fdbelection.ErrElectionDisabled.
func (e *Elector) Campaign(ctx context.Context) (*Leadership, error) {
	turn := make(chan *Leadership, 1)
	s, err := e.open(ctx, campaigning, machine.StandBy)
	if err != nil {
		return nil, err
	}
	s.queue(turn)
	select {
	case lead := <-turn:
		return lead, nil
	case <-s.done:
		if s.err != nil {
			return nil, s.err
		}
		return nil, ErrNotRunning
	case <-ctx.Done():
		if hindrance := s.withdraw(turn); hindrance != nil {
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), hindrance)
		}
		return nil, context.Cause(ctx)
	}
}

// queue enters a campaign.
func (s *session) queue(turn chan *Leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportUnresigned()
	s.campaigns = append(s.campaigns, turn)
	s.take(machine.Aimed{Aim: machine.Campaign})
}

// withdraw takes a campaign back and returns what kept it from success, if
// anything but the leader did. If it has just been won, the seat is given up again.
func (s *session) withdraw(turn chan *Leadership) error {
	s.mu.Lock()
	waiting := len(s.campaigns)
	s.campaigns = slices.DeleteFunc(s.campaigns, func(c chan *Leadership) bool { return c == turn })
	var hindrance error
	if len(s.campaigns) < waiting { // it has not been won
		hindrance = s.hindrance()
	}
	if len(s.campaigns) == 0 && s.lead == nil {
		s.take(machine.Aimed{Aim: machine.StandBy})
	}
	s.mu.Unlock()
	select {
	case lead := <-turn:
		lead.end(nil)
	default:
	}
	return hindrance
}
