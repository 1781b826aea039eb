package typecheck

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The modules that use the binding: the adapter, and the command that is built with it.
const (
	adapterDir = "../.."
	commandDir = "../../../../cmd/fdbelect-fdb"
	adapter    = "github.com/fdbelection/fdbelection/kv/fdbkv"
)

// newChecker returns a checker of a module. If the binding cannot be downloaded,
// the test is skipped on a developer's machine and fails in CI.
func newChecker(t *testing.T, dir string, also ...string) *Checker {
	t.Helper()
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	c, err := New(dir, also...)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("cannot check the adapter here (with CI set this would fail): %v", err)
	}
	require.NoError(t, err)
	return c
}

// TestAdapter checks every package of the adapter, with its tests, against the
// binding and the contract.
func TestAdapter(t *testing.T) { checkAll(t, newChecker(t, adapterDir)) }

// TestCommand does the same for the command with FoundationDB among its stores.
func TestCommand(t *testing.T) { checkAll(t, newChecker(t, commandDir, adapter)) }

func checkAll(t *testing.T, c *Checker) {
	t.Helper()
	packages, err := c.Packages()
	require.NoError(t, err)
	require.Contains(t, packages, c.module)
	require.Greater(t, len(packages), 1)
	for _, path := range packages {
		require.NoError(t, c.Check(path), path)
	}
}

// TestPlantedErrors: a mistake in the adapter is found, whatever it is about.
func TestPlantedErrors(t *testing.T) {
	for _, plant := range []struct{ name, file, from, to, want string }{
		{
			"a method that the binding does not have", "transaction.go",
			"t.tr.Clear(k)", "t.tr.Erase(k)", "Erase undefined",
		},
		{
			"an argument of another type", "transaction.go",
			"method(t.tr, k, value)", "method(t.tr, name, value)", "does not implement fdb.KeyConvertible",
		},
		{
			"an option that takes another type", "options.go",
			"to.SetTag(o.Tag)", "to.SetTag([]byte(o.Tag))", "cannot use []byte(o.Tag)",
		},
		{
			"a result that is not there", "owned.go",
			"version, err = t.tr.GetCommittedVersion()", "version = t.tr.GetCommittedVersion()", "assignment mismatch",
		},
		{
			"a method of the contract that is missing", "transaction.go",
			"func (t *transaction) ClearRange(", "func (t *transaction) clearRange(", "missing method ClearRange",
		},
		{
			"a test that calls the binding wrongly", "cluster_test.go",
			"fdb.OpenWithConnectionString(string(text))", "fdb.OpenWithConnectionString(text)", "cannot use text",
		},
	} {
		t.Run(plant.name, func(t *testing.T) {
			c := newChecker(t, adapterDir)
			file := filepath.Join(c.dir, plant.file)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(text), plant.from)
			c.overlay[file] = bytes.Replace(text, []byte(plant.from), []byte(plant.to), 1)
			require.ErrorContains(t, c.Check(c.module), plant.want)
		})
	}
}

// TestPlantedErrorInTheCommand: the second module is checked as well.
func TestPlantedErrorInTheCommand(t *testing.T) {
	c := newChecker(t, commandDir, adapter)
	file := filepath.Join(c.dir, "main.go")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "return db, db, nil")
	c.overlay[file] = bytes.Replace(text, []byte("return db, db, nil"), []byte("return db, nil"), 1)
	require.ErrorContains(t, c.Check(c.module), "not enough return values")
}
