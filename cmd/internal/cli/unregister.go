package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) unregisterCommand() *cobra.Command {
	var r session.Report
	var force bool
	cmd := &cobra.Command{
		Use:   "unregister --store STORE [flags] ID",
		Short: "Remove one candidate",
		Long: `unregister removes the record of one candidate, of the incarnation that it sees and no
other: a process that starts with the same id meanwhile stays. It does not rely on other
hosts' clocks. It watches the candidate for one candidate timeout, and removes it if its
record did not change. "evict" does that for all candidates.

--force does not watch, and also removes a candidate that is alive or leads. A live candidate
registers again with its next heartbeat, with a later rank. The leader loses leadership with
its record: "resign --help" says under --force what that means.`,
		Example: `  fdbelect unregister --store file:/tmp/demo.db a
  fdbelect unregister --store file:/tmp/demo.db --force a`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usage(fmt.Errorf("%d ids are given; name one candidate, as in: fdbelect unregister --store file:/tmp/demo.db a", len(args)))
			}
			id := election.Identity{ID: args[0]}
			if err := id.Validate(); err != nil {
				return exit.Usage(err)
			}
			return a.unregister(cmd.Context(), &r, id.ID, force)
		},
	}
	r.AddFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "remove the candidate even if it is alive or leads")
	return cmd
}

// member is a candidate, and whether it leads.
type member struct {
	election.Candidate
	leads  bool
	leader election.Token
}

func readMember(e *election.LeaderElection, tr kv.ReadTransaction, id string) (m member, err error) {
	status, err := e.ReadStatus(tr)
	if err != nil {
		return m, err
	}
	leader := status.Leader
	m.Candidate, err = e.GetCandidate(tr, id)
	m.leads, m.leader = leader.HeldBy(m.Identity), leader.Token()
	return m, err
}

// unregistered is the output of "unregister".
type unregistered struct {
	Candidate *output.Identity `json:"candidate"`
	// ForcedResignation: it led, and its tenure was ended.
	ForcedResignation bool `json:"forced_resignation"`
}

func (a *app) unregister(ctx context.Context, r *session.Report, id string, force bool) error {
	s, err := a.OpenElection(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	seen, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (member, error) { return readMember(s.Election, tr, id) })
	switch {
	case errors.Is(err, fdbelection.ErrProcessNotFound):
		return fmt.Errorf("%w; \"fdbelect candidates\" lists those that are", err)
	case err != nil:
		return err
	}
	if !force {
		if err := mayGo(ctx, s, &seen); err != nil {
			return err
		}
	}
	_, err = session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		now, err := readMember(s.Election, tr, id)
		switch {
		case errors.Is(err, fdbelection.ErrProcessNotFound):
			return none, s.Election.UnregisterCandidate(tr, seen.Identity, a.Clock.Wall()) // an earlier attempt or another process has removed it
		case err != nil:
			return none, err
		case now.Identity != seen.Identity:
			return none, fmt.Errorf("%s has restarted as %s in the meantime; nothing was changed", seen.Identity, now.Identity)
		case !force && !records.SameHeartbeat(&now.Candidate, &seen.Candidate):
			return none, livesError(seen.Identity)
		case !force && now.leads:
			return none, leadsError(seen.Identity)
		}
		if now.leads {
			if err := s.Election.ForceResign(tr, now.leader, 0, a.Clock.Wall()); err != nil { // so that the history names it
				return none, err
			}
		}
		return none, s.Election.UnregisterCandidate(tr, seen.Identity, a.Clock.Wall())
	})
	if err != nil {
		return err
	}
	return a.ShowLines(r.Output, unregistered{output.IdentityOf(seen.Identity), seen.leads},
		"removed "+seen.Identity.String()+output.Either(seen.leads, ", and forced it to resign", ""))
}

// mayGo returns why a candidate must not be removed without --force. If it does not lead,
// mayGo watches it for a candidate timeout.
func mayGo(ctx context.Context, s *session.Session, m *member) error {
	if m.leads {
		return leadsError(m.Identity)
	}
	dead, err := withoutHeartbeat(ctx, s, []election.Candidate{m.Candidate})
	if err == nil && len(dead) == 0 {
		err = livesError(m.Identity)
	}
	return err
}

func leadsError(id election.Identity) error {
	return fmt.Errorf("%s holds leadership; ask it to step down with \"fdbelect resign\" first, or remove its record and end its tenure with --force (see --help)", id)
}

func livesError(id election.Identity) error {
	return fmt.Errorf("%s is alive: its record changed while it was watched; nothing was changed. Stop its process, or add --force (it registers again if it runs)", id)
}
