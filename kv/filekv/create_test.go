//go:build unix

package filekv

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCreationReplacesNothing: a creation does not replace a file that appeared in the
// meantime.
func TestCreationReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, err := newStore(path, Options{}.withDefaults())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	require.NoError(t, os.WriteFile(path, []byte("of another program"), 0o600))
	require.ErrorIs(t, s.create(), fs.ErrExist)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "of another program", string(content))
	require.NoFileExists(t, path+newSuffix)
}

// TestCreationAfterAnInterruptedOne: the temporary file of an interrupted creation does
// not prevent a later one.
func TestCreationAfterAnInterruptedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.WriteFile(path+newSuffix, []byte("half a sto"), 0o600))
	s := openStore(t, path, Options{})
	put(t, s, "k", "v")
	require.NoFileExists(t, path+newSuffix)
}

// TestModeOfTheFiles: every file has the permission in Options.Mode.
func TestModeOfTheFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	s := tempStore(t, Options{Mode: 0o664})
	fires := watchKey(t, s, "k", "")
	put(t, s, "k", "v")
	require.NoError(t, wait(t, fires, "the watch"))
	for path, want := range map[string]os.FileMode{
		s.path:                0o664,
		s.path + lockSuffix:   0o664,
		s.path + signalSuffix: os.ModeDir | 0o775,
		signalPath(s.path, signalNumber([]byte("k"))): 0o664,
	} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

// TestOpenTimeout: Open waits for other processes for at most OpenTimeout.
func TestOpenTimeout(t *testing.T) {
	path := tempStore(t, Options{}).path
	other, err := openHostLock(path, defaultMode)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.close()) }()
	require.NoError(t, other.acquire(t.Context(), nil, exclusive))
	begin := time.Now()
	_, err = Open(path, Options{OpenTimeout: 10 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), defaultOpenTimeout/2)
}
