// Package nested finds elections and groups that would share keys. Of a record that exists
// once for each name, such as a candidate, the key is a child's name and the name. So the
// config of an election or a group in the subspace of such a child has the key of a record.
package nested

import (
	"bytes"
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Layout is the part of the layout of an election or a group that others could share.
type Layout struct {
	name string
	// config is the name of the config, which exists if the election or the group does.
	config string
	// children are the names of the records that exist once for each name.
	children []string
}

// The layouts.
var (
	Election = Layout{"an election", "config", []string{"candidates"}}
	Group    = Layout{"a group", "group", []string{"members", "beats", "shards", "pins", "requests", "drains"}}
)

var layouts = []*Layout{&Election, &Group}

// found is a config that may exist.
type found struct {
	read   kv.Future[[]byte]
	inside bool // of the subspace to check, and not around it
	where  string
}

// Check returns an error (ErrSharedKeys) if an election or a group with this layout would
// share keys with another one. It reads in both directions with read conflicts, so two that
// would share keys cannot be created at the same time.
func (l *Layout) Check(tr kv.ReadTransaction, space subspace.Subspace) error {
	var all []found
	for _, other := range layouts {
		for _, child := range l.children {
			key := space.Sub(child, other.config).Bytes()
			all = append(all, found{tr.Get(key), true, other.name + " lives below its " + child})
		}
		for _, child := range other.children {
			outer, below := bytes.CutSuffix(space.Bytes(), subspace.New(child).Bytes())
			if below {
				key := subspace.FromBytes(outer).Sub(other.config).Bytes()
				all = append(all, found{tr.Get(key), false, "it would live below the " + child + " of " + other.name})
			}
		}
	}
	for i := range all {
		f := &all[i]
		value, err := f.read.Get()
		if err != nil {
			return err
		}
		if f.inside && isConfig(value) || !f.inside && value != nil {
			return fmt.Errorf("%w: %s", fdbelection.ErrSharedKeys, f.where)
		}
	}
	return nil
}

// configKinds are the first elements of every config: two versions, revision, nonce, three
// durations and whether it is enabled. No other record begins with them.
var configKinds = []subspace.Kind{
	subspace.KindInteger, subspace.KindInteger, subspace.KindInteger, subspace.KindUUID,
	subspace.KindInteger, subspace.KindInteger, subspace.KindInteger, subspace.KindBool,
}

// isConfig reports whether a value is a config and not the record of a candidate, a member or
// a shard whose name is that of a config.
func isConfig(value []byte) bool {
	r := subspace.NewReader(value)
	for _, kind := range configKinds {
		if r.Peek() != kind {
			return false
		}
		r.Skip()
	}
	return true
}
