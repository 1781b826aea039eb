package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// transferFlags are the flags of "transfer".
type transferFlags struct {
	requestFlags
	to    string
	force bool
}

func (a *app) transferCommand() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use:   "transfer --store STORE --to ID [flags]",
		Short: "Ask the leader to hand over to another candidate, and wait until that leads",
		Long: `transfer asks the leader of the current term to hand over to one candidate, and waits until
that candidate leads. The leader finishes its work first. The new leader is protected from
preemption for a lease.

The candidate must be registered, a voter, and alive. If its last heartbeat is older than the
candidate timeout by the clocks, transfer first waits for a heartbeat of it. --force does
not. A candidate that restarts meanwhile is another incarnation, and the request is void.

transfer ends with 0 if the candidate leads, also if it led before. With --term it is for
that term only, and may be repeated: it ends with 0 if that term was handed to the candidate.
If the candidate does not lead within --timeout, the request is withdrawn (unless you give
--keep), and transfer ends with 5. It ends with 3 if there is no leader to ask, if another
candidate leads in the end, or if the candidate was handed leadership and did not accept.`,
		Example: `  fdbelect transfer --store file:/tmp/demo.db --to b
  fdbelect transfer --store file:/tmp/demo.db --to b --timeout 30s`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.to == "" {
				return exit.Usage(errors.New("--to is missing: name the candidate that is to lead; \"fdbelect candidates\" lists them"))
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			to := election.Identity{ID: f.to}
			if err := to.Validate(); err != nil {
				return exit.Usage(fmt.Errorf("--to: %w", err))
			}
			return a.transfer(cmd.Context(), &f)
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&f.to, "to", "", "id of the candidate that is to lead (required)")
	cmd.Flags().BoolVar(&f.force, "force", false, "do not wait for a heartbeat of the candidate first")
	return cmd
}

// parties are the leader, and the candidate that is to lead.
type parties struct {
	election.Status
	target    election.Candidate
	targetErr error             // why target is not set
	successor election.Identity // in the term after the one that --term names, if it was a transfer
}

func (f *transferFlags) read(e *election.LeaderElection, tr kv.ReadTransaction) (p parties, err error) {
	if p.Status, err = e.ReadStatus(tr); err != nil {
		return p, err
	}
	if f.term != 0 {
		if p.successor, err = handedTo(e, tr, f.term, p.Leader.Term); err != nil {
			return p, err
		}
	}
	p.target, p.targetErr = e.GetCandidate(tr, f.to)
	if p.targetErr != nil && !errors.Is(p.targetErr, fdbelection.ErrProcessNotFound) {
		return p, p.targetErr
	}
	return p, nil
}

// handedTo returns the candidate to which the leader of a term has handed over by a
// transfer, by the history. It reads three events for each term since.
func handedTo(e *election.LeaderElection, tr kv.ReadTransaction, term, newest uint64) (who election.Identity, err error) {
	if newest <= term {
		return who, nil
	}
	events, err := e.History(tr, 3*int(min(newest-term, fdbelection.MaxHistoryLimit)))
	if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) { // the event may be readable
		return who, err
	}
	for i := range events {
		if v := &events[i]; v.Term == term+1 && v.Kind == election.EventBegan && v.Reason == election.AcquireTransfer.String() {
			return v.To, nil
		}
	}
	return who, nil
}

func (a *app) transfer(ctx context.Context, f *transferFlags) error {
	s, err := f.enter(ctx, a.Program)
	if err != nil {
		return err
	}
	defer s.End()
	seen, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (parties, error) { return f.read(s.Election, tr) })
	if err != nil {
		return err
	}
	h := handover{to: election.Identity{ID: f.to, Incarnation: seen.target.Incarnation}}
	switch l := seen.Leader; {
	case l.ID == f.to && l.Accepted && (f.term == 0 || f.term <= l.Term):
		return a.ShowLines(f.Output, endedTo(election.Identity{}, f.term, l),
			fmt.Sprintf("%s already leads, in term %d; nothing was changed", l.Identity, l.Term))
	case l.ID == f.to && (f.term == 0 || f.term <= l.Term): // an earlier request has handed over
		h.handed = l
		h.request = &request{
			Session: s, flags: &f.requestFlags, leader: election.LeaderRecord{Term: l.Term - 1}, since: a.Clock.Now(),
			waiting: fmt.Sprintf("%s was handed leadership in term %d, waiting until it accepts", l.Identity, l.Term),
		}
		return h.await(ctx)
	case seen.successor.ID == f.to:
		return a.ShowLines(f.Output, endedTo(election.Identity{}, f.term, l),
			fmt.Sprintf("term %d was already handed to %s; %s; nothing was changed", f.term, seen.successor, leaderText(l)))
	}
	if err := mayLead(ctx, s, f, &seen); err != nil {
		return f.explainTarget(err)
	}
	if h.request, err = newRequest(s, &f.requestFlags, seen.Leader, "to hand over to "+seen.target.Identity.String()); err != nil {
		return err
	}
	err = h.send(ctx, func(tr kv.Transaction) error {
		return s.Election.RequestTransfer(tr, h.leader.Term, f.to, h.nonce)
	})
	if err != nil {
		return f.explainTarget(err)
	}
	return h.await(ctx)
}

// mayLead returns why a transfer is not possible, before a request is made.
func mayLead(ctx context.Context, s *session.Session, f *transferFlags, p *parties) error {
	over, err := f.overAlready(p.Leader)
	switch {
	case p.targetErr != nil:
		return p.targetErr
	case err != nil:
		return err
	case over:
		return fmt.Errorf("%w: term %d has already ended, %s", fdbelection.ErrNotLeader, f.term, leaderText(p.Leader))
	case !p.Config.ElectionEnabled:
		return fmt.Errorf("%w, so no candidate can be handed leadership: enable it first with \"fdbelect config enable\"", fdbelection.ErrElectionDisabled)
	case p.target.Role != election.Voter:
		return fdbelection.ErrNotVoting
	case f.force:
		return nil
	}
	return checkAlive(ctx, s, f.to)
}

// checkAlive returns an error if a candidate looks dead: by the clocks, and because it
// sent no heartbeat while the command waited. If the store is slow, it does not judge.
func checkAlive(ctx context.Context, s *session.Session, id string) error {
	begin := s.Program.Clock.Now()
	seen, err := listen(ctx, s, false, id)
	if err != nil {
		return err
	}
	for i := range seen.Candidates {
		if c := &seen.Candidates[i]; c.ID == id && *cmp.Or(seen.timedOut(c), new(bool)) {
			return fmt.Errorf("%s looks dead: it sent no heartbeat for %s; add --force to ask all the same",
				c.Identity, output.Age(s.Program.Clock.Now().Sub(begin)))
		}
	}
	return nil
}

// explainTarget says what to do about a candidate that cannot lead.
func (f *transferFlags) explainTarget(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrProcessNotFound):
		return fmt.Errorf("%w; \"fdbelect candidates\" lists those that are", err)
	case errors.Is(err, fdbelection.ErrNotVoting):
		return fmt.Errorf("%s cannot be handed leadership: %w; choose a voter of \"fdbelect candidates\"", election.SafeText(f.to), fdbelection.ErrNotVoting)
	default:
		return err
	}
}

// handover is a transfer request, and what happened to it.
type handover struct {
	*request
	to     election.Identity     // the incarnation that is to lead
	handed election.LeaderRecord // of the candidate, once leadership was handed over to it
}

// await waits until the candidate leads, and shows that.
func (h *handover) await(ctx context.Context) error {
	last, err := h.wait(ctx, h.received)
	fate := ""
	if unfinished(err) && h.nonce != uuid.Nil {
		wait := err
		last, fate = h.withdraw(ctx)
		if done, now := h.received(last); last.Config.Revision > 0 && (done || now != nil) {
			err = now // it succeeded after all, or never will
		} else {
			err = wait
		}
	}
	if errors.Is(err, fdbelection.ErrNotLeader) && h.handed.Vacant() {
		err = h.missed(ctx, err)
	}
	switch {
	case err == nil:
		done := endedTo(h.leader.Identity, h.leader.Term, last.Leader)
		done.Changed, done.Reason, done.Waited = true, last.Leader.AcquireReason.String(), output.Duration(h.Program.Clock.Now().Sub(h.since))
		return h.Program.ShowLines(h.flags.Output, done, fmt.Sprintf("%s leads in term %d, after %s", last.Leader.Identity, last.Leader.Term, output.Age(time.Duration(done.Waited))))
	case errors.Is(err, errWaitOver) && !h.handed.Vacant():
		return exit.TimedOut(fmt.Errorf("%s was handed leadership in term %d, and has not accepted within %s: if it is dead, other candidates may claim when its short lease of %s has expired",
			h.handed.Identity, h.handed.Term, h.flags.patience, h.handed.LeaseDuration))
	case errors.Is(err, errWaitOver):
		return exit.TimedOut(fmt.Errorf("%s does not lead within %s; %s. The work of %s may take longer, or it is dead or unreachable: see \"fdbelect candidates\"",
			h.to, h.flags.patience, fate, h.leader.Identity))
	default:
		return broken(err, h.to.String()+" leads", fate)
	}
}

// received reports whether the candidate leads in the next term. It returns an error if
// the term has ended in another way.
func (h *handover) received(state election.Status) (bool, error) {
	l := state.Leader
	switch {
	case sameTenure(l, h.leader):
		return false, nil
	case l.Term == h.leader.Term+1 && l.ID == h.to.ID && l.AcquireReason == election.AcquireTransfer:
		h.handed = l
		return l.Accepted, nil
	case !h.handed.Vacant():
		return false, fmt.Errorf("%w: %s was handed leadership in term %d and did not accept; %s",
			fdbelection.ErrNotLeader, h.handed.Identity, h.handed.Term, leaderText(l))
	default:
		return false, fmt.Errorf("%w: %s does not lead by this request, term %d ended in another way; %s",
			fdbelection.ErrNotLeader, h.to, h.leader.Term, leaderText(l))
	}
}

// missed corrects the error of a wait that never saw the candidate in the leader record
// although the history says that leadership was handed over to it.
func (h *handover) missed(ctx context.Context, seen error) error {
	type end struct {
		successor election.Identity
		leader    election.LeaderRecord
	}
	now, err := session.ReadTransact(ctx, h.Session, func(tr kv.ReadTransaction) (e end, err error) {
		if e.leader, err = h.Election.GetLeaderRaw(tr); err == nil {
			e.successor, err = handedTo(h.Election, tr, h.leader.Term, e.leader.Term)
		}
		return e, err
	})
	if err != nil || now.successor.ID != h.to.ID {
		return seen
	}
	return fmt.Errorf("%w: %s was handed leadership in term %d, and that term has ended; %s",
		fdbelection.ErrNotLeader, now.successor, h.leader.Term+1, leaderText(now.leader))
}
