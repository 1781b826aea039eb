package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// groupResignFlags are the flags of "group resign".
type groupResignFlags struct {
	session.Report
	patience time.Duration
	term     uint64
	keep     bool
}

func (a *app) groupResignCommand() *cobra.Command {
	var f groupResignFlags
	cmd := &cobra.Command{
		Use:   "resign --store STORE [flags] SHARD",
		Short: "Ask the leader of a shard to release it, and wait until it has",
		Long: `resign asks the leader of a shard to release it, and waits until that term has ended. The leader
finishes its work first. Another member leads the shard next, if there is one. If that takes
longer than --timeout, the request is withdrawn (unless you give --keep), and resign ends
with 5. If the shard has no leader, it ends with 3. With --term it is for that term only, and
may be repeated. resign says how the term ended, and who leads now.

A member that has died cannot answer. Its session ends by itself, and other members claim
its shards.`,
		Example: `  fdbelect group resign --store file:/tmp/demo.db shard-0007
  fdbelect group resign --store file:/tmp/demo.db --timeout 30s --keep shard-0007`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needNames(args, 1, "shard", "group resign --store file:/tmp/demo.db shard-0007"); err != nil {
				return err
			}
			if cmd.Flags().Changed("term") && f.term == 0 {
				return exit.Usage(errors.New("--term is 0; terms begin with 1, and \"fdbelect group shards\" shows the current one"))
			}
			return a.groupResign(cmd.Context(), &f, args[0])
		},
	}
	f.Place.AddGroupFlags(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.patience, "timeout", requestTimeout, "how long to wait until it is done")
	flags.Uint64Var(&f.term, "term", 0, "the term that the request is for (default: the current one)")
	flags.BoolVar(&f.keep, "keep", false, "leave the request pending if it was not done in time")
	f.Output.AddFlag(cmd)
	return cmd
}

// resignedShard is the output of "group resign".
type resignedShard struct {
	Changed  bool             `json:"changed"`
	Shard    string           `json:"shard"`
	From     *output.Identity `json:"from"` // the leader before
	FromTerm uint64           `json:"from_term"`
	// Reason is how the present tenure began, or why there is none.
	Reason string           `json:"reason"`
	Leader *output.Identity `json:"leader"` // the leader now
	Term   uint64           `json:"term"`
	Waited output.Duration  `json:"waited_seconds"`
}

func (a *app) groupResign(ctx context.Context, f *groupResignFlags, name string) error {
	nonce, err := a.NewNonce()
	if err != nil {
		return err
	}
	s, err := openPatiently(ctx, a.Program, &f.Access, f.patience)
	if err != nil {
		return err
	}
	defer s.End()
	// The term is that of the first read, also if the transaction runs again.
	before, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (group.Shard, error) {
		if err := groups.Exists(s.Group, tr); err != nil {
			return group.Shard{}, err
		}
		return s.Group.ReadShard(tr, name)
	})
	switch {
	case errors.Is(err, group.ErrNoShard):
		return fmt.Errorf("%w; \"fdbelect group shards\" lists those that are", err)
	case err != nil:
		return err
	case f.term != 0 && (f.term < before.Term || f.term == before.Term && before.Vacant()):
		return a.showResigned(f, resignedShard{FromTerm: f.term}, &before)
	case f.term > before.Term:
		return fmt.Errorf("%w: term %d has not begun, the newest is %d; see \"fdbelect group shards\"", fdbelection.ErrNotLeader, f.term, before.Term)
	case before.Vacant():
		return fmt.Errorf("%w: %s is vacant", fdbelection.ErrNotLeader, election.SafeText(name))
	}
	_, err = session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		return none, s.Group.RequestResign(tr, name, before.Term, nonce)
	})
	if err != nil {
		return err
	}
	begin := a.Clock.Now()
	now, err := awaitRelease(ctx, s, f.patience, &before)
	done := resignedShard{Changed: true, From: output.IdentityOf(before.Leader), FromTerm: before.Term, Waited: output.Duration(a.Clock.Now().Sub(begin))}
	if err == nil {
		return a.showResigned(f, done, &now)
	}
	fate := "the request is pending, and ends with this term"
	if !f.keep && unfinished(err) {
		fate = withdrawResign(ctx, s, name, nonce)
	}
	if errors.Is(err, errWaitOver) {
		return exit.TimedOut(fmt.Errorf("%s has not released %s within %s; %s. Its work may take longer, or it is dead or unreachable: see \"fdbelect group members\"",
			before.Leader, election.SafeText(name), f.patience, fate))
	}
	return broken(err, before.Leader.String()+" has released the shard", fate)
}

// withdrawResign withdraws a request, and says what has become of it as the end of a sentence.
func withdrawResign(ctx context.Context, s *session.Session, name string, nonce uuid.UUID) string {
	// What asked for the end of the wait must not keep the request pending.
	_, err := session.Transact(context.WithoutCancel(ctx), s, func(tr kv.Transaction) (bool, error) {
		if request, err := groups.ReadRequest(s.Group, tr, name); err != nil || request.Nonce != nonce {
			return false, err // another operator has replaced it
		}
		return s.Group.CancelRequest(tr, name)
	})
	if err != nil {
		return fmt.Sprintf("the request may still be pending, because it could not be withdrawn (%v)", err)
	}
	return "the request is withdrawn, but the leader may finish what it has begun"
}

func (a *app) showResigned(f *groupResignFlags, done resignedShard, now *group.Shard) error {
	done.Shard, done.Leader, done.Term, done.Reason = now.Name, output.IdentityOf(now.Leader), now.Term, now.Reason.String()
	text := fmt.Sprintf("term %d of %s had already ended; %s", done.FromTerm, election.SafeText(now.Name), leadsNow(now))
	if done.Changed {
		text = fmt.Sprintf("term %d of %s ended after %s (%s); %s", done.FromTerm, election.SafeText(now.Name),
			output.Age(time.Duration(done.Waited)), done.Reason, leadsNow(now))
	}
	return a.ShowLines(f.Output, done, text)
}

// awaitRelease waits until the tenure of a shard has ended, and returns the record after it.
func awaitRelease(ctx context.Context, s *session.Session, limit time.Duration, before *group.Shard) (now group.Shard, err error) {
	over, cancel := clock.WithTimeout(ctx, s.Program.Clock, limit)
	defer cancel()
	p := s.Program.NewProgress()
	defer p.Done()
	begin := s.Program.Clock.Now()
	for {
		now, err = session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (group.Shard, error) { return s.Group.ReadShard(tr, before.Name) })
		switch {
		case ctx.Err() != nil:
			return now, context.Canceled
		case errors.Is(err, group.ErrNoShard): // it was removed
			return group.Shard{Name: before.Name, Term: before.Term, Reason: group.ReasonResign}, nil
		case err != nil || now.Token() != before.Token():
			return now, err
		case over.Err() != nil:
			return now, errWaitOver
		}
		passed := s.Program.Clock.Now().Sub(begin)
		p.Show(fmt.Sprintf("asked %s to release %s, waiting: %s of at most %s", before.Leader, election.SafeText(before.Name), output.Age(passed), limit), int64(passed), int64(limit))
		_ = clock.Sleep(over, s.Program.Clock, waitInterval/5) // the next round sees its end
	}
}
