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

// Campaign waits until this process leads and returns its leadership. It retries every
// failure of the store until ctx ends. Work until Leadership.Context ends, which carries
// the values of ctx. When the work has ended, for this reason or another, call
// Leadership.Resign. Leadership is not released before that, or before
// Leadership.LeaseContext ends.
//
// If you do not resign a tenure that was lost, the elector stops waiting for its work when
// LeaseContext ends. The next campaign can then claim again, and an UnfinishedWorkError is
// reported once.
//
// Between two campaigns the elector stays registered and does not lead. Stop ends that.
// Several concurrent calls lead one after the other.
//
// Campaign returns fdbelection.ErrNotVoting if the process is or becomes an observer,
// ErrRunning if Start or Run use the elector, and the elector's error if it has stopped.
// If ctx ends first, the error matches the cause of ctx and, as far as this process knows,
// what prevented the campaign:
//   - an UnfinishedWorkError if an earlier Leadership was not resigned
//   - the error of the store, including fdbelection.ErrNotInitialized, or ErrNoAnswer
//   - fdbelection.ErrElectionDisabled
//   - an OtherLeaderError if another process leads
//   - fdbelection.ErrNotReady if this process is not ready (Options.Ready)
func (e *Elector) Campaign(ctx context.Context) (*Leadership, error) {
	s, err := e.open(ctx, campaigning, machine.StandBy)
	if err != nil {
		return nil, err
	}
	c := &campaign{values: context.WithoutCancel(ctx), won: make(chan *Leadership, 1), refused: make(chan error, 1)}
	s.addCampaign(c)
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
		for _, obstacle := range s.removeCampaign(c) {
			err = fmt.Errorf("%w: %w", err, obstacle)
		}
		return nil, err
	}
}

// campaign is a call of Campaign that waits.
type campaign struct {
	values  context.Context // the caller's values, without the end of its context
	won     chan *Leadership
	refused chan error
}

func (s *session) addCampaign(c *campaign) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportUnresigned()
	s.campaigns = append(s.campaigns, c)
	if s.role != election.Voter {
		s.refuseCampaigns()
		return
	}
	s.handle(machine.AimChanged{Aim: machine.Campaign})
}

// refuseCampaigns ends all campaigns because the process has become an observer. The
// caller holds s.mu.
func (s *session) refuseCampaigns() {
	for _, c := range s.campaigns {
		c.refused <- fdbelection.ErrNotVoting
	}
	s.campaigns = nil
	s.standBy()
}

// standBy stops campaigning if there is neither a campaign nor a tenure. The caller holds
// s.mu.
func (s *session) standBy() {
	if s.mode == campaigning && len(s.campaigns) == 0 && s.lead == nil {
		s.handle(machine.AimChanged{Aim: machine.StandBy})
	}
}

// removeCampaign ends a campaign and returns what prevented it. If it has just been won,
// the tenure is resigned.
func (s *session) removeCampaign(c *campaign) (obstacles []error) {
	s.mu.Lock()
	waiting := len(s.campaigns)
	s.campaigns = slices.DeleteFunc(s.campaigns, func(other *campaign) bool { return other == c })
	if len(s.campaigns) < waiting { // not won
		obstacles = s.obstacles()
	}
	s.standBy()
	s.mu.Unlock()
	select {
	case lead := <-c.won:
		lead.workReturned(nil)
	default:
	}
	return obstacles
}

// obstacles returns what prevents a campaign from being won, as far as this process
// knows. The caller holds s.mu.
func (s *session) obstacles() (all []error) {
	view := s.machine.View()
	switch {
	case s.lead != nil && !s.lead.finished:
		term := s.lead.Term()
		return []error{&UnfinishedWorkError{Term: term, Problem: fmt.Sprintf(
			"an earlier campaign still holds leadership of term %d: resign it first", term)}}
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
	case s.existing != nil:
		all = append(all, fmt.Errorf("another process is registered under this id and may be alive: %s", s.existing))
	case !view.Leader.Vacant() && !view.Leader.HeldBy(s.me):
		all = append(all, &OtherLeaderError{Leader: withMetadata(&view, view.Leader)})
	case view.Me.NotReady != "":
		all = append(all, fmt.Errorf("%w: %s", fdbelection.ErrNotReady, election.SafeText(view.Me.NotReady)))
	case s.clock.Now().Before(view.HoldOff):
		all = append(all, errors.New("this process holds off because it was asked to resign, its work failed, or it was not ready while it led"))
	}
	return all
}
