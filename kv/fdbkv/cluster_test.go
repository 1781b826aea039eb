package fdbkv_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// patience limits how long a failing test takes.
const patience = 30 * time.Second

// clusterFile is the cluster file of the database under test.
var clusterFile = os.Getenv("FDB_CLUSTER_FILE")

// testPrefix is the prefix of all keys and tenant names of the tests.
const testPrefix = "fdbkvtest/"

// TestMain fails without a database, because a skipped suite proves nothing. It also
// fails if the tests leave keys or tenants behind. In a child process, it runs the
// child's part instead.
func TestMain(m *testing.M) {
	if part := os.Getenv(childPart); part != "" {
		os.Exit(runPart(part))
	}
	if clusterFile == "" {
		fmt.Fprintln(os.Stderr, "these tests need FoundationDB: set FDB_CLUSTER_FILE to the cluster file of a test database.\n"+
			"They REBOOT all of its processes and LOCK it for some seconds at a time, so nothing else may use it at the same time.\n"+
			"They write only below the prefix "+testPrefix+", remove what they wrote, and list all user keys before and after.\n"+
			"`make integration` runs them on a database in a container.")
		os.Exit(1)
	}
	if err := reach(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot reach the database of FDB_CLUSTER_FILE=%s: %v\n", clusterFile, err)
		os.Exit(1)
	}
	os.Exit(runTidily(m))
}

// reach opens the database and waits for it.
func reach() error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return db.Ping(ctx)
}

// open opens the database under test.
func open(t testing.TB, opts fdbkv.Options) *fdbkv.Database {
	t.Helper()
	db, err := fdbkv.Open(clusterFile, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// raw opens it with the binding, on a separate connection.
func raw(t testing.TB) fdb.Database {
	t.Helper()
	open(t, fdbkv.Options{}) // selects the API version
	text, err := os.ReadFile(clusterFile)
	require.NoError(t, err)
	db, err := fdb.OpenWithConnectionString(string(text))
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// prefix returns a prefix for one test. Its keys are cleared after the test.
func prefix(t testing.TB) []byte {
	t.Helper()
	random := make([]byte, 8)
	_, _ = rand.Read(random)
	p := []byte(testPrefix + hex.EncodeToString(random) + "/")
	db := open(t, fdbkv.Options{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, db.Transact(ctx, func(tr kv.Transaction) error {
			tr.ClearRange(p, append(slices.Clip(p[:len(p)-1]), '/'+1))
			return nil
		}))
	})
	return p
}

// below returns a key of a test: its prefix and a name.
func below(prefix []byte, name string) []byte { return append(slices.Clip(prefix), name...) }
