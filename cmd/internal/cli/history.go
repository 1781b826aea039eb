package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) historyCommand() *cobra.Command {
	var r session.Report
	var limit int
	cmd := &cobra.Command{
		Use:   "history --store STORE [flags]",
		Short: "Show the last changes of leadership, newest first",
		Long: `history shows how tenures began and ended: when, the leader before and after, at which
ballot, and why. A tenure has no event for its end if the next one took its place: its lease
expired, or it was handed over or preempted. The times are those of the hosts that made the
changes. "history_limit" of the config says how many terms are kept. If an event cannot be
read, history shows the others, names it and ends with 1.`,
		Example: `  fdbelect history --store file:/tmp/demo.db
  fdbelect history --store file:/tmp/demo.db --limit 3 --output yaml`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return exit.Usage(fmt.Errorf("--limit is %d; use 0 for all, or how many to show", limit))
			}
			seen, err := session.ReadOnce(cmd.Context(), a.Program, &r.Access, func(e *election.LeaderElection, tr kv.ReadTransaction) (historyResult, error) {
				return readHistory(e, tr, limit)
			})
			if err != nil {
				return err
			}
			err = a.Show(r.Output, eventList(seen.events), func() output.Table { return eventTable(seen.events) })
			return errors.Join(err, r.Explain(seen.unreadable))
		},
	}
	r.AddFlags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 20, "how many events to show, 0 for all")
	return cmd
}

// historyResult is what one transaction saw of the history.
type historyResult struct {
	events     []election.Event
	unreadable error // of single events
}

func readHistory(e *election.LeaderElection, tr kv.ReadTransaction, limit int) (historyResult, error) {
	_, unreadable := e.ReadConfig(tr)
	if unreadable != nil && !errors.Is(unreadable, fdbelection.ErrInvalidState) {
		return historyResult{}, unreadable
	}
	events, err := e.History(tr, limit)
	if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return historyResult{}, err
	}
	return historyResult{events, errors.Join(unreadable, err)}, nil
}

func eventList(events []election.Event) []report.Event {
	list := make([]report.Event, len(events))
	for i := range events {
		list[i] = report.EventOf(&events[i])
	}
	return list
}

func eventTable(events []election.Event) output.Table {
	t := output.Table{Header: []string{"TERM", "WHEN", "EVENT", "FROM", "TO", "BALLOT", "WHY"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		if events[i].Kind == election.EventEnded {
			return p.Dim
		}
		return nil
	}
	for _, v := range events {
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(v.Term), v.At.UTC().Format(output.TimeLayout), v.Kind.String(), identityText(v.From), identityText(v.To),
			fmt.Sprint(v.Ballot), election.SafeText(v.Reason),
		})
	}
	return t
}

func identityText(i election.Identity) string {
	if i.ID == "" {
		return "-"
	}
	return i.String()
}
