package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// transferFlags are those of "transfer".
type transferFlags struct {
	requestFlags
	to    string
	force bool
}

func (a *app) transferCommand() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use:   "transfer --store STORE --to ID [flags]",
		Short: "Ask the leader to hand its seat to another candidate, and wait until that leads",
		Long: `transfer asks the leader of the term that stands to hand its seat to one candidate,
and waits until that candidate leads. The leader finishes its work first. The new
leader is safe from preemption for a lease.

The candidate has to be registered, a voter, and alive: its last heartbeat, by the clock
here, not older than the candidate timeout. Where the clocks of its host and of this one
do not agree, --force asks all the same. A candidate that restarts meanwhile is another
one, and the leader drops the request.

Where it does not lead within --timeout the request is withdrawn (unless --keep is
given), and transfer ends with 5; where nobody leads, or in the end somebody else
does, with 3.`,
		Example: `  fdbelect transfer --store file:/tmp/demo.db --to b
  fdbelect transfer --store file:/tmp/demo.db --to b --timeout 30s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.to == "" {
				return usage(errors.New("--to is missing: name the candidate that is to lead; \"fdbelect candidates\" lists them"))
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			to := election.Identity{ID: f.to}
			if err := to.Validate(); err != nil {
				return usage(fmt.Errorf("--to: %w", err))
			}
			return a.transfer(cmd.Context(), &f)
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&f.to, "to", "", "id of the candidate that is to lead (required)")
	cmd.Flags().BoolVar(&f.force, "force", false, "ask even if the candidate looks dead")
	return cmd
}

// parties are the seat, and who is to have it.
type parties struct {
	election.State
	heir election.Candidate
}

func (a *app) transfer(ctx context.Context, f *transferFlags) error {
	s, err := f.enter(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	seen, err := look(ctx, s, func(tr kv.ReadTransaction) (p parties, err error) {
		if p.State, err = s.election.ReadState(tr); err != nil {
			return p, err
		}
		p.heir, err = s.election.GetCandidate(tr, f.to)
		return p, err
	})
	if err == nil {
		err = s.mayLead(ctx, f, &seen)
	}
	if err != nil {
		return f.explainTarget(err)
	}
	r, err := s.newRequest(&f.requestFlags, seen.Leader, "to hand its seat to "+seen.heir.Identity.String())
	if err != nil {
		return err
	}
	err = r.send(ctx, func(tr kv.Transaction) error {
		return s.election.RequestTransfer(tr, r.seat.Term, f.to, r.nonce)
	})
	if err != nil {
		return f.explainTarget(err)
	}
	last, err := r.wait(ctx, func(state election.State) (bool, error) { return r.received(state, f.to) })
	fate := ""
	if unfinished(err) {
		wait := err
		last, fate = r.withdraw(ctx)
		if done, now := r.received(last, f.to); last.Config.Revision > 0 && (done || now != nil) {
			err = now // it came about after all, or never will
		} else {
			err = wait
		}
	}
	switch {
	case err == nil:
		fmt.Fprintf(a.stdout, "%s leads in term %d, after %s\n", last.Leader.Identity, last.Leader.Term, r.took())
		return nil
	case errors.Is(err, errWaitOver) && last.Leader.Term == r.seat.Term+1 && last.Leader.Nonce == r.nonce:
		return timedOut(fmt.Errorf("%s was handed the seat in term %d, and has not accepted it within %s: if it is dead, the seat is free after its short lease of %s",
			last.Leader.Identity, last.Leader.Term, f.patience, last.Leader.LeaseDuration))
	case errors.Is(err, errWaitOver):
		return timedOut(fmt.Errorf("%s does not lead within %s; %s. The work of %s may take longer, or that is dead or cut off: see \"fdbelect candidates\"",
			seen.heir.Identity, f.patience, fate, r.seat.Identity))
	default:
		return broken(err, seen.heir.Identity.String()+" leads", fate)
	}
}

// mayLead says what is wrong with a transfer, before anything is asked.
func (s *session) mayLead(ctx context.Context, f *transferFlags, p *parties) error {
	over, err := f.overAlready(p.Leader)
	switch {
	case err != nil:
		return err
	case over:
		return fmt.Errorf("%w: term %d is over already, %s", fdbelection.ErrNotLeader, f.term, seatText(p.Leader))
	case p.Leader.ID == f.to:
		return fmt.Errorf("%s leads already, in term %d; nothing was changed", p.Leader.Identity, p.Leader.Term)
	case !p.Config.ElectionEnabled:
		return fmt.Errorf("%w, so nobody can be handed the seat: enable it first with \"fdbelect config enable\"", fdbelection.ErrElectionDisabled)
	case p.heir.Role != election.Voter:
		return fdbelection.ErrNotVoting
	case f.force:
		return nil
	}
	return s.mayHear(ctx, f.to)
}

// mayHear says that a candidate looks dead: by the clocks, and because it sent no
// heartbeat while the command listened. A store that is slow says nothing about it.
func (s *session) mayHear(ctx context.Context, id string) error {
	begin := s.app.clock.Now()
	seen, err := s.listen(ctx, false, id)
	if err != nil {
		return err
	}
	for i := range seen.candidates {
		if c := &seen.candidates[i]; c.ID == id && *cmp.Or(seen.silent(c), new(bool)) {
			return fmt.Errorf("%s looks dead: it sent no heartbeat for %s; add --force to ask all the same",
				c.Identity, ago(s.app.clock.Now().Sub(begin)))
		}
	}
	return nil
}

// explainTarget says what can be done about a candidate that cannot lead.
func (f *transferFlags) explainTarget(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrProcessNotFound):
		return fmt.Errorf("%w; \"fdbelect candidates\" lists those that are", err)
	case errors.Is(err, fdbelection.ErrNotVoting):
		return fmt.Errorf("%s cannot be handed the seat: %w; choose a voter of \"fdbelect candidates\"", election.SafeText(f.to), fdbelection.ErrNotVoting)
	default:
		return err
	}
}

// received reports whether the candidate leads by this request. That it never
// will, because the tenure has ended otherwise, is an error.
func (r *request) received(state election.State, to string) (bool, error) {
	switch l := state.Leader; {
	case sameTenure(l, r.seat):
		return false, nil
	case l.Term == r.seat.Term+1 && l.Nonce == r.nonce && !l.Vacant():
		return l.Accepted, nil
	default:
		return false, fmt.Errorf("%w: %s does not lead by this request, term %d ended otherwise; %s",
			fdbelection.ErrNotLeader, election.SafeText(to), r.seat.Term, seatText(l))
	}
}
