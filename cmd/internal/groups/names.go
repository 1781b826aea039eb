package groups

import (
	"fmt"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// CheckName returns an error if no shard or member can have a name. what says what it names.
func CheckName(what, name string) error {
	if problem := record.NameProblem(name); problem != "" {
		return fmt.Errorf("%w: %s %s", group.ErrInvalidName, what, problem)
	}
	return nil
}

// Names returns the first names of the records of one kind that begin with a prefix.
func Names(g *group.Group, tr kv.ReadTransaction, kind group.Kind, prefix string) ([]string, error) {
	const most = 500
	space := g.Subspace().Sub(kind.String())
	begin := subspace.AppendString(space.Bytes(), prefix)
	begin = begin[:len(begin)-1] // the end of the text
	end := append(record.Grow(begin, 1), 0xff)
	rows, err := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: most}).Get()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rows))
	for _, row := range rows {
		r := space.Reader(row.Key)
		if name := r.Text(); r.Err() == nil && record.NameProblem(name) == "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// ReadRequest returns what is asked of the leader of a shard, by snapshot reads.
func ReadRequest(g *group.Group, tr kv.ReadTransaction, shard string) (group.Request, error) {
	for at := (group.Position{Kind: group.KindRequest}); at.Kind == group.KindRequest; {
		page, err := g.ScanPage(tr, at, groupview.PageRows)
		if err != nil {
			return group.Request{}, err
		}
		for i := range page.Rows {
			if row := &page.Rows[i]; row.Kind == group.KindRequest && row.Name == shard && row.Request != nil {
				return *row.Request, nil
			}
		}
		at = page.Next
	}
	return group.Request{}, nil
}
