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

// wants reports whether an event is to be shown.
func (f *groupHistoryFlags) wants(e *groups.Event) bool {
	return (f.shard == "" || e.Shard == f.shard) &&
		(f.member == "" || slices.Contains([]string{e.From.ID, e.To.ID, e.Member.ID}, f.member))
}

func (a *app) groupHistory(ctx context.Context, f *groupHistoryFlags) error {
	s, err := a.OpenGroup(ctx, &f.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	events, version, err := f.read(ctx, s)
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

// read reads the log from its beginning, and returns the last events that are to be shown, oldest
// first, and the version up to which it was read.
func (f *groupHistoryFlags) read(ctx context.Context, s *session.Session) (last []groups.Event, version int64, err error) {
	const rows = 5000 // of one transaction
	t := groups.NewTeller(nil)
	for first := true; ; first = false {
		log, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (group.Changes, error) {
			if err := exists(s, tr); err != nil {
				return group.Changes{}, err
			}
			return s.Group.ReadLog(tr, version, rows)
		})
		if err != nil {
			return nil, 0, err
		}
		if first {
			t.Whole = !log.Trimmed // otherwise records may be older than the log
		}
		for i := range log.Changes {
			if e, told := t.Tell(&log.Changes[i]); told && f.wants(&e) {
				last = append(last, e)
			}
		}
		if f.limit > 0 {
			last = slices.Clone(last[max(len(last)-f.limit, 0):]) // so that the others are freed
		}
		if version = log.Version; !log.More {
			return last, version, nil
		}
	}
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
