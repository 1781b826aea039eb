package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

func (a *app) groupShardsCommand() *cobra.Command {
	var r session.Report
	var leader string
	var free bool
	cmd := &cobra.Command{
		Use:   "shards --store STORE [flags]",
		Short: "List the shards of a group by leader, free ones first",
		Long: `shards lists the shards: those whose record cannot be read, then free ones, then by leader and
name. A shard is free if it is vacant or the session of its leader has ended. TERM is the
fencing token. SINCE is when the tenure began or ended, by the clock of its author, and WHY
is the reason. PIN is the member to which an operator has pinned the shard, and ASKED what an
operator asks of its leader.

If a record cannot be read, shards lists the others, names it and ends with 1.`,
		Example: `  fdbelect group shards --store file:/tmp/demo.db
  fdbelect group shards --store file:/tmp/demo.db --leader a
  fdbelect group shards --store file:/tmp/demo.db --free --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if free && cmd.Flags().Changed("leader") {
				return exit.Usage(errors.New("a free shard has no leader; give either --leader or --free"))
			}
			s, st, err := a.loadGroup(cmd.Context(), &r.Access)
			if err != nil {
				return err
			}
			s.End()
			shards := groups.Select(st, leader, free)
			list := make([]report.Shard, len(shards))
			for i, one := range shards {
				list[i] = report.ShardOf(st, one)
			}
			err = a.Show(r.Output, list, func() output.Table { return shardsTable(shards, list) })
			return errors.Join(err, r.Explain(st.Unreadable()))
		},
	}
	r.AddGroupFlags(cmd)
	cmd.Flags().StringVar(&leader, "leader", "", "show only the shards of the member with this id")
	cmd.Flags().BoolVar(&free, "free", false, "show only free shards")
	_ = cmd.RegisterFlagCompletionFunc("leader", a.completeMembers) // the flag exists
	return cmd
}

func shardsTable(shards []*mirror.Shard, list []report.Shard) output.Table {
	t := output.Table{Header: []string{"SHARD", "LEADER", "TERM", "SINCE", "WHY", "PIN", "ASKED"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch {
		case list[i].Damaged:
			return p.Bad
		case list[i].Free:
			return p.Warn
		}
		return nil
	}
	for i := range list {
		s := &list[i]
		row := []string{election.SafeText(s.Shard), "-", fmt.Sprint(s.Term), s.Since.Format(output.TimeLayout), s.Reason, dashed(s.Pin), dashed(s.Asked)}
		switch {
		case s.Damaged:
			row = append(row[:1], "damaged", "-", "-", "-", dashed(s.Pin), dashed(s.Asked))
		case s.Free:
			row[1] = output.Either(shards[i].Vacant(), "free", "free: the session of "+shards[i].Leader.String()+" has ended")
		default:
			row[1] = shards[i].Leader.String()
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// dashed returns a text, safe to print, or a dash if there is none.
func dashed(text string) string {
	if text == "" {
		return "-"
	}
	return election.SafeText(text)
}
