package engines

import (
	"testing"

	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// FoundationDB describes a cluster that all cases share. Package kv/fdbkv, which is
// a separate module, opens it and runs the suite on the real database.
func FoundationDB(open func(t testing.TB) kvtest.Store) kvtest.Engine {
	return kvtest.Engine{
		Name:     "FoundationDB",
		Open:     open,
		RealTime: true,
		Lacks: map[kvtest.Capability]string{
			kvtest.Backoffs: "the client waits internally",
			kvtest.Recovery: "all cases share the cluster; a separate test restarts it",
			kvtest.Faults:   "faults of a cluster cannot be controlled; a separate test lets the client inject faults",
			kvtest.Holds:    "nothing can intercept the client's requests; a separate test waits for a cluster that does not exist",
			kvtest.KeySpace: "all cases share the cluster",
		},
	}
}
