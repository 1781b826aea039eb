package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/fdbelect-fdb/internal/spec"
)

// TestOpen opens the database under test, as the command does.
func TestOpen(t *testing.T) {
	clusterFile := os.Getenv("FDB_CLUSTER_FILE")
	require.NotEmpty(t, clusterFile, "this test needs FoundationDB: set FDB_CLUSTER_FILE")
	for _, text := range []string{clusterFile, clusterFile + "?tag=fdbkvtest", ""} {
		db, err := Open(t.Context(), text, time.Minute)
		require.NoError(t, err, text)
		require.NoError(t, db.Ping(t.Context()))
		require.NoError(t, db.Close())
	}
	_, err := Open(t.Context(), clusterFile+"?tenant=none%20such", time.Minute)
	require.ErrorContains(t, err, "the cluster has no such tenant")
	require.True(t, Permanent(err))
	require.True(t, spec.Wrong(err))
}

// TestOpenFails: the error says what is wrong, and comes within the timeout.
func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, "fdb.cluster")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	for _, c := range []struct {
		name, spec, want string
		permanent, usage bool
	}{
		{"missing", filepath.Join(dir, "none"), "cannot read the cluster file", true, false},
		{"malformed", file("nonsense"), "is not a cluster file", false, false},
		{"unknown parameter", "/x?tennant=a", `there is no "tennant"`, false, true},
		{"long tag", "/x?tag=12345678901234567", "Options.Tag", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), c.spec, time.Minute)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.permanent, Permanent(err))
			require.Equal(t, c.usage, spec.Wrong(err))
		})
	}
	_, err := Open(t.Context(), file("local:local@localhost\n"), time.Minute)
	require.ErrorContains(t, err, "cannot be used")
	require.True(t, Permanent(err))

	nowhere := file("nowhere:nowhere@127.0.0.1:1\n")
	_, err = Open(t.Context(), nowhere, 50*time.Millisecond)
	require.ErrorContains(t, err, "did not answer within 50ms")
	require.NotContains(t, err.Error(), "cancelled", "it is the deadline that counts")
	require.NotContains(t, err.Error(), "deadline", "it is said once")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, Permanent(err))
}

func TestServerVersions(t *testing.T) {
	versions, err := serverVersions([]byte(`{"cluster":{"processes":{
		"a":{"version":"7.3.79"},"b":{"version":"7.3.63"},"c":{"version":"7.3.79"},"d":{}}},"client":{}}`))
	require.NoError(t, err)
	require.Equal(t, "7.3.63 (1), 7.3.79 (2)", versions)
	_, err = serverVersions([]byte(`{"cluster":{}}`))
	require.ErrorContains(t, err, "names no version")
	_, err = serverVersions(nil)
	require.ErrorContains(t, err, "not the expected JSON")
}
