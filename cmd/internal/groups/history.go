package groups

import (
	"errors"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// History reads the log of a group from its beginning. It returns the last events that are wanted,
// oldest first, and the version up to which it has read. A limit of zero returns all of them. read
// runs a transaction. Errors: ErrNotInitialized if the group does not exist.
func History(g *group.Group, read func(fn func(tr kv.ReadTransaction) (group.Changes, error)) (group.Changes, error),
	limit int, wanted func(*Event) bool,
) (last []Event, version int64, err error) {
	t := NewTeller(nil)
	for first := true; ; first = false {
		log, err := read(func(tr kv.ReadTransaction) (group.Changes, error) {
			if err := Exists(g, tr); err != nil {
				return group.Changes{}, err
			}
			return g.ReadLog(tr, version, groupview.PageRows)
		})
		if err != nil {
			return nil, 0, err
		}
		if first {
			t.Whole = !log.Trimmed // otherwise records may be older than the log
		}
		for i := range log.Changes {
			if e, told := t.Tell(&log.Changes[i]); told && wanted(&e) {
				last = append(last, e)
			}
		}
		if limit > 0 {
			last = slices.Clone(last[max(len(last)-limit, 0):]) // so that the others are freed
		}
		if version = log.Version; !log.More {
			return last, version, nil
		}
	}
}

// Wanted selects the events of a shard, if it is not empty, and those about a member or about shards
// that it led before or after, if it is not empty.
func Wanted(shard, member string) func(*Event) bool {
	return func(e *Event) bool {
		return (shard == "" || e.Shard == shard) && (member == "" || slices.Contains([]string{e.From.ID, e.To.ID, e.Member.ID}, member))
	}
}

// Exists returns ErrNotInitialized if a group does not exist. One whose config cannot be read exists.
func Exists(g *group.Group, tr kv.ReadTransaction) error {
	_, err := g.ReadConfig(tr)
	if errors.Is(err, fdbelection.ErrInvalidState) {
		return nil
	}
	return err
}
