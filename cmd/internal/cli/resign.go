package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// resignFlags are the flags of "resign".
type resignFlags struct {
	requestFlags
	force, yes bool
}

func (a *app) resignCommand() *cobra.Command {
	var f resignFlags
	cmd := &cobra.Command{
		Use:   "resign --store STORE [flags]",
		Short: "Ask the leader to step down, and wait until it has",
		Long: `resign asks the leader of the current term to step down, and waits until that term has
ended. The leader finishes its work first, and does not claim for a lease, so that another
candidate takes over. If it has not stepped down within --timeout, the request is withdrawn
(unless you give --keep), and resign ends with 5. If there is no leader, it ends with 3. With
--term it is for that term only, and may be repeated. resign says how the term ended, and who
leads now.

A leader that has died cannot answer, and its lease expires by itself. --force ends its
tenure before that. It means:

  - Fenced writes of that leader are refused at once, wherever it is.
  - If it is alive after all, and only unreachable or stopped, it may act as the leader
    until its own lease expires. Until then, whatever it does without the fence goes on
    beside its successor: calls to other services, files, mails.

So --force first watches the leader for a complete lease, on the local clock, and ends its
tenure only if it did not renew. --yes does not watch.`,
		Example: `  fdbelect resign --store file:/tmp/demo.db
  fdbelect resign --store file:/tmp/demo.db --timeout 30s --keep
  fdbelect resign --store file:/tmp/demo.db --force`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.yes && !f.force:
				return exit.Usage(errors.New("--yes needs --force"))
			case f.force && (f.keep || f.replace):
				return exit.Usage(errors.New("--keep and --replace are for requests, and --force makes none"))
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.resign(cmd.Context(), &f)
		},
	}
	f.addFlags(cmd)
	cmd.Flags().BoolVar(&f.force, "force", false, "end the tenure of a dead leader")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --force: at once, even if the leader is alive")
	return cmd
}

func (a *app) resign(ctx context.Context, f *resignFlags) error {
	s, err := f.enter(ctx, a.Program)
	if err != nil {
		return err
	}
	defer s.End()
	state, err := session.ReadTransact(ctx, s, s.Election.ReadStatus)
	if err != nil {
		return err
	}
	over, err := f.overAlready(state.Leader)
	switch {
	case err != nil:
		return err
	case over:
		return a.ShowLines(f.Output, endedTo(election.Identity{}, f.term, state.Leader),
			fmt.Sprintf("term %d has already ended; %s", f.term, leaderText(state.Leader)))
	case f.force:
		return a.forceResign(ctx, s, f, state)
	}
	r, err := newRequest(s, &f.requestFlags, state.Leader, "to step down")
	if err != nil {
		return err
	}
	err = r.send(ctx, func(tr kv.Transaction) error {
		return s.Election.RequestResign(tr, r.leader.Term, r.nonce)
	})
	if err != nil {
		return err
	}
	over = false
	last, err := r.wait(ctx, func(state election.Status) (bool, error) {
		over = !sameTenure(state.Leader, r.leader)
		return over, nil
	})
	fate := ""
	if unfinished(err) {
		last, fate = r.withdraw(ctx)
		over = last.Config.Revision > 0 && !sameTenure(last.Leader, r.leader)
	}
	switch {
	case over:
		return r.showEnd(ctx, last.Leader)
	case errors.Is(err, errWaitOver):
		return exit.TimedOut(fmt.Errorf("%s has not stepped down within %s; %s. Its work may take longer, or it is dead or unreachable: see \"fdbelect candidates\", and for a dead leader \"fdbelect resign --force\"",
			r.leader.Identity, f.patience, fate))
	default:
		return broken(err, r.leader.Identity.String()+" has stepped down", fate)
	}
}

// ended returns how the term ended, by the history, and the leader now: a candidate may
// have taken over since.
func (r *request) ended(ctx context.Context, last election.LeaderRecord) (reason string, now election.LeaderRecord) {
	type end struct {
		leader election.LeaderRecord
		events []election.Event
	}
	seen, err := session.ReadTransact(context.WithoutCancel(ctx), r.Session, func(tr kv.ReadTransaction) (e end, err error) {
		if e.leader, err = r.Election.GetLeaderRaw(tr); err == nil {
			e.events, _ = r.Election.History(tr, records.SnapshotEvents) // an unreadable event is left out
		}
		return e, err
	})
	if err != nil {
		return "", last
	}
	for i := range seen.events {
		v := &seen.events[i]
		if v.Term == r.leader.Term && v.Kind == election.EventEnded || v.Term == r.leader.Term+1 && v.Kind == election.EventBegan {
			reason = v.Reason // the end is older, so it comes last
		}
	}
	return reason, seen.leader
}

// showEnd shows how the term ended.
func (r *request) showEnd(ctx context.Context, last election.LeaderRecord) error {
	reason, now := r.ended(ctx, last)
	done := endedTo(r.leader.Identity, r.leader.Term, now)
	done.Changed, done.Reason, done.Waited = true, reason, output.Duration(r.Program.Clock.Now().Sub(r.since))
	why := ""
	if reason != "" {
		why = " (" + election.SafeText(reason) + ")"
	}
	return r.Program.ShowLines(r.flags.Output, done,
		fmt.Sprintf("term %d of %s ended after %s%s; %s", r.leader.Term, r.leader.Identity, output.Age(time.Duration(done.Waited)), why,
			output.Either(now.Vacant(), "no candidate has followed yet", leaderText(now))))
}

// forceResign ends the tenure of the leader without its consent.
func (a *app) forceResign(ctx context.Context, s *session.Session, f *resignFlags, state election.Status) error {
	leader := state.Leader
	ballot := uint64(0) // any ballot
	if !f.yes {
		if err := watchDead(ctx, s, leader); err != nil {
			return err
		}
		ballot = leader.Ballot
	}
	begin := a.Clock.Now()
	_, err := session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		return none, s.Election.ForceResign(tr, leader.Token(), ballot, a.Clock.Wall())
	})
	switch {
	case errors.Is(err, fdbelection.ErrLeaderRenewed):
		return aliveError(leader)
	case err != nil:
		return err
	}
	r := &request{Session: s, flags: &f.requestFlags, leader: leader, since: begin}
	reason, now := r.ended(ctx, election.LeaderRecord{Term: leader.Term, Ballot: leader.Ballot + 1})
	done := endedTo(leader.Identity, leader.Term, now)
	done.Changed, done.Reason, done.Waited = true, reason, output.Duration(a.Clock.Now().Sub(begin))
	text := []string{fmt.Sprintf("%s was forced to resign, and term %d has ended: its fenced writes are refused from now on", leader.Identity, leader.Term)}
	if f.yes {
		text = append(text, fmt.Sprintf("if it is alive, it may still act as the leader outside the fence for up to %s", leader.LeaseDuration))
	}
	return a.ShowLines(f.Output, done, text...)
}

// watchDead returns nil if the leader did not renew for its complete lease, on the local
// clock.
func watchDead(ctx context.Context, s *session.Session, leader election.LeaderRecord) error {
	p := s.Program.NewProgress()
	defer p.Done()
	begin := s.Program.Clock.Now() // after the read that saw the leader
	seen := election.Observation{}.Next(leader, begin)
	for {
		passed := s.Program.Clock.Now().Sub(begin)
		if passed >= leader.LeaseDuration {
			return nil
		}
		p.Show(fmt.Sprintf("watching whether %s renews: %s of %s", leader.Identity, output.Age(passed), leader.LeaseDuration), int64(passed), int64(leader.LeaseDuration))
		if err := clock.Sleep(ctx, s.Program.Clock, min(waitInterval, leader.LeaseDuration-passed)); err != nil {
			return errors.New("interrupted while the leader was watched; nothing was changed")
		}
		now, err := session.ReadTransact(ctx, s, s.Election.GetLeaderRaw)
		if err != nil {
			return err
		}
		next := seen.Next(now, s.Program.Clock.Now())
		switch {
		case !sameTenure(now, leader):
			return fmt.Errorf("%w: leadership has changed in the meantime, %s; nothing was changed", fdbelection.ErrNotLeader, leaderText(now))
		case next.Ballot != seen.Ballot:
			return aliveError(leader)
		}
		seen = next
	}
}

func aliveError(leader election.LeaderRecord) error {
	return fmt.Errorf("%s is alive: it has renewed its lease; nothing was changed. Ask it with \"fdbelect resign\", without --force; if it must lose leadership at once, and its work outside the fence can do no harm, add --yes", leader.Identity)
}
