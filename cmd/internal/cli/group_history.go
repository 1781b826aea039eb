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
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// groupHistoryFlags are the flags of "group history".
type groupHistoryFlags struct {
	session.Report
	limit         int
	shard, member string
}

func (a *app) groupHistoryCommand() *cobra.Command {
	var f groupHistoryFlags
	cmd := &cobra.Command{
		Use:   "history --store STORE [flags]",
		Short: "Show the last changes of a group, newest first",
		Long: `history shows the log of a group: what has changed, from whom to whom, why and when. The log
goes back as far as "retention" of the config says. The leader before a change is unknown if
the change before it was trimmed.

A time is that of the host that made the change. Records of pins, requests, drains and the
config have none: their time is estimated by the versions of the database, of which there
are about a million a second.

If an entry cannot be read, history shows the others, names it and ends with 1.`,
		Example: `  fdbelect group history --store file:/tmp/demo.db
  fdbelect group history --store file:/tmp/demo.db --shard shard-0007 --limit 3
  fdbelect group history --store file:/tmp/demo.db --member a --output yaml`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.limit < 0 {
				return exit.Usage(fmt.Errorf("--limit is %d; use 0 for all, or how many to show", f.limit))
			}
			return a.groupHistory(cmd.Context(), &f)
		},
	}
	f.AddGroupFlags(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 20, "how many changes to show, 0 for all")
	flags.StringVar(&f.shard, "shard", "", "show only changes of this shard")
	flags.StringVar(&f.member, "member", "", "show only changes of the member with this id, and of shards that it led before or after")
	_ = cmd.RegisterFlagCompletionFunc("shard", a.completeShards)   // the flag exists
	_ = cmd.RegisterFlagCompletionFunc("member", a.completeMembers) // the flag exists
	return cmd
}

func (a *app) groupHistory(ctx context.Context, f *groupHistoryFlags) error {
	s, err := a.OpenGroup(ctx, &f.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	read := func(fn func(tr kv.ReadTransaction) (group.Changes, error)) (group.Changes, error) {
		return session.ReadTransact(ctx, s, fn)
	}
	events, version, err := groups.History(s.Group, read, f.limit, groups.Wanted(f.shard, f.member))
	if err != nil {
		return err
	}
	slices.Reverse(events)
	now := a.Clock.Wall()
	list := make([]report.GroupEvent, len(events))
	var faults []error
	for i := range events {
		list[i] = report.GroupEventOf(&events[i], now, version)
		if events[i].Unreadable != nil {
			faults = append(faults, events[i].Unreadable)
		}
	}
	err = a.Show(f.Output, list, func() output.Table { return groupEventTable(events, list) })
	return errors.Join(err, f.Explain(errors.Join(faults...)))
}

func groupEventTable(events []groups.Event, list []report.GroupEvent) output.Table {
	t := output.Table{Header: []string{"WHEN", "EVENT", "WHAT", "TERM", "FROM", "TO", "WHY"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch events[i].Kind {
		case groups.EventUnreadable:
			return p.Bad
		case groups.EventVacant, groups.EventEvicted:
			return p.Warn
		}
		return nil
	}
	for i := range events {
		e := &events[i]
		t.Rows = append(t.Rows, []string{
			list[i].Time.Format(output.TimeLayout), e.Kind, dashed(e.What()), termText(e.Term),
			identityText(e.From), identityText(e.To), election.SafeText(e.Reason),
		})
	}
	return t
}

func termText(term uint64) string {
	if term == 0 {
		return "-"
	}
	return fmt.Sprint(term)
}
