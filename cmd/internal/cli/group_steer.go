package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// steered is the output of the subcommands that change what an operator wants.
type steered struct {
	// Subjects are the shards or members of which something was changed, or of which it is so
	// already.
	Subjects []string `json:"subjects"`
}

// eachOf runs change for each name, a batch in each transaction, and returns the names for
// which it returned true.
func eachOf(ctx context.Context, s *session.Session, names []string, change func(tr kv.Transaction, name string) (bool, error)) ([]string, error) {
	done := []string{}
	for batch := range slices.Chunk(names, group.MaxBatch) {
		changed, err := session.Transact(ctx, s, func(tr kv.Transaction) (changed []string, err error) {
			if err := groups.Exists(s.Group, tr); err != nil {
				return nil, err
			}
			for _, name := range batch {
				did, err := change(tr, name)
				switch {
				case errors.Is(err, group.ErrNoShard):
					return nil, fmt.Errorf("%w; \"fdbelect group shards\" lists those that are", err)
				case err != nil:
					return nil, err
				case did:
					changed = append(changed, name)
				}
			}
			return changed, nil
		})
		if err != nil {
			return done, err
		}
		done = append(done, changed...)
	}
	return done, nil
}

// steer changes something for each name, and shows for which ones. none says that there was
// nothing to change.
func (a *app) steer(ctx context.Context, r *session.Report, names []string, change func(g *group.Group, tr kv.Transaction, name string) (bool, error), did func(name string) string, none string) error {
	s, err := a.OpenGroup(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	done, err := eachOf(ctx, s, names, func(tr kv.Transaction, name string) (bool, error) { return change(s.Group, tr, name) })
	if err != nil {
		if len(done) > 0 {
			err = fmt.Errorf("%w; the first %d are done, and the command can be repeated", err, len(done))
		}
		return err
	}
	var text []string
	for _, name := range done {
		text = append(text, did(election.SafeText(name)))
	}
	if text == nil {
		text = []string{none}
	}
	return a.ShowLines(r.Output, steered{done}, text...)
}

// noteAbsent tells the user that the group has no member with an id.
func (a *app) noteAbsent(ctx context.Context, r *session.Report, ids []string, then string) error {
	s, err := a.OpenGroup(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	beats, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) ([]group.Beat, error) {
		if err := groups.Exists(s.Group, tr); err != nil {
			return nil, err
		}
		return s.Group.ReadBeats(tr, ids...)
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(beats, func(b group.Beat) bool { return b.ID == id }) {
			fmt.Fprintf(a.Stderr, "fdbelect: there is no member %s now; %s\n", election.SafeText(id), then)
		}
	}
	return nil
}

func (a *app) groupPinCommand() *cobra.Command {
	var r session.Report
	var to string
	cmd := &cobra.Command{
		Use:   "pin --store STORE --to ID [flags] SHARD...",
		Short: "Make a member lead shards",
		Long: `pin makes one member lead the named shards, while it is present, ready and below its capacity.
Otherwise the pin waits, and the shard is balanced like any other. A pin of such a shard is
replaced. It stays until "group unpin", also beyond the session of the member.

The leader hands the shard over as soon as its work has stopped: "group shards" shows it.`,
		Example:           `  fdbelect group pin --store file:/tmp/demo.db --to a shard-0007 shard-0008`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, shards []string) error {
			if err := needNames(shards, 0, "shard", "group pin --store file:/tmp/demo.db --to a shard-0007"); err != nil {
				return err
			}
			if err := groups.CheckName("--to", to); err != nil {
				return exit.Usage(err)
			}
			if err := a.noteAbsent(cmd.Context(), &r, []string{to}, "the pin waits for it"); err != nil {
				return err
			}
			return a.steer(cmd.Context(), &r, shards, func(g *group.Group, tr kv.Transaction, name string) (bool, error) {
				return true, g.Pin(tr, name, to)
			}, func(name string) string { return "pinned " + name + " to " + election.SafeText(to) }, "")
		},
	}
	r.AddGroupFlags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "id of the member (required)")
	_ = cmd.RegisterFlagCompletionFunc("to", a.completeMembers) // the flag exists
	return cmd
}

func (a *app) groupUnpinCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "unpin --store STORE [flags] SHARD...",
		Short: "Remove the pins of shards",
		Long: `unpin removes the pins of the named shards, even those that cannot be read. The shards stay
where they are until the balance moves them. It does nothing for a shard without a pin.`,
		Example:           `  fdbelect group unpin --store file:/tmp/demo.db shard-0007`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, shards []string) error {
			if err := needNames(shards, 0, "shard", "group unpin --store file:/tmp/demo.db shard-0007"); err != nil {
				return err
			}
			return a.steer(cmd.Context(), &r, shards, (*group.Group).Unpin,
				func(name string) string { return "unpinned " + name }, "there was no pin")
		},
	}
	r.AddGroupFlags(cmd)
	return cmd
}

func (a *app) groupDrainCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "drain --store STORE [flags] ID...",
		Short: "Keep members empty: all of their shards go to other members",
		Long: `drain moves all shards of the named members to other ones, and keeps the members empty. A drain
outlives the session of a member, so a restarted process stays empty, too. "group undrain"
ends it. "group members" shows how many shards a member still leads.`,
		Example:           `  fdbelect group drain --store file:/tmp/demo.db a`,
		ValidArgsFunction: a.completeMembers,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := needNames(ids, 0, "member", "group drain --store file:/tmp/demo.db a"); err != nil {
				return err
			}
			if err := a.noteAbsent(cmd.Context(), &r, ids, "it stays empty when it joins, until \"fdbelect group undrain\""); err != nil {
				return err
			}
			return a.steer(cmd.Context(), &r, ids, func(g *group.Group, tr kv.Transaction, id string) (bool, error) {
				return true, g.Drain(tr, id)
			}, func(id string) string { return "draining " + id }, "")
		},
	}
	r.AddGroupFlags(cmd)
	return cmd
}

func (a *app) groupUndrainCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "undrain --store STORE [flags] ID...",
		Short: "Let drained members receive shards again",
		Long: `undrain ends the drain of the named members. They receive shards again by balance. It does
nothing for a member that is not drained.`,
		Example:           `  fdbelect group undrain --store file:/tmp/demo.db a`,
		ValidArgsFunction: a.completeDrained,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := needNames(ids, 0, "member", "group undrain --store file:/tmp/demo.db a"); err != nil {
				return err
			}
			return a.steer(cmd.Context(), &r, ids, (*group.Group).Undrain,
				func(id string) string { return "undrained " + id }, "no operator drains it")
		},
	}
	r.AddGroupFlags(cmd)
	return cmd
}

func (a *app) groupCancelCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "cancel --store STORE [flags] SHARD...",
		Short: "Remove the requests to the leaders of shards",
		Long: `cancel removes what an operator asks of the leaders of the named shards ("group resign", "group
remove"), even a request that cannot be read. A leader that has begun to stop its work may
finish. It does nothing for a shard without a request.`,
		Example:           `  fdbelect group cancel --store file:/tmp/demo.db shard-0007`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, shards []string) error {
			if err := needNames(shards, 0, "shard", "group cancel --store file:/tmp/demo.db shard-0007"); err != nil {
				return err
			}
			return a.steer(cmd.Context(), &r, shards, (*group.Group).CancelRequest,
				func(name string) string { return "canceled the request to the leader of " + name }, "there was no request")
		},
	}
	r.AddGroupFlags(cmd)
	return cmd
}

// removedShards is the output of "group remove".
type removedShards struct {
	Removed []string `json:"removed_shards"` // they do not exist any more
	Asked   []string `json:"asked_shards"`   // their leaders remove them
}

func (a *app) groupRemoveCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "remove --store STORE [flags] SHARD...",
		Short: "Remove shards from a group",
		Long: `remove removes the named shards, with their pins and requests. It removes a free shard at
once. It asks the leader of any other one, who removes the shard when its work has stopped.
"group cancel" takes that back in time. A shard that is gone already is done. A shard that is
created again continues with a higher term.

A shard whose record cannot be read is not removed. remove names it and ends with 1.`,
		Example:           `  fdbelect group remove --store file:/tmp/demo.db shard-0007 shard-0008`,
		ValidArgsFunction: a.completeShards,
		RunE: func(cmd *cobra.Command, shards []string) error {
			if err := needNames(shards, 0, "shard", "group remove --store file:/tmp/demo.db shard-0007"); err != nil {
				return err
			}
			return a.removeShards(cmd.Context(), &r, shards)
		},
	}
	r.AddGroupFlags(cmd)
	return cmd
}

func (a *app) removeShards(ctx context.Context, r *session.Report, names []string) error {
	s, err := a.OpenGroup(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	done := removedShards{Removed: []string{}, Asked: []string{}}
	var text []string
	var faults []error
	for batch := range slices.Chunk(names, group.MaxBatch) {
		outcomes, err := session.Transact(ctx, s, func(tr kv.Transaction) ([]group.Outcome, error) {
			if err := groups.Exists(s.Group, tr); err != nil {
				return nil, err
			}
			return s.Group.RemoveShards(tr, batch)
		})
		if err != nil {
			return err
		}
		for i := range outcomes {
			switch o := &outcomes[i]; {
			case o.Err != nil:
				faults = append(faults, o.Err)
			case o.Removed:
				done.Removed = append(done.Removed, batch[i])
				gone := o.Shard.At.IsZero() // its record was not there
				text = append(text, output.Either(gone, "the group has no shard ", "removed ")+election.SafeText(batch[i]))
			default:
				done.Asked = append(done.Asked, batch[i])
				text = append(text, fmt.Sprintf("asked %s to remove %s", o.Shard.Leader, election.SafeText(batch[i])))
			}
		}
	}
	return errors.Join(a.ShowLines(r.Output, done, text...), r.Explain(errors.Join(faults...)))
}

// withoutInvalid returns an error, unless it says only that a record cannot be read.
func withoutInvalid(err error) error {
	if errors.Is(err, fdbelection.ErrInvalidState) {
		return nil
	}
	return err
}

// leadsNow names the leader of a shard, as the end of a sentence.
func leadsNow(s *group.Shard) string {
	return output.Either(s.Vacant(), "no member leads it now", fmt.Sprintf("%s leads it in term %d", s.Leader, s.Term))
}
