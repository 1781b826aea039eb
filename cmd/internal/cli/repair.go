package cli

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// repairFlags are the flags of "repair".
type repairFlags struct {
	session.Report
	dryRun, force bool
}

func (a *app) repairCommand() *cobra.Command {
	var f repairFlags
	cmd := &cobra.Command{
		Use:   "repair --store STORE [flags]",
		Short: "Repair damaged records",
		Long: `repair reads all records of the election, and repairs those that cannot be read or do not
agree with the others. It removes a request, candidates and events that cannot be read. It
writes ranks from the candidates, and the term record from the leader record. A candidate
whose record is removed registers again if it runs.

A leader record that is missing or damaged is written from the term record, and leadership is
vacant then. That takes --force: a running leader restores a missing record by itself with
its next renewal, and may otherwise act as the leader until its lease expires. Stop every
process first.

repair does not change records of a newer version, or a config: "config set --defaults"
replaces that. It ends with 1 if a record is left that it cannot repair. --dry-run shows what
it would do, and writes nothing.`,
		Example: `  fdbelect repair --store file:/tmp/demo.db --dry-run
  fdbelect repair --store file:/tmp/demo.db`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.repair(cmd.Context(), &f) },
	}
	f.AddFlags(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and write nothing")
	cmd.Flags().BoolVar(&f.force, "force", false, "repair the leader record too, although a leader may still run")
	return cmd
}

// repaired is the output of "repair".
type repaired struct {
	DryRun  bool          `json:"dry_run"`
	Repairs []repairedOne `json:"repairs"`
}

type repairedOne struct {
	Record  string `json:"record"`
	Key     string `json:"key"` // quoted
	Problem string `json:"problem"`
	Done    string `json:"done"` // empty: it was not changed
}

// errDryRun keeps a transaction from being committed.
var errDryRun = errors.New("dry run")

// errUnforced says why the leader record was not repaired.
var errUnforced = errors.New("to repair the leader record ends the tenure that the term record names: make sure that every process is stopped, and add --force; nothing was changed")

func (a *app) repair(ctx context.Context, f *repairFlags) error {
	var found []election.RepairResult   // by the last attempt
	var changed []election.RepairResult // by any attempt: a retry after a lost answer finds them repaired
	_, err := session.TransactOnce(ctx, a.Program, &f.Access, func(e *election.LeaderElection, tr kv.Transaction) (none struct{}, err error) {
		found, err = e.Repair(tr, a.Clock.Wall())
		switch {
		case err != nil:
			return none, err
		case f.dryRun:
			return none, errDryRun
		case !f.force && needsForce(found):
			return none, errUnforced
		}
		for _, r := range found {
			if r.Done != "" && !slices.ContainsFunc(changed, func(m election.RepairResult) bool { return bytes.Equal(m.Key, r.Key) }) {
				changed = append(changed, r)
			}
		}
		return none, nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return err
	}
	if !f.dryRun {
		left := slices.DeleteFunc(found, func(r election.RepairResult) bool { return r.Done != "" })
		found = slices.Concat(changed, left)
	}
	return a.showRepairs(f, found)
}

// showRepairs shows what was done, and fails if a record is left.
func (a *app) showRepairs(f *repairFlags, found []election.RepairResult) error {
	shown := repaired{DryRun: f.dryRun, Repairs: []repairedOne{}}
	var left []error
	for _, r := range found {
		shown.Repairs = append(shown.Repairs, repairedOne{r.Record, strconv.QuoteToASCII(string(r.Key)), election.SafeText(r.Problem), r.Done})
		if r.Done == "" {
			left = append(left, unrepaired(r))
		}
	}
	if err := a.Show(f.Output, shown, shown.table); err != nil {
		return err
	}
	if f.dryRun && !f.force && needsForce(found) {
		left = append(left, errUnforced)
	}
	return records.WithRemedies(errors.Join(left...), "it was not changed")
}

func needsForce(found []election.RepairResult) bool {
	return slices.ContainsFunc(found, func(r election.RepairResult) bool { return r.Record == "leader" && r.Done != "" })
}

// unrepaired returns the error of a record that was not repaired.
func unrepaired(r election.RepairResult) error {
	return &fdbelection.InvalidStateError{Key: r.Key, Record: r.Record, Problem: r.Problem, Newer: r.Newer}
}

func (r *repaired) table() output.Table {
	t := output.Table{Header: []string{"RECORD", "DONE", "KEY", "PROBLEM"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		if i < len(r.Repairs) && r.Repairs[i].Done == "" {
			return p.Bad
		}
		return nil
	}
	for _, one := range r.Repairs {
		done := one.Done
		if done == "" {
			done = "not changed"
		}
		t.Rows = append(t.Rows, []string{one.Record, done, one.Key, one.Problem})
	}
	switch {
	case len(r.Repairs) == 0:
		return output.Table{Rows: [][]string{{"nothing to repair"}}}
	case r.DryRun:
		t.Rows = append(t.Rows, []string{"dry run: nothing was written"})
	}
	return t
}
