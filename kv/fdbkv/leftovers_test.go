package fdbkv_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// inventory is the content of a database: its tenants, and every user key with its value.
type inventory map[string]string

// takeInventory reads the content of the database.
func takeInventory() (inventory, error) {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	contents, err := kvtest.Contents(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("cannot list the keys: %w", err)
	}
	all := make(inventory, len(contents))
	for key, value := range contents {
		all[fmt.Sprintf("key %q", key)] = value
	}
	text, err := os.ReadFile(clusterFile)
	if err != nil {
		return nil, err
	}
	binding, err := fdb.OpenWithConnectionString(string(text))
	if err != nil {
		return nil, err
	}
	defer binding.Close()
	tenants, err := binding.ListTenants()
	if err != nil {
		return nil, fmt.Errorf("cannot list the tenants: %w", err)
	}
	for _, name := range tenants {
		all[fmt.Sprintf("tenant %q", []byte(name))] = ""
	}
	return all, nil
}

// changes returns a line for each difference between two inventories, in order.
func changes(before, after inventory) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if value, found := before[name]; !found {
			lines = append(lines, name+" was left behind")
		} else if value != after[name] {
			lines = append(lines, name+" has another value")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, found := after[name]; !found {
			lines = append(lines, name+" is gone")
		}
	}
	return lines
}

// runTidily runs the tests and fails if they change the content of the database.
func runTidily(m *testing.M) int {
	before, err := takeInventory()
	if err != nil {
		fmt.Fprintln(os.Stderr, "before the tests:", err)
		return 1
	}
	status := m.Run()
	after, err := takeInventory()
	if err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		return 1
	}
	lines := changes(before, after)
	if len(lines) == 0 {
		fmt.Printf("the tests left nothing behind: %d keys and tenants before and after\n", len(after))
		return status
	}
	const shown = 20
	fmt.Fprintf(os.Stderr, "the tests changed the content of the database in %d places (or another program used it at the same time):\n", len(lines))
	for _, line := range lines[:min(shown, len(lines))] {
		fmt.Fprintln(os.Stderr, "  "+line)
	}
	return 1
}

// TestLeftoversAreFound: the inventory finds everything that a test leaves behind, changes
// or removes.
func TestLeftoversAreFound(t *testing.T) {
	p, db, binding := prefix(t), open(t, fdbkv.Options{}), raw(t)
	apply := func(fn func(tr kv.Transaction)) {
		t.Helper()
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			fn(tr)
			return nil
		}))
	}
	take := func() inventory {
		t.Helper()
		all, err := takeInventory()
		require.NoError(t, err)
		return all
	}
	kept, gone, added := below(p, "kept"), below(p, "gone"), below(p, "added")
	apply(func(tr kv.Transaction) {
		tr.Set(kept, []byte("old"))
		tr.Set(gone, nil)
	})
	before := take()
	require.Empty(t, changes(before, take()))
	apply(func(tr kv.Transaction) {
		tr.Set(kept, []byte("new"))
		tr.Clear(gone)
		tr.Set(added, nil)
	})
	tenant := fdb.Key(below(p, "tenant"))
	require.NoError(t, binding.CreateTenant(tenant))
	after := take()
	require.NoError(t, binding.DeleteTenant(tenant))
	require.Equal(t, []string{
		fmt.Sprintf("key %q was left behind", added),
		fmt.Sprintf("key %q has another value", kept),
		fmt.Sprintf("tenant %q was left behind", []byte(tenant)),
		fmt.Sprintf("key %q is gone", gone),
	}, changes(before, after))
}
