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
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

func (a *app) listCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "list --store STORE [flags]",
		Short: "List all elections and groups below the root, with their leaders",
		Long: `list shows each election below the root: the leader, the term, how many candidates are
registered, and whether it is enabled. It also shows each group, with its members: "group
status" shows more of it. It skips everything else that an application keeps below the root,
and the names of the records of an election or a group.

The names are read a few at a time. Each line is consistent, but the lines may be from
different instants. An election or a group with a record that cannot be read is listed as
damaged. list then says what is wrong and how to repair it, and ends with 1.`,
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

// listed is one election or group in the output.
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
	page := newPage(space, readElection, readGroup)
	for !page.last {
		page, err = session.ReadTransact(ctx, s, page.next)
		if err != nil {
			return err
		}
		all = append(all, page.found...)
	}
	if len(all) == 0 && r.Output == output.FormatTable {
		fmt.Fprintf(a.Stderr, "fdbelect: there is no election or group below %s in store %s; check --root, or make one with \"fdbelect init\" or \"fdbelect group create\"\n",
			election.SafeText(r.Root), r.SafeSpec())
	}
	return errors.Join(a.Show(r.Output, all, func() output.Table { return listTable(all) }), faultsOf(all))
}

func listTable(all []listed) output.Table {
	t := output.Table{Header: []string{"NAME", "KIND", "LEADER", "TERM", "CANDIDATES", "STATE"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch {
		case all[i].fault != nil:
			return p.Bad
		case !all[i].Enabled || all[i].Type == report.TypeElection && all[i].Leader == nil:
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
		row := []string{election.SafeText(l.Name()), l.Type, leader, fmt.Sprint(l.Term), fmt.Sprint(l.Candidates), state}
		if l.Type == report.TypeGroup {
			row[3], row[4] = "-", output.Count(l.Members, "member")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// faultsOf returns the records that could not be read, as an error.
func faultsOf(all []listed) error {
	var faults []error
	for i := range all {
		if all[i].fault != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", all[i].Type, election.SafeText(all[i].Name()), all[i].fault))
		}
	}
	if faults == nil {
		return nil
	}
	return records.WithRemedies(errors.Join(faults...), records.Unchanged)
}

// page is what one transaction saw of the elections and groups below a subspace, and where the
// next one continues. A transaction may take five seconds, and there may be many of them.
type page struct {
	space   subspace.Subspace
	readers []listedReader
	names   below.Names
	begun   bool
	found   []listed
	last    bool
}

// listedReader reads what a name stands for. Its error is ErrNotInitialized if that is nothing
// that it reads.
type listedReader func(space subspace.Subspace, name string, tr kv.ReadTransaction) (listed, error)

const (
	// pageSize limits the names of one page, pageReads its range reads: other names count as
	// well.
	pageSize  = 50
	pageReads = 200
)

// newPage starts at the first name.
func newPage(space subspace.Subspace, readers ...listedReader) *page {
	return &page{space: space, readers: readers, names: below.NewNames(space)}
}

// next reads the page after p. It does not change p, so that it can run again.
func (p *page) next(tr kv.ReadTransaction) (*page, error) {
	q := &page{space: p.space, readers: p.readers, names: p.names, begun: true}
	if !p.begun {
		switch _, err := group.New(p.space).ReadConfig(tr); {
		case errors.Is(err, fdbelection.ErrNotInitialized):
		case withoutInvalid(err) != nil:
			return nil, err
		default:
			q.names = q.names.OfGroup()
		}
	}
	for range pageReads {
		if len(q.found) >= pageSize {
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
		for _, read := range p.readers {
			one, err := read(p.space.Sub(name), name, tr)
			switch {
			case errors.Is(err, fdbelection.ErrNotInitialized): // it is something else
			case err != nil:
				return nil, err
			default:
				q.found = append(q.found, one)
			}
		}
	}
	return q, nil
}

func readElection(space subspace.Subspace, name string, tr kv.ReadTransaction) (listed, error) {
	e := election.New(space)
	status, err := e.ReadStatus(tr)
	var candidates []election.Candidate
	if err == nil {
		candidates, err = e.ListCandidates(tr)
		if withoutInvalid(err) == nil {
			err = errors.Join(status.Unreadable, err)
		}
	}
	if withoutInvalid(err) != nil {
		return listed{}, err
	}
	l := listed{Listed: report.ListedOf(name, &status, len(candidates), err), fault: err}
	if l.Leader != nil {
		l.holder = status.Leader.Identity
	}
	return l, nil
}

func readGroup(space subspace.Subspace, name string, tr kv.ReadTransaction) (listed, error) {
	g := group.New(space)
	config, err := g.ReadConfig(tr)
	if withoutInvalid(err) != nil {
		return listed{}, err
	}
	beats, readErr := g.ReadBeats(tr)
	if readErr != nil {
		return listed{}, readErr
	}
	return listed{Listed: report.ListedGroupOf(name, config.Enabled, len(beats), err), fault: err}, nil
}
