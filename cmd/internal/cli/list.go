package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

func (a *app) listCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "list --store STORE [flags]",
		Short: "List all elections below the root, with their leaders",
		Long: `list shows each election below the root: the leader, the term, how many candidates are
registered, and whether it is enabled. It reads only elections, and skips everything else
that an application keeps below the root, and the names of the records of an election.

The elections are read a few at a time. Each line is consistent, but the lines may be from
different instants. An election with a record that cannot be read is listed as damaged. list
then says what is wrong and how to repair it, and ends with 1.`,
		Example: `  fdbelect list --store file:/tmp/demo.db
  fdbelect list --store file:/tmp/demo.db --root fdbelection --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), &r) },
	}
	r.Place.AddSpaceFlags(cmd)
	r.Access.AddTimeoutFlag(cmd)
	r.Output.AddFlag(cmd)
	return cmd
}

// listed is one election in the output.
type listed struct {
	report.Listed

	holder election.Identity
	fault  error
}

func (a *app) list(ctx context.Context, r *session.Report) error {
	space, err := r.Space()
	if err != nil {
		return err
	}
	s, err := a.OpenStore(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	all := []listed{}
	page := newPage(space, readListed)
	for !page.last {
		page, err = session.ReadTransact(ctx, s, page.next)
		if err != nil {
			return err
		}
		all = append(all, page.found...)
	}
	if len(all) == 0 && r.Output == output.FormatTable {
		fmt.Fprintf(a.Stderr, "fdbelect: there is no election below %s in store %s; check --root, or make one with \"fdbelect init\"\n",
			election.SafeText(r.Root), r.SafeSpec())
	}
	return errors.Join(a.Show(r.Output, all, func() output.Table { return listTable(all) }), faultsOf(all))
}

func listTable(all []listed) output.Table {
	t := output.Table{Header: []string{"ELECTION", "LEADER", "TERM", "CANDIDATES", "STATE"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch {
		case all[i].fault != nil:
			return p.Bad
		case !all[i].Enabled || all[i].Leader == nil:
			return p.Warn
		}
		return nil
	}
	for i := range all {
		l := &all[i]
		leader, state := "-", output.Either(l.Enabled, "enabled", "disabled")
		if l.Leader != nil {
			leader = l.holder.String()
		}
		if l.fault != nil {
			state = "damaged"
		}
		t.Rows = append(t.Rows, []string{election.SafeText(l.Election), leader, fmt.Sprint(l.Term), fmt.Sprint(l.Candidates), state})
	}
	return t
}

// faultsOf returns the records that could not be read, as an error.
func faultsOf(all []listed) error {
	var faults []error
	for i := range all {
		if all[i].fault != nil {
			faults = append(faults, fmt.Errorf("election %s: %w", election.SafeText(all[i].Election), all[i].fault))
		}
	}
	if faults == nil {
		return nil
	}
	return records.WithRemedies(errors.Join(faults...), records.Unchanged)
}

// page is what one transaction saw of the elections below a subspace, and where the next
// one continues. A transaction may take five seconds, and there may be many elections.
type page struct {
	space subspace.Subspace
	one   func(e *election.LeaderElection, name string, tr kv.ReadTransaction) (listed, error) // reads one election
	names below.Names
	found []listed
	last  bool
}

const (
	// pageSize limits the elections of one page, pageReads its range reads: other names
	// count as well.
	pageSize  = 50
	pageReads = 200
)

// newPage starts at the first name.
func newPage(space subspace.Subspace, one func(*election.LeaderElection, string, kv.ReadTransaction) (listed, error)) *page {
	return &page{space: space, one: one, names: below.NewNames(space)}
}

// next reads the page after p. It does not change p, so that it can run again.
func (p *page) next(tr kv.ReadTransaction) (*page, error) {
	q := &page{space: p.space, one: p.one, names: p.names}
	for range pageReads {
		if len(q.found) == pageSize {
			return q, nil
		}
		name, more, err := q.names.Next(tr)
		switch {
		case err != nil:
			return nil, err
		case !more:
			q.last = true
			return q, nil
		case name == "":
			continue
		}
		one, err := p.one(election.New(p.space.Sub(name)), name, tr)
		switch {
		case errors.Is(err, fdbelection.ErrNotInitialized): // this is not an election
		case err != nil:
			return nil, err
		default:
			q.found = append(q.found, one)
		}
	}
	return q, nil
}

func readListed(e *election.LeaderElection, name string, tr kv.ReadTransaction) (listed, error) {
	status, err := e.ReadStatus(tr)
	var candidates []election.Candidate
	if err == nil {
		candidates, err = e.ListCandidates(tr)
		if err == nil || errors.Is(err, fdbelection.ErrInvalidState) {
			err = errors.Join(status.Unreadable, err)
		}
	}
	if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return listed{}, err
	}
	l := listed{Listed: report.ListedOf(name, &status, len(candidates), err), fault: err}
	if l.Leader != nil {
		l.holder = status.Leader.Identity
	}
	return l, nil
}
