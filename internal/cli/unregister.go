package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"

	"github.com/fdbelection/fdbelection"
)

func (a *app) unregisterCommand() *cobra.Command {
	var x access
	var force bool
	cmd := &cobra.Command{
		Use:   "unregister --store STORE [flags] ID",
		Short: "Remove one candidate from the list",
		Long: `unregister removes the record of one candidate, of the incarnation that it sees and no
other: a process that starts under the same id meanwhile stays. It removes at once, by
the clock here; "evict" watches instead, and removes all that are dead.

A candidate that looks alive, or that holds the seat, is removed with --force only. One
that is alive registers again at its next heartbeat, with a later rank. The one that holds
the seat loses it with its record: what that means is said in "resign --help", under
--force.`,
		Example: `  fdbelect unregister --store file:/tmp/demo.db a
  fdbelect unregister --store file:/tmp/demo.db --force a`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(fmt.Errorf("%d ids are given; name one candidate, as in: fdbelect unregister --store file:/tmp/demo.db a", len(args)))
			}
			id := election.Identity{ID: args[0]}
			if err := id.Validate(); err != nil {
				return usage(err)
			}
			return a.unregister(cmd.Context(), &x, id.ID, force)
		},
	}
	x.addFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "even if the candidate looks alive, or leads")
	return cmd
}

// member is a candidate, beside what its removal would mean.
type member struct {
	election.Candidate
	leads   bool
	seat    election.Token // of whoever leads
	timeout time.Duration
}

func (s *session) member(tr kv.ReadTransaction, id string) (m member, err error) {
	state, err := s.election.ReadState(tr)
	if err != nil {
		return m, err
	}
	leader := state.Leader
	m.Candidate, err = s.election.GetCandidate(tr, id)
	m.leads, m.seat, m.timeout = leader.HeldBy(m.Identity), leader.Token(), state.Config.CandidateTimeout
	return m, err
}

func (a *app) unregister(ctx context.Context, x *access, id string, force bool) error {
	s, err := a.enter(ctx, x, true)
	if err != nil {
		return err
	}
	defer s.close()
	seen, err := look(ctx, s, func(tr kv.ReadTransaction) (member, error) { return s.member(tr, id) })
	switch {
	case errors.Is(err, fdbelection.ErrProcessNotFound):
		return fmt.Errorf("%w; \"fdbelect candidates\" lists those that are", err)
	case err != nil:
		return err
	}
	if err := a.mayGo(&seen, force); err != nil {
		return err
	}
	_, err = act(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		now, err := s.member(tr, id)
		switch {
		case errors.Is(err, fdbelection.ErrProcessNotFound):
			return none, s.election.UnregisterCandidate(tr, seen.Identity, a.clock.Wall()) // it has gone, by an earlier run or another hand
		case err != nil:
			return none, err
		case now.Identity != seen.Identity:
			return none, fmt.Errorf("%s has restarted meanwhile as %s; nothing was changed", seen.Identity, now.Identity)
		case !force && !unchanged(&now.Candidate, &seen.Candidate):
			return none, fmt.Errorf("%s is alive: it has just sent a heartbeat; nothing was changed, remove it with --force", seen.Identity)
		case !force && now.leads:
			return none, a.mayGo(&now, force)
		}
		if now.leads {
			if err := s.election.DeposeLeader(tr, now.seat, 0, a.clock.Wall()); err != nil { // so that the history says who it was
				return none, err
			}
		}
		return none, s.election.UnregisterCandidate(tr, seen.Identity, a.clock.Wall())
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "removed %s%s\n", seen.Identity, either(seen.leads, ", and gave up its seat", ""))
	return nil
}

// mayGo says why a candidate is not removed without force.
func (a *app) mayGo(m *member, force bool) error {
	age := a.clock.Wall().Sub(m.LastHeartbeat)
	switch {
	case force:
		return nil
	case m.leads:
		return fmt.Errorf("%s holds the seat; ask it to step down with \"fdbelect resign\" first, or take record and seat from it with --force (see --help)", m.Identity)
	case age <= m.timeout:
		return fmt.Errorf("%s looks alive: its last heartbeat is %s old by the clock here, and the candidate timeout is %s; stop its process, or add --force (it registers again if it runs)",
			m.Identity, ago(max(age, 0)), m.timeout)
	}
	return nil
}
