package fdbkv_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// reboot restarts every process of the cluster, as `fdbcli --exec "kill all"`
// does.
func reboot(t testing.TB, db fdb.Database) {
	t.Helper()
	text, err := db.ReadTransact(func(tr fdb.ReadTransaction) (any, error) {
		return tr.Get(fdb.Key("\xff\xff/status/json")).Get()
	})
	require.NoError(t, err)
	var status struct {
		Cluster struct {
			Processes map[string]struct{ Address string }
		}
	}
	require.NoError(t, json.Unmarshal(text.([]byte), &status))
	require.NotEmpty(t, status.Cluster.Processes)
	for _, process := range status.Cluster.Processes {
		require.NoError(t, db.RebootWorker(process.Address, false, 0))
	}
}

// TestRestartUnderLoad restarts the database in the middle of many commits. Their reported
// outcomes must be true, watches must end, and work must continue.
func TestRestartUnderLoad(t *testing.T) {
	const workers, commitsBefore, commitsAfter = 8, 200, 50
	binding, db, p := raw(t), open(t, fdbkv.Options{}), prefix(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()

	watched := below(p, "watched")
	var watch kv.Watch
	require.NoError(t, db.Transact(ctx, func(tr kv.Transaction) error {
		watch = tr.Watch(watched)
		return nil
	}))
	before := version(t, db)

	var restarted atomic.Bool
	var commits atomic.Int64
	var group sync.WaitGroup
	found := make([]fates, workers)
	for i := range workers {
		found[i] = fates{}
		group.Go(func() {
			for n, after := 0, 0; after < commitsAfter; n++ {
				key := below(p, fmt.Sprintf("%d/%d", i, n))
				seen := restarted.Load()
				err := commitOnce(ctx, db, key, false, 0)
				commits.Add(1)
				if err := found[i].judge(ctx, db, key, err); err != nil {
					t.Error(err)
					return
				}
				if seen && err == nil {
					after++
				}
			}
		})
	}
	require.Eventually(t, func() bool { return commits.Load() >= commitsBefore }, patience, time.Millisecond)
	reboot(t, binding)
	require.Eventually(t, func() bool { return version(t, db) > before+50_000_000 }, 2*patience, 50*time.Millisecond,
		"a recovery advances the version by 100 million")
	restarted.Store(true)
	group.Wait()
	all := fates{}
	for _, some := range found {
		for outcome, count := range some {
			sum := all[outcome]
			sum.there += count.there
			sum.absent += count.absent
			all[outcome] = sum
		}
	}
	t.Logf("outcomes during the restart: %+v", all)

	require.NoError(t, db.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set(watched, []byte("changed"))
		return nil
	}))
	ended(t, watch)
	t.Logf("the watch during the restart ended with: %v", watch.Err())
}

// version returns the current version of the database.
func version(t testing.TB, db kv.Database) int64 {
	t.Helper()
	v, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) (int64, error) {
		return tr.GetReadVersion().Get()
	})
	require.NoError(t, err)
	return v
}
