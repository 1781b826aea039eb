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

// refusal is what a child says of an Open that should fail.
type refusal struct {
	Error      string
	Permission bool
}

// openRefused opens the store and tells the error.
func openRefused(c *childSide) error {
	db, err := c.open()
	if err == nil {
		return errors.Join(errors.New("it was opened"), db.Close())
	}
	return c.out.Encode(refusal{err.Error(), errors.Is(err, fs.ErrPermission)})
}

// nobody is a user without rights. Root has them all, whatever a file says.
const nobody = 65534

// asNobody makes a child run as a user without rights.
func asNobody(t *testing.T) func(cmd *exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		if os.Getuid() != 0 {
			return
		}
		// The test binary is where only its builder can read.
		binary, err := os.ReadFile(cmd.Path)
		require.NoError(t, err)
		cmd.Path = filepath.Join(t.TempDir(), "child")
		require.NoError(t, os.WriteFile(cmd.Path, binary, 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(cmd.Path)), 0o755))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// own gives files to the user whose rights are tried.
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
		}, []string{"cannot open the file", "permissions"}},
		{"a store of somebody else", func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			own(t, dir, path+".lock")
			require.NoError(t, os.Chmod(path, 0))
			return path
		}, []string{"cannot open the file", "permissions"}},
		{"a read-only lock file", func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			own(t, dir, path, path+".lock")
			require.NoError(t, os.Chmod(path+".lock", 0o400))
			return path
		}, []string{"cannot open the lock file", "permissions"}},
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
			spawn(t, "refuse", path, asNobody(t)).hear(&answer)
			require.True(t, answer.Permission, answer.Error)
			require.Contains(t, answer.Error, path)
			for _, says := range c.says {
				require.Contains(t, answer.Error, says)
			}
		})
	}
}

// limited is what a child says of a commit for which there is no room.
type limited struct {
	Error   string
	Code    int
	Outcome kv.Outcome
	After   string // the value of the key before and after
	Small   string // the error of a small commit after that
}

// commitBeyondLimit commits more than the file may have.
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

// A commit for which the disk has no room is not there, says so, and harms
// neither what is there nor later commits.
func TestDiskFull(t *testing.T) {
	path := makeStore(t, t.TempDir())
	var answer limited
	spawn(t, "limit", path).hear(&answer)
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
