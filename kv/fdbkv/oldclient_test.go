package fdbkv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// oldClient behaves like the client library of FoundationDB 7.1. It rejects API versions
// above its own.
const oldClient = `
int fdb_get_max_api_version(void) { return 710; }
int fdb_select_api_version_impl(int runtime, int header) { return header > 710 || runtime > 710 ? 2203 : 2000; }
`

// TestOldClient: if the client library is too old, every operation fails with an error
// that has both versions and says what to do. Nothing crashes.
func TestOldClient(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the loader of " + runtime.GOOS + " does not know LD_PRELOAD")
	}
	answers := strings.Split(strings.TrimSpace(spawn(t, "old client", "", "LD_PRELOAD="+preloadable(t, oldClient)).wait()), "\n")
	require.Len(t, answers, 2)
	for _, answer := range answers {
		require.Contains(t, answer, "fdbkv: ")
		require.Contains(t, answer, "730", "the requested version")
		require.Contains(t, answer, "710", "the version of the library")
		require.Contains(t, answer, "install the client library of FoundationDB 7.3 or later")
	}
}

// openWithOldClient prints the error of Open and checks that all other operations also
// fail.
func openWithOldClient(string) error {
	for range 2 {
		db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
		if err == nil {
			return errors.Join(errors.New("Open succeeded"), db.Close())
		}
		fmt.Println(err)
	}
	// A program that ignores the error and uses a database that was never opened.
	db := fdbkv.FromDatabase(fdb.Database{})
	if _, err := db.CreateTransaction(context.Background()); err == nil {
		return errors.New("a transaction without a client")
	}
	return nil
}

// preloadable compiles a shared library with the C compiler of cgo.
func preloadable(t testing.TB, source string) string {
	t.Helper()
	env, err := exec.CommandContext(t.Context(), "go", "env", "CC").Output()
	require.NoError(t, err)
	cc := strings.Fields(string(env))
	file := filepath.Join(t.TempDir(), "preloaded")
	require.NoError(t, os.WriteFile(file+".c", []byte(source), 0o600))
	out, err := exec.CommandContext(t.Context(), cc[0], append(cc[1:], "-shared", "-fPIC", "-o", file+".so", file+".c")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file + ".so"
}
