// Package below finds the elections and groups below a subspace. An application may keep other things
// there as well.
package below

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ReservedNames are the names of the records of an election below its path. If the subspace
// is an election itself, these are not elections below it.
var ReservedNames = []string{"config", "leader", "term", "intent", "candidates", "rank", "history", "notice"}

// GroupNames are the names of the records of a group below its path. If the subspace is a group
// itself, these are neither elections nor groups below it.
var GroupNames = []string{"group", "members", "beats", "shards", "floor", "requests", "pins", "drains", "log", "bell", "trimmed"}

// Names finds the names below a subspace, in order. It is a value: a copy continues from the
// same place, so a transaction can run again.
type Names struct {
	space      subspace.Subspace
	begin, end []byte
	group      bool                                // the subspace is a group itself
	ahead      map[string]kv.Future[[]kv.KeyValue] // reads that have begun, by their first key
}

// NewNames starts at the first name. Numbers and byte strings are not names.
func NewNames(space subspace.Subspace) Names {
	const text, afterText = 0x02, 0x03
	return Names{space: space, begin: append(space.Bytes(), text), end: append(space.Bytes(), afterText)}
}

// OfGroup returns Names at the same place that also skip the records of a group.
func (n Names) OfGroup() Names {
	n.group = true
	return n
}

// Ahead returns Names that has begun to read at its place and after each of the names that are
// expected, in one wave. It finds the same names whatever is expected. Use it in this
// transaction only.
func (n Names) Ahead(tr kv.ReadTransaction, expected []string) Names {
	n.ahead = map[string]kv.Future[[]kv.KeyValue]{string(n.begin): n.read(tr, n.begin)}
	for _, name := range expected {
		_, after := n.space.Sub(name).Range()
		n.ahead[string(after)] = n.read(tr, after)
	}
	return n
}

// Later returns Names at the same place for another transaction.
func (n Names) Later() Names {
	n.ahead = nil
	return n
}

func (n *Names) read(tr kv.ReadTransaction, begin []byte) kv.Future[[]kv.KeyValue] {
	return tr.Snapshot().GetRange(begin, n.end, kv.RangeOptions{Limit: 1})
}

// Next returns the next name by one range read of one row. The name is empty if this key
// does not have one or is reserved: call Next again. more is false after the last key.
func (n *Names) Next(tr kv.ReadTransaction) (name string, more bool, err error) {
	read := n.ahead[string(n.begin)]
	if read == nil {
		read = n.read(tr, n.begin)
	}
	rows, err := read.Get()
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	reader := n.space.Reader(rows[0].Key)
	name = reader.Text()
	if named := reader.Err() == nil; !named { // the next key may have a name
		n.begin = append(bytes.Clone(rows[0].Key), 0)
		return "", true, nil
	}
	_, n.begin = n.space.Sub(name).Range()
	if slices.Contains(ReservedNames, name) || n.group && slices.Contains(GroupNames, name) {
		return "", true, nil
	}
	return name, true, nil
}
