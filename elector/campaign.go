package elector

import (
	"context"
	"slices"

	"github.com/fdbelection/fdbelection/elector/machine"
)

// Campaign waits until this process leads, and returns its leadership. It goes
// on through every failure of the database, for as long as ctx allows. The caller
// works until Leadership.Context ends, and then, or whenever it has enough, calls
// Leadership.Resign: until then, or until the time to stop is over, the seat is
// not released.
//
// Between two campaigns the elector stays listed as a candidate and does not
// lead; Stop ends that. Several calls at once lead one after the other.
//
// Errors: the cause of ctx, ErrRunning where Start or Run use the elector, and why
// it has stopped.
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
		s.withdraw(turn)
		return nil, context.Cause(ctx)
	}
}

// queue enters a campaign.
func (s *session) queue(turn chan *Leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.campaigns = append(s.campaigns, turn)
	s.take(machine.Aimed{Aim: machine.Campaign})
}

// withdraw takes a campaign back. Where it has just been won, the seat is given
// up again.
func (s *session) withdraw(turn chan *Leadership) {
	s.mu.Lock()
	s.campaigns = slices.DeleteFunc(s.campaigns, func(c chan *Leadership) bool { return c == turn })
	if len(s.campaigns) == 0 && s.lead == nil {
		s.take(machine.Aimed{Aim: machine.StandBy})
	}
	s.mu.Unlock()
	select {
	case lead := <-turn:
		lead.end(nil)
	default:
	}
}
