package filekv_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// engine describes filekv to the suite.
func engine() kvtest.Engine {
	return kvtest.Engine{
		Name: "filekv",
		Open: openEngine,
		Lacks: map[kvtest.Capability]string{
			kvtest.Recovery: "there is no cluster that could recover",
			kvtest.Faults:   "nothing stands between a caller and the file",
			kvtest.Holds:    "nothing stands between a caller and the file",
		},
	}
}

func openEngine(t testing.TB) kvtest.Store {
	t.Helper()
	clock := kvtest.NewVirtualClock()
	path := filepath.Join(t.TempDir(), "store")
	// The clock takes every wait of up to a second for a back-off and ends it at
	// once. With its jitter a back-off is half a second at the most, and what is
	// longer is a time limit, which has to last.
	sleep := func(ctx context.Context, d time.Duration) error {
		if d > time.Second/2 && d <= time.Second {
			d = time.Second + time.Millisecond
		}
		return clock.Sleep(ctx, d)
	}
	open := func(t testing.TB) *filekv.DB {
		t.Helper()
		db, err := filekv.Open(path, filekv.Options{Now: clock.Now, Sleep: sleep, Jitter: clock.Jitter})
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

func TestConformance(t *testing.T) {
	kvtest.Run(t, engine())
}
