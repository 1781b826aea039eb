package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/examples/internal/check"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	check.Readme(t, out.String())
}

// TestALateStep: the result of a step is not known. The next leader repeats the step and finishes
// the job. After that the first one arrives at the store. It must not move the cursor back.
func TestALateStep(t *testing.T) {
	hooks, late := check.LateWrite(indexKey(2))
	db := memkv.New(memkv.Options{Hooks: hooks})
	var begun []string
	a, err := start(t.Context(), db, "a")
	require.NoError(t, err)
	begun = append(begun, check.Next(t, a.begins), check.Next(t, a.begins))
	b, err := start(t.Context(), db, "b")
	require.NoError(t, err)
	for range 5 {
		begun = append(begun, check.Next(t, b.begins))
	}
	require.NoError(t, check.Next(t, b.ended))
	require.Equal(t, []string{
		"a indexes document 1 in term 1.",
		"a indexes document 2 in term 1.",
		"b indexes document 2 in term 2.",
		"b indexes document 3 in term 2.",
		"b indexes document 4 in term 2.",
		"b indexes document 5 in term 2.",
		"b indexes document 6 in term 2.",
	}, begun)

	_, err = check.Next(t, late).Land()
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err), "the late step is refused")
	cursor, err := kv.ReadTransact(t.Context(), db, readCursor)
	require.NoError(t, err)
	require.Equal(t, 6, cursor)
	require.Equal(t, []string{"1", "2", "2", "2", "2", "2"}, terms(t, db))
	require.NoError(t, a.Stop(t.Context()))
}

// terms returns the term in which each document was indexed.
func terms(t *testing.T, db kv.Database) []string {
	t.Helper()
	var terms []string
	require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
		terms = nil
		begin, end := data.Sub("index").Range()
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		for _, row := range rows {
			terms = append(terms, string(row.Value))
		}
		return err
	}))
	return terms
}
