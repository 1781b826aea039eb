//go:build unix

package filekv_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// refusal is a child's report about an Open that should fail.
type refusal struct {
	Error      string
	Permission bool
}

// openRefused opens the store and reports the error.
func openRefused(c *childSide) error {
	db, err := c.open()
	if err == nil {
		return errors.Join(errors.New("the store was opened"), db.Close())
	}
	return c.out.Encode(refusal{err.Error(), errors.Is(err, fs.ErrPermission)})
}

// nobody is a user without permissions. Root ignores file permissions.
const nobody = 65534

// asNobody makes a child run as nobody.
func asNobody(t *testing.T) func(cmd *exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		if os.Getuid() != 0 {
			return
		}
		// The directory of the test binary is readable only for the current user.
		binary, err := os.ReadFile(cmd.Path)
		require.NoError(t, err)
		cmd.Path = filepath.Join(t.TempDir(), "child")
		require.NoError(t, os.WriteFile(cmd.Path, binary, 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(cmd.Path)), 0o755))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// own makes nobody the owner of files.
func own(t *testing.T, paths ...string) {
	t.Helper()
	if os.Getuid() == 0 {
		for _, path := range paths {
			require.NoError(t, os.Chown(path, nobody, nobody))
		}
	}
}

func TestOpenWithoutRights(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) string
		says    []string
	}{
		{"a read-only store", func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			own(t, dir, path, path+".lock")
			require.NoError(t, os.Chmod(path, 0o400))
			return path
		}, []string{"cannot open the file", "permission"}},
		{"a store of another user", func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			own(t, dir, path+".lock")
			require.NoError(t, os.Chmod(path, 0))
			return path
		}, []string{"cannot open the file", "permission"}},
		{"a read-only lock file", func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			own(t, dir, path, path+".lock")
			require.NoError(t, os.Chmod(path+".lock", 0o400))
			return path
		}, []string{"cannot open the lock file", "permission"}},
		{"a read-only directory", func(t *testing.T, dir string) string {
			own(t, dir)
			require.NoError(t, os.Chmod(dir, 0o500))
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			return filepath.Join(dir, "store")
		}, []string{"cannot open the lock file", "directory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.prepare(t, dir)
			var answer refusal
			spawn(t, "refuse", path, asNobody(t)).receive(&answer)
			require.True(t, answer.Permission, answer.Error)
			require.Contains(t, answer.Error, path)
			for _, says := range c.says {
				require.Contains(t, answer.Error, says)
			}
		})
	}
}

// limited is a child's report about a commit that exceeds the file size limit.
type limited struct {
	Error   string
	Code    int
	Outcome kv.Outcome
	After   string // the value of the key after the failed commit
	Small   string // the error of a later small commit
}

// commitBeyondLimit commits more than the file size limit allows.
func commitBeyondLimit(c *childSide) error {
	db, err := c.open()
	if err != nil {
		return err
	}
	ignoreFileSizeSignal()
	if err := limitFileSize(256 << 10); err != nil {
		return err
	}
	ctx := context.Background()
	err = db.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set([]byte("k"), []byte("large"))
		for key := range strings.SplitSeq("abcdefghij", "") {
			tr.Set([]byte(key), make([]byte, 50_000))
		}
		return nil
	})
	answer := limited{Code: kv.CodeOf(err), Outcome: kv.OutcomeOf(err)}
	if err != nil {
		answer.Error = err.Error()
	}
	value, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get([]byte("k")).Get() })
	if err != nil {
		return err
	}
	answer.After = string(value)
	err = db.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set([]byte("k"), []byte("small"))
		return nil
	})
	if err != nil {
		answer.Small = err.Error()
	}
	return c.out.Encode(answer)
}

// TestDiskFull: a commit that does not fit on the disk fails with NotCommitted. It
// does not affect stored data or later commits.
func TestDiskFull(t *testing.T) {
	path := makeStore(t, t.TempDir())
	var answer limited
	spawn(t, "limit", path).receive(&answer)
	require.Equal(t, kv.CodeIOError, answer.Code, answer.Error)
	require.Equal(t, kv.NotCommitted, answer.Outcome, answer.Error)
	require.Contains(t, answer.Error, path)
	require.Contains(t, answer.Error, "file too large")
	require.Equal(t, "v", answer.After)
	require.Empty(t, answer.Small)

	db, err := filekv.Open(path, filekv.Options{MustExist: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	value, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get([]byte("k")).Get() })
	require.NoError(t, err)
	require.Equal(t, "small", string(value))
}
