package main

import (
	"bytes"
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/interop"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func TestStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.db")
	call := func(in string, args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), args, strings.NewReader(in), &out)
		return out.String(), err
	}
	_, err := call("", "dump", file)
	require.ErrorIs(t, err, fs.ErrNotExist, "a mistyped path makes no store")
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	const step = `{"op": "read", "key": "01", "value": null}
{"op": "set", "key": "01", "value": "02"}
{"op": "set_versionstamped_key", "key": "09ffffffffffffffffffff01000000", "value": ""}
{"op": "set_versionstamped_value", "key": "03", "value": "ffffffffffffffffffff00000000"}
`
	_, err = call(step, "apply", file)
	require.NoError(t, err)
	dump, err := call("", "dump", file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(dump), "\n")
	require.Len(t, lines, 3)
	require.JSONEq(t, `{"key": "01", "value": "02"}`, lines[0])
	require.Regexp(t, `^{"key":"09[0-9a-f]{20}","value":""}$`, lines[2])
	require.Contains(t, lines[1], lines[2][len(`{"key":"09`):][:20], "both have the versionstamp of the commit")

	_, err = call(step, "apply", file)
	require.ErrorIs(t, err, interop.ErrChanged, "the step follows from an older dump")
	_, err = call(`{"op": "clear", "key": "01"}`, "apply", file)
	require.NoError(t, err)
	for _, nonsense := range []string{"{", `{"op": "set", "key": "0"}`, `{"op": "set", "key": "01", "value": "x"}`, `{"op": "", "key": "01"}`} {
		_, err = call(nonsense, "apply", file)
		require.Error(t, err)
	}
	_, err = call("", "dmp", file)
	require.ErrorContains(t, err, "usage")
}

func TestStoreEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "demo.db")
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.ErrorIs(t, run(ctx, []string{"dump", file}, strings.NewReader(""), &bytes.Buffer{}), context.Canceled)
}
