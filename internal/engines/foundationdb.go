package engines

import (
	"testing"

	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// FoundationDB describes a cluster that all cases share, as kv/fdbkv opens it:
// a module of its own, where the suite runs on the real database.
func FoundationDB(open func(t testing.TB) kvtest.Store) kvtest.Engine {
	return kvtest.Engine{
		Name:     "FoundationDB",
		Open:     open,
		RealTime: true,
		Lacks: map[kvtest.Capability]string{
			kvtest.Backoffs: "the client waits by itself",
			kvtest.Recovery: "all cases share the cluster; a test of its own restarts it",
			kvtest.Faults:   "a cluster fails when it likes; a test of its own lets the client inject faults",
			kvtest.Holds:    "nothing stands between the client and the cluster; a test of its own waits for a cluster that is not there",
			kvtest.KeySpace: "all cases share the cluster",
		},
	}
}
