package engines

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// File describes filekv, with an injected clock.
func File() kvtest.Engine {
	return kvtest.Engine{
		Name: "filekv",
		Open: openFile,
		Lacks: map[kvtest.Capability]string{
			kvtest.Recovery: "there is no cluster to recover",
			kvtest.Faults:   "nothing can intercept file access; filekv's own tests inject disk errors",
			kvtest.Holds:    "nothing can intercept file access; filekv's own tests hold the lock",
		},
	}
}

func openFile(t testing.TB) kvtest.Store {
	t.Helper()
	clock := kvtest.NewVirtualClock()
	path := filepath.Join(t.TempDir(), "store")
	open := func(t testing.TB) *filekv.DB {
		t.Helper()
		db, err := filekv.Open(path, filekv.Options{Now: clock.Now, Sleep: clock.Sleep, Jitter: clock.Jitter})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	db := open(t)
	return kvtest.Store{
		Database: db,
		Advance:  clock.Advance,
		Backoffs: clock.Waited,
		Reopen: func(t testing.TB) kv.Database {
			t.Helper()
			require.NoError(t, db.Close())
			return open(t)
		},
		Share: func(t testing.TB) kv.Database {
			t.Helper()
			return open(t)
		},
	}
}
