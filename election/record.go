package election

import (
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// readIdentity reads an id and an incarnation.
func readIdentity(r *record.Record) Identity {
	return Identity{ID: r.Text(), Incarnation: r.UUID()}
}

func appendIdentity(dst []byte, i Identity) []byte {
	return subspace.AppendUUID(subspace.AppendString(dst, i.ID), i.Incarnation)
}
