package group

import (
	"github.com/fdbelection/fdbelection/subspace"
)

// Group is one group in one subspace. It remembers nothing between two calls and is safe for
// concurrent use.
type Group struct {
	keys keys
}

// New returns the group in a subspace. It does no I/O. Initialize creates the group in the
// database.
func New(space subspace.Subspace) *Group { return &Group{keys: newKeys(space)} }

// Subspace returns the subspace of the group.
func (g *Group) Subspace() subspace.Subspace { return g.keys.space }
