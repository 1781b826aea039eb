package fdbkv_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestOpenBadClusterFile: Open fails immediately if the cluster file is malformed.
func TestOpenBadClusterFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty":           "",
		"comments only":   "# nothing\n\n",
		"no coordinators": "local:local@\n",
		"no id":           "local@127.0.0.1:4500\n",
		"two lines":       "local:local@127.0.0.1:4500\nlocal:local@127.0.0.1:4500\n",
		"spaces":          "local:local@127.0.0.1:4500, 127.0.0.1:4501\n",
		"bytes":           "\x00\xff\xfe",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "fdb.cluster")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := fdbkv.Open(file, fdbkv.Options{})
			require.ErrorContains(t, err, file)
			require.ErrorContains(t, err, "description:id@address:port")
		})
	}
	_, err := fdbkv.Open(filepath.Join(t.TempDir(), "none"), fdbkv.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = fdbkv.Open(t.TempDir(), fdbkv.Options{})
	require.Error(t, err)
}

// TestOpenWellFormedNonsense: the client checks the content of a well-formed cluster file.
// The error comes at the latest when the time limit passes.
func TestOpenWellFormedNonsense(t *testing.T) {
	for _, text := range []string{"local:local@localhost", "local:local@1.2.3.4:99999", "local:local@[::1", "a:b@not-a-host.invalid:4500"} {
		file := filepath.Join(t.TempDir(), "fdb.cluster")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		db, err := fdbkv.Open(file, fdbkv.Options{})
		if err != nil {
			t.Logf("Open of %q: %v", text, err)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err = db.Ping(ctx)
		cancel()
		require.Error(t, err, text)
		t.Logf("Ping of %q: %v", text, err)
		require.NoError(t, db.Close())
	}
}

// TestClose: a closed database returns errors. Other databases of the same file continue.
func TestClose(t *testing.T) {
	first, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	require.NoError(t, err)
	second := open(t, fdbkv.Options{})
	with, err := first.With(fdbkv.Options{Priority: fdbkv.PriorityBatch})
	require.NoError(t, err)
	require.NoError(t, first.Ping(t.Context()))
	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	for _, closed := range []*fdbkv.Database{first, with} {
		require.ErrorIs(t, closed.Ping(t.Context()), fdbkv.ErrClosed)
		_, err = closed.CreateTransaction(t.Context())
		require.ErrorIs(t, err, fdbkv.ErrClosed)
		_, err = closed.Tenant([]byte("tenant"))
		require.ErrorIs(t, err, fdbkv.ErrClosed)
	}
	require.NoError(t, second.Ping(t.Context()))
}

// TestCloseLeavesTheBindingsAlone: Close does not close a database that the program has
// opened with the binding from the same file.
func TestCloseLeavesTheBindingsAlone(t *testing.T) {
	open(t, fdbkv.Options{}) // selects the API version
	theirs, err := fdb.OpenDatabase(clusterFile)
	require.NoError(t, err)
	for range 2 {
		ours, err := fdbkv.Open(clusterFile, fdbkv.Options{})
		require.NoError(t, err)
		require.NoError(t, ours.Ping(t.Context()))
		require.NoError(t, ours.Close())
	}
	require.NoError(t, fdbkv.FromDatabase(theirs).Ping(t.Context()))
	require.NoError(t, fdbkv.FromDatabase(theirs).Close())
	require.NoError(t, fdbkv.FromDatabase(theirs).Ping(t.Context()))
}

// TestOpenDefault: without a name, Open uses the file of the environment, or the one in the
// working directory.
func TestOpenDefault(t *testing.T) {
	text, err := os.ReadFile(clusterFile)
	require.NoError(t, err)
	reach := func() {
		t.Helper()
		db, err := fdbkv.Open("", fdbkv.Options{})
		require.NoError(t, err)
		require.NoError(t, db.Ping(t.Context()))
		require.NoError(t, db.Close())
	}
	reach()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("FDB_CLUSTER_FILE", "")
	require.NoError(t, os.WriteFile("fdb.cluster", text, 0o600))
	reach()
	t.Setenv("FDB_CLUSTER_FILE", filepath.Join(dir, "none"))
	_, err = fdbkv.Open("", fdbkv.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestOpenConcurrently: opening, using and closing have no data race.
func TestOpenConcurrently(t *testing.T) {
	nowhere := nowhereFile(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 5 {
				file := clusterFile
				if i%2 == 0 {
					file = nowhere
				}
				db, err := fdbkv.Open(file, fdbkv.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				tr, err := db.CreateTransaction(context.Background())
				if err != nil {
					t.Error(err)
				} else {
					tr.Set([]byte("never committed"), nil)
					tr.Cancel()
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// TestTransactionsOutliveClose: a running transaction continues after Close.
func TestTransactionsOutliveClose(t *testing.T) {
	key := append(prefix(t), "k"...)
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	require.NoError(t, err)
	tr, err := db.CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	require.NoError(t, db.Close())
	tr.Set(key, []byte("v"))
	require.NoError(t, tr.Commit())
	require.Equal(t, "v", stored(t, key))
}

// TestTenants: a missing tenant is an error, and each tenant has its own keys.
func TestTenants(t *testing.T) {
	db := open(t, fdbkv.Options{})
	none, err := db.Tenant([]byte(testPrefix + "no such tenant"))
	require.NoError(t, err)
	const tenantNotFound = 2131
	require.Equal(t, tenantNotFound, kv.CodeOf(none.Ping(t.Context())))

	binding := raw(t)
	name := fdb.Key(prefix(t))
	require.NoError(t, binding.CreateTenant(name), "these tests need `configure tenant_mode=optional_experimental`")
	tenant, err := db.Tenant(name)
	require.NoError(t, err)
	handle, err := binding.OpenTenant(name)
	require.NoError(t, err)
	key := []byte(testPrefix + "tenant key")
	t.Cleanup(func() {
		require.NoError(t, tenant.Transact(context.Background(), func(tr kv.Transaction) error {
			tr.Clear(key)
			return nil
		}))
		require.NoError(t, binding.DeleteTenant(name))
	})
	require.NoError(t, tenant.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set(key, []byte("v"))
		return nil
	}))
	value, err := kv.ReadTransact(t.Context(), fdbkv.FromTenant(handle), func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get(key).Get()
	})
	require.NoError(t, err)
	require.Equal(t, "v", string(value))
	require.Empty(t, stored(t, key), "outside the tenant")
}
