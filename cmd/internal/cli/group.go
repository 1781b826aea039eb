package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/run"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/watch"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

func (a *app) groupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Create, show and steer a group: many shards led by one pool of processes",
		Long: `group is about groups: many shards that are led by one pool of processes, the members. Each
member proves that it is alive with one heartbeat, however many shards it leads. The members
share the shards evenly among them. docs/group.md describes how.`,
		Example: `  fdbelect group create --store file:/tmp/demo.db --shards 1024
  fdbelect group status --store file:/tmp/demo.db
  fdbelect group watch --store file:/tmp/demo.db`,
		Args: knownCommand,
		RunE: func(*cobra.Command, []string) error {
			return exit.Usage(errors.New("give a subcommand, such as create, status or watch"))
		},
	}
	cmd.AddCommand(
		run.GroupCommand(a.Program), a.groupCreateCommand(), a.groupConfigCommand(),
		a.groupStatusCommand(), a.groupMembersCommand(), a.groupShardsCommand(), a.groupHistoryCommand(), watch.GroupCommand(a.Program),
		a.groupPinCommand(), a.groupUnpinCommand(), a.groupDrainCommand(), a.groupUndrainCommand(),
		a.groupResignCommand(), a.groupCancelCommand(), a.groupRemoveCommand(), a.groupRebalanceCommand(), a.groupRaiseTermCommand(),
	)
	return cmd
}

// loadGroup opens the store and reads the group. Call End of the session at the end, unless
// there is an error.
func (a *app) loadGroup(ctx context.Context, x *session.Access) (*session.Session, *groupview.State, error) {
	s, err := a.OpenGroup(ctx, x, true)
	if err != nil {
		return nil, nil, err
	}
	st, err := groups.Load(ctx, s)
	if err != nil {
		s.End()
		return nil, nil, err
	}
	return s, st, nil
}

// needNames returns an error unless at least one name is given, and at most `most` unless that
// is zero. what is what is named, such as "shard".
func needNames(names []string, most int, what, example string) error {
	if len(names) == 0 || most > 0 && len(names) > most {
		return exit.Usage(fmt.Errorf("%d names are given; name a %s, as in: fdbelect %s", len(names), what, example))
	}
	for _, name := range names {
		if err := groups.CheckName(what, name); err != nil {
			return exit.Usage(err)
		}
	}
	return nil
}

// safeNames lists names, safe to print.
func safeNames(names []string) []string {
	safe := make([]string, len(names))
	for i, name := range names {
		safe[i] = election.SafeText(name)
	}
	return safe
}
