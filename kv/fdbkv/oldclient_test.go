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

// oldClient answers for the client library as that of FoundationDB 7.1 does: it
// refuses every version that its header or the program asks for beyond its own.
const oldClient = `
int fdb_get_max_api_version(void) { return 710; }
int fdb_select_api_version_impl(int runtime, int header) { return header > 710 || runtime > 710 ? 2203 : 2000; }
`

// TestOldClient: a client library that is older than the API version is told at
// once and each time, with both versions and what to do, and nothing crashes.
func TestOldClient(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the loader of " + runtime.GOOS + " does not know LD_PRELOAD")
	}
	answers := strings.Split(strings.TrimSpace(spawn(t, "old client", "", "LD_PRELOAD="+preloadable(t, oldClient)).wait()), "\n")
	require.Len(t, answers, 2)
	for _, answer := range answers {
		require.Contains(t, answer, "fdbkv: ")
		require.Contains(t, answer, "730", "what is asked for")
		require.Contains(t, answer, "710", "what is there")
		require.Contains(t, answer, "install that of FoundationDB 7.3 or later")
	}
}

// openWithOldClient writes what Open answers, and checks that everything else
// refuses as well.
func openWithOldClient(string) error {
	for range 2 {
		db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
		if err == nil {
			return errors.Join(errors.New("it opened"), db.Close())
		}
		fmt.Println(err)
	}
	// A program that goes on regardless with a database it never opened.
	db := fdbkv.FromDatabase(fdb.Database{})
	if _, err := db.CreateTransaction(context.Background()); err == nil {
		return errors.New("a transaction without a client")
	}
	return nil
}

// preloadable compiles a shared library with the compiler of cgo, which built
// this test.
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
