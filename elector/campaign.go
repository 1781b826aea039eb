package elector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Campaign waits until this process leads, and returns its leadership. It goes
// on through every failure of the database, for as long as ctx allows. The caller
// works until Leadership.Context ends, which carries the values of ctx. When the work
// has ended, for this reason or any other, the caller calls Leadership.Resign. Until
// then, or until Leadership.LeaseContext ends, the seat is not released.
//
// If the caller does not resign a tenure that was lost, that Leadership is over
// when its Lease ends, and the elector does not wait for its work any longer. The
// next campaign claims the seat again, and reports an UnfinishedWorkError once.
//
// Between two campaigns the elector stays listed as a candidate and does not
// lead; Stop ends that. Several calls at once lead one after the other.
//
// Errors: fdbelection.ErrNotVoting at once for an observer, and if the elector becomes
// one. ErrRunning if Start or Run use the elector, and why it has stopped. If ctx ends
// first, the error matches the cause of ctx and what this process last knew to stand in
// the way: an UnfinishedWorkError if an earlier Leadership was not resigned; the error of
// the store, fdbelection.ErrNotInitialized included, or ErrNoAnswer;
// fdbelection.ErrElectionDisabled; a OtherLeaderError if another process leads.
func (e *Elector) Campaign(ctx context.Context) (*Leadership, error) {
	s, err := e.open(ctx, campaigning, machine.StandBy)
	if err != nil {
		return nil, err
	}
	c := &campaign{values: context.WithoutCancel(ctx), won: make(chan *Leadership, 1), refused: make(chan error, 1)}
	s.queue(c)
	select {
	case lead := <-c.won:
		return lead, nil
	case err := <-c.refused:
		return nil, err
	case <-s.done:
		if s.err != nil {
			return nil, s.err
		}
		return nil, ErrNotRunning
	case <-ctx.Done():
		err := context.Cause(ctx)
		for _, obstacle := range s.withdraw(c) {
			err = fmt.Errorf("%w: %w", err, obstacle)
		}
		return nil, err
	}
}

// campaign is a call of Campaign that waits.
type campaign struct {
	values  context.Context // of its caller, without its end
	won     chan *Leadership
	refused chan error
}

// queue enters a campaign.
func (s *session) queue(c *campaign) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportUnresigned()
	s.campaigns = append(s.campaigns, c)
	if s.role != election.Voter {
		s.refuseCampaigns()
		return
	}
	s.take(machine.AimChanged{Aim: machine.Campaign})
}

// refuseCampaigns ends the campaigns of a process that has become an observer. The
// caller holds s.mu.
func (s *session) refuseCampaigns() {
	for _, c := range s.campaigns {
		c.refused <- fdbelection.ErrNotVoting
	}
	s.campaigns = nil
	s.standBy()
}

// standBy stops campaigning if no campaign is left and none is won. The caller holds
// s.mu.
func (s *session) standBy() {
	if s.mode == campaigning && len(s.campaigns) == 0 && s.lead == nil {
		s.take(machine.AimChanged{Aim: machine.StandBy})
	}
}

// withdraw takes a campaign back and returns what stood in its way. If it has just been
// won, the seat is given up again.
func (s *session) withdraw(c *campaign) (obstacles []error) {
	s.mu.Lock()
	waiting := len(s.campaigns)
	s.campaigns = slices.DeleteFunc(s.campaigns, func(other *campaign) bool { return other == c })
	if len(s.campaigns) < waiting { // it has not been won
		obstacles = s.obstacles()
	}
	s.standBy()
	s.mu.Unlock()
	select {
	case lead := <-c.won:
		lead.end(nil)
	default:
	}
	return obstacles
}

// obstacles returns what keeps a campaign from success, as far as this process knows.
// The caller holds s.mu.
func (s *session) obstacles() (all []error) {
	view := s.machine.View()
	switch {
	case s.lead != nil && !s.lead.finished:
		term := s.lead.Term()
		return []error{&UnfinishedWorkError{Term: term, Problem: fmt.Sprintf(
			"leadership of term %d is held by an earlier campaign: it has to be resigned first", term)}}
	case s.unresigned != nil:
		all = append(all, unresigned(s.unresigned))
	}
	switch {
	case s.storeError != nil: // what was read before may be outdated
		all = append(all, s.storeError)
	case view.Config.Revision == 0:
		all = append(all, ErrNoAnswer)
	case !view.Config.ElectionEnabled:
		all = append(all, fdbelection.ErrElectionDisabled)
	case s.awaited != nil:
		all = append(all, fmt.Errorf("another process is registered under this id, and may be alive: %s", s.awaited))
	case !view.Leader.Vacant() && !view.Leader.HeldBy(s.me):
		all = append(all, &OtherLeaderError{Leader: withMetadata(&view, view.Leader)})
	case s.clock.Now().Before(view.HoldOff):
		all = append(all, errors.New("this process holds off, because it was asked to resign or its work failed"))
	}
	return all
}
