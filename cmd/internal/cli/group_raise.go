package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// groupRaiseFlags are the flags of "group raise-term".
type groupRaiseFlags struct {
	session.Report
	floor      uint64
	all, force bool
}

func (a *app) groupRaiseTermCommand() *cobra.Command {
	var f groupRaiseFlags
	cmd := &cobra.Command{
		Use:   "raise-term --store STORE --floor TERM [flags] [SHARD...]",
		Short: "Raise the terms of shards after a restore, or replace damaged shard records",
		Long: `raise-term ends the tenures of the named shards, or with --all of every shard, up to the term
--floor. The next tenure of each has a higher term. Use it after the store was restored from a
backup, because terms of the lost history would be used a second time. Give a floor that no
tenure has exceeded, such as the highest term that any receiver of fenced writes has seen.

It also replaces a shard record that is damaged. "group history --shard" shows the newest
term of a shard, as far as the log goes back. It never lowers a term, and it is safe to run
again.

Stop all members first: a member that still runs may lead until its lease ends. raise-term
watches for one lease whether a member sends a heartbeat, and changes nothing if one does.
--force does not watch.`,
		Example: `  fdbelect group raise-term --store file:/tmp/demo.db --floor 100 --all
  fdbelect group raise-term --store file:/tmp/demo.db --floor 9 --force shard-0007`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, shards []string) error {
			if err := checkFloor(cmd, f.floor); err != nil {
				return err
			}
			if f.all == (len(shards) > 0) {
				return exit.Usage(errors.New("name shards, or give --all"))
			}
			for _, name := range shards {
				if err := groups.CheckName("shard", name); err != nil {
					return exit.Usage(err)
				}
			}
			return a.raiseShards(cmd.Context(), &f, shards)
		},
	}
	f.AddGroupFlags(cmd)
	flags := cmd.Flags()
	flags.Uint64Var(&f.floor, "floor", 0, "the term up to which tenures end (required)")
	flags.BoolVar(&f.all, "all", false, "raise the terms of all shards")
	flags.BoolVar(&f.force, "force", false, "do not watch whether members are alive")
	return cmd
}

func (a *app) raiseShards(ctx context.Context, f *groupRaiseFlags, names []string) error {
	s, st, err := a.loadGroup(ctx, &f.Access)
	if err != nil {
		return err
	}
	defer s.End()
	if !f.force {
		if err := noMemberLives(ctx, s, st); err != nil {
			return err
		}
	}
	if f.all {
		for _, one := range st.Mirror.Shards() {
			names = append(names, one.Name)
		}
		slices.Sort(names)
	}
	raised := []string{}
	var faults []error
	for batch := range slices.Chunk(names, group.MaxBatch) {
		outcomes, err := session.Transact(ctx, s, func(tr kv.Transaction) ([]group.Outcome, error) {
			return s.Group.RaiseTerms(tr, batch, f.floor, a.Clock.Wall())
		})
		if err != nil {
			return err
		}
		for i := range outcomes {
			switch o := &outcomes[i]; {
			case errors.Is(o.Err, group.ErrNoShard):
				faults = append(faults, fmt.Errorf("%w: %s", o.Err, election.SafeText(batch[i])))
			case o.Err != nil:
				faults = append(faults, o.Err)
			case o.Shard.Reason == group.ReasonRaised && o.Shard.Term == f.floor:
				raised = append(raised, batch[i])
			}
		}
	}
	text := fmt.Sprintf("%s: the next tenure of each has a term above %d", output.Count(len(raised), "shard"), f.floor)
	return errors.Join(a.ShowLines(f.Output, steered{raised}, text), f.Explain(errors.Join(faults...)))
}

// noMemberLives returns an error if a member sends a heartbeat within a lease.
func noMemberLives(ctx context.Context, s *session.Session, st *groupview.State) error {
	observed, err := groups.Observe(ctx, s, st, st.LeaseWindow())
	if err != nil {
		return err
	}
	for i := range st.Beats {
		if b := &st.Beats[i]; observed.Alive(b.ID) || !observed.Judged {
			return fmt.Errorf("member %s is alive, or the store is slow; nothing was changed. Stop all members, or add --force", b.Identity)
		}
	}
	return nil
}
