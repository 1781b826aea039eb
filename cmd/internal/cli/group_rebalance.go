package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

func (a *app) groupRebalanceCommand() *cobra.Command {
	var r session.Report
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "rebalance --store STORE --dry-run [flags]",
		Short: "Show which shards the members would move now, and which they keep",
		Long: `rebalance shows the moves that the balance plans now, each with the reason: free, pin, drain
or balance. Then it shows the shards that do not move although an operator may expect it, and
why: they are pinned, their pin has no effect, their leader is not ready, and so on.

The members make these moves by themselves, so there is nothing to start, and rebalance needs
--dry-run. A member moves at most "max_moves" shards for balance at a time. A shard that was
moved for balance is not moved for it again before the settle delay, which doubles with each
further move in a row. Free shards, pins and drains do not wait.`,
		Example: `  fdbelect group rebalance --store file:/tmp/demo.db --dry-run
  fdbelect group rebalance --store file:/tmp/demo.db --dry-run --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !dryRun {
				return exit.Usage(errors.New("the members move shards by themselves; add --dry-run to see which ones"))
			}
			s, st, err := a.loadGroup(cmd.Context(), &r.Access)
			if err != nil {
				return err
			}
			s.End()
			plan, err := st.Plan()
			if err != nil {
				return err
			}
			err = a.Show(r.Output, report.RebalanceOf(plan), func() output.Table { return planTable(plan) })
			return errors.Join(err, r.Explain(st.Unreadable()))
		},
	}
	r.AddGroupFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show the moves (required)")
	return cmd
}

func planTable(plan *groupview.Plan) output.Table {
	var t output.Table
	if len(plan.Moves) == 0 {
		t.Rows = append(t.Rows, []string{"no shard moves"})
	} else {
		t.Rows = append(t.Rows, []string{"SHARD", "FROM", "TO", "WHY"})
	}
	for i := range plan.Moves {
		m := &plan.Moves[i]
		t.Rows = append(t.Rows, []string{election.SafeText(m.Shard.Name), identityText(m.From), identityText(m.To), m.Reason})
	}
	for _, k := range plan.Kept {
		names := safeNames(k.Shards[:min(len(k.Shards), keptNames)])
		if more := len(k.Shards) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		t.Rows = append(t.Rows, []string{fmt.Sprintf("kept: %s (%s): %s", output.Count(len(k.Shards), "shard"), k.Reason, strings.Join(names, ", "))})
	}
	return t
}

// keptNames is how many of the kept shards the table names for each reason.
const keptNames = 10
