//go:build unix

package filekv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// TestDiskErrorInCommit: a disk error says whether the commit may be in the file.
func TestDiskErrorInCommit(t *testing.T) {
	failure := syscall.EIO
	s := tempStore(t, Options{})
	s.afterWrite = func() error { return failure }
	_, err := s.Commit(t.Context(), setting("k", "written"))
	requireError(t, err, s, kv.CodeIOError, kv.Unsettled)
	require.ErrorIs(t, err, failure)
	value, _ := get(t, s, "k", 0)
	require.Equal(t, "written", value)

	s.afterWrite = nil
	err = s.commitFailed(failure, 1<<62) // a version that is not in the file
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
}

// TestPanicBreaksTheStore: a panic, as damaged pages cause it, becomes an error and
// releases all locks. The DB does not use the file any more.
func TestPanicBreaksTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path, Options{})
	s.beforeWrite = func() { panic("pages") }
	_, err := s.Commit(t.Context(), setting("k", "v"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrDamaged)

	s.beforeWrite = nil
	_, err = s.Commit(t.Context(), setting("k", "v"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	_, err = s.Read(t.Context(), 0, nil)
	require.ErrorIs(t, err, ErrDamaged)

	other := openStore(t, path, Options{})
	put(t, other, "k", "v")
	other.afterWrite = func() error { panic("pages") }
	_, err = other.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, other, kv.CodeIOError, kv.Unsettled)
}

// TestTruncatedWhileOpen: operations on a truncated file return errors, even if it is
// truncated while it is mapped.
func TestTruncatedWhileOpen(t *testing.T) {
	t.Run("before a read", func(t *testing.T) {
		s := tempStore(t, Options{})
		put(t, s, "k", "v")
		require.NoError(t, os.Truncate(s.path, int64(2*os.Getpagesize())))
		_, err := s.Read(t.Context(), 0, []*client.Read{{Key: []byte("k")}})
		requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
		require.ErrorIs(t, err, ErrDamaged)
	})
	t.Run("during a commit", func(t *testing.T) {
		s := tempStore(t, Options{})
		put(t, s, "k", "v")
		s.beforeWrite = func() {
			if err := os.Truncate(s.path, int64(2*os.Getpagesize())); err != nil {
				panic(err)
			}
		}
		_, err := s.Commit(t.Context(), setting("k", "w"))
		require.Error(t, err)
		require.Equal(t, kv.CodeIOError, kv.CodeOf(err), "%v", err)
		_, err = s.Read(t.Context(), 0, []*client.Read{{Key: []byte("k")}})
		require.Equal(t, kv.CodeIOError, kv.CodeOf(err), "%v", err)
	})
}

// TestReplacedWhileOpen: operations fail if the file is removed or replaced while the
// store is open. They do not create a new file.
func TestReplacedWhileOpen(t *testing.T) {
	s := tempStore(t, Options{})
	put(t, s, "k", "v")
	aside := s.path + ".aside"
	require.NoError(t, os.Rename(s.path, aside))
	_, err := s.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, s.path)

	other := openStore(t, s.path, Options{})
	_, err = s.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrReplaced)
	value, _ := get(t, other, "k", 0)
	require.Equal(t, "(absent)", value)

	require.NoError(t, os.Rename(aside, s.path))
	value, _ = get(t, s, "k", 0)
	require.Equal(t, "v", value)
}

func TestErrorsWithoutCode(t *testing.T) {
	require.NoError(t, toKVError(nil))
	plain := errors.New("plain")
	require.Equal(t, kv.Error{Code: kv.CodeIOError, Err: plain}, toKVError(plain))
	conflict := kv.Error{Code: kv.CodeNotCommitted}
	require.Equal(t, conflict, toKVError(fmt.Errorf("wrapped: %w", conflict)))
}
