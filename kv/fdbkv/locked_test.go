package fdbkv_test

import (
	"context"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// lockDatabase locks the database, as an operator does for a restore. Only lock-aware
// transactions can use it then. The result unlocks it, once.
func lockDatabase(t testing.TB, db fdb.Database) (unlock func()) {
	t.Helper()
	key := fdb.Key("\xff\xff/management/db_locked")
	change := func(fn func(tr fdb.Transaction)) {
		_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
			if err := tr.Options().SetSpecialKeySpaceEnableWrites(); err != nil {
				return nil, err
			}
			if err := tr.Options().SetLockAware(); err != nil {
				return nil, err
			}
			fn(tr)
			return nil, nil
		})
		require.NoError(t, err)
	}
	locked := true
	unlock = func() {
		if locked {
			locked = false
			change(func(tr fdb.Transaction) { tr.Clear(key) })
		}
	}
	t.Cleanup(unlock)
	change(func(tr fdb.Transaction) { tr.Set(key, []byte("0123456789abcdef0123456789abcdef")) })
	return unlock
}

// TestLockedDatabase: while the database is locked, all operations fail with 1038 and are
// retried until the context ends.
func TestLockedDatabase(t *testing.T) {
	db := open(t, fdbkv.Options{})
	unlock := lockDatabase(t, raw(t))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := db.Ping(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	tr, err := db.CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	_, err = tr.Get([]byte(testPrefix + "k")).Get()
	require.ErrorIs(t, err, kv.Error{Code: kv.CodeDatabaseLocked})
	waiting := background(func() error { return db.Ping(t.Context()) })
	unlock()
	require.NoError(t, await(t, waiting))
}

// TestElectorOutlastsALockedDatabase: a leader that cannot renew stops before its lease
// ends, and leads again when the database is unlocked.
func TestElectorOutlastsALockedDatabase(t *testing.T) {
	binding := raw(t)
	el, elected := newElector(t, subspace.FromBytes(below(prefix(t), "election/")), "one")
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	defer stop()
	began, ended := make(chan uint64, 8), make(chan time.Time, 8)
	ran := background(func() error {
		return el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			began <- lead.Term()
			<-ctx.Done()
			ended <- time.Now()
			return nil
		})
	})
	within(t, patience, elected)
	term := <-began
	unlock := lockDatabase(t, binding)
	locked := time.Now()
	select {
	case at := <-ended:
		t.Logf("the work was stopped %v after the lock, with a lease of %v", at.Sub(locked), lease)
		require.Less(t, at.Sub(locked), lease)
	case <-time.After(patience):
		t.Fatal("the leader continued")
	}
	require.Error(t, el.IsLeader(ctx))
	unlock()
	select {
	case next := <-began:
		require.Greater(t, next, term)
	case <-time.After(patience):
		t.Fatal("the leader did not lead again")
	}
	stop()
	require.NoError(t, await(t, ran))
}
