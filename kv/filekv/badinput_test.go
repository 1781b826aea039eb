package filekv_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// makeStore creates a store with a key in it and returns its path.
func makeStore(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "store")
	db, err := filekv.Open(path, filekv.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set([]byte("k"), []byte("v"))
		return nil
	}))
	require.NoError(t, db.Close())
	return path
}

// writeFile makes a file of that content.
func writeFile(t *testing.T, dir string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, "store")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// edit changes a store as another program could, through bbolt.
func edit(t *testing.T, path string, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(fn))
	require.NoError(t, db.Close())
}

// editMeta changes a field of the meta bucket.
func editMeta(t *testing.T, dir, field string, value []byte) string {
	t.Helper()
	path := makeStore(t, dir)
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte(field), value) })
	return path
}

var badStores = []struct {
	name    string
	prepare func(t *testing.T, dir string) (path string)
	opts    filekv.Options
	is      error
	says    string // what the error tells beside the path
}{
	{
		name:    "missing, and must exist",
		prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, "store") },
		opts:    filekv.Options{MustExist: true},
		is:      fs.ErrNotExist, says: "check the path",
	},
	{
		name:    "missing directory",
		prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, "nowhere", "store") },
		is:      fs.ErrNotExist, says: "nowhere",
	},
	{
		name:    "no path",
		prepare: func(*testing.T, string) string { return "" },
		is:      fs.ErrInvalid, says: "name a file",
	},
	{
		name:    "a directory",
		prepare: func(_ *testing.T, dir string) string { return dir },
		is:      filekv.ErrNotAStore, says: "directory",
	},
	{
		name: "below a file",
		prepare: func(t *testing.T, dir string) string {
			return filepath.Join(writeFile(t, dir, []byte("text")), "store")
		},
		is: syscall.ENOTDIR, says: "cannot find",
	},
	{
		name: "a named pipe",
		prepare: func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "store")
			require.NoError(t, syscall.Mkfifo(path, 0o600))
			return path
		},
		is: filekv.ErrNotAStore, says: "not a regular file",
	},
	{
		name: "a link to nowhere",
		prepare: func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "store")
			require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), path))
			return path
		},
		is: fs.ErrNotExist, says: "symbolic link",
	},
	{
		name:    "empty",
		prepare: func(t *testing.T, dir string) string { return writeFile(t, dir, nil) },
		is:      filekv.ErrNotAStore, says: "empty",
	},
	{
		name:    "text",
		prepare: func(t *testing.T, dir string) string { return writeFile(t, dir, []byte("leader: a\n")) },
		is:      filekv.ErrNotAStore, says: "not a bbolt file",
	},
	{
		name: "random bytes",
		prepare: func(t *testing.T, dir string) string {
			return writeFile(t, dir, []byte(strings.Repeat("\x8f\x01\xed\xcd", 1<<14)))
		},
		is: filekv.ErrNotAStore, says: "not a bbolt file",
	},
	{
		name: "cut off",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			require.NoError(t, os.Truncate(path, int64(2*os.Getpagesize()+100)))
			return path
		},
		is: filekv.ErrDamaged, says: "cut off",
	},
	{
		name: "a bbolt file without anything",
		prepare: func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "store")
			edit(t, path, func(*bbolt.Tx) error { return nil })
			return path
		},
		is: filekv.ErrNotAStore, says: "another program",
	},
	{
		name: "a bbolt file of another program",
		prepare: func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "store")
			edit(t, path, func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte("meta"))
				if err != nil {
					return err
				}
				return b.Put([]byte("magic"), []byte("of another"))
			})
			return path
		},
		is: filekv.ErrNotAStore, says: "another program",
	},
	{
		name: "a format of the future",
		prepare: func(t *testing.T, dir string) string {
			return editMeta(t, dir, "format", binary.BigEndian.AppendUint32(nil, 2))
		},
		is: filekv.ErrNewerFormat, says: "newer program",
	},
	{
		name: "a format that never was",
		prepare: func(t *testing.T, dir string) string {
			return editMeta(t, dir, "format", binary.BigEndian.AppendUint32(nil, 0))
		},
		is: filekv.ErrDamaged, says: "format 0",
	},
	{
		name:    "no format",
		prepare: func(t *testing.T, dir string) string { return editMeta(t, dir, "format", nil) },
		is:      filekv.ErrDamaged, says: "no format",
	},
	{
		name:    "no identity",
		prepare: func(t *testing.T, dir string) string { return editMeta(t, dir, "id", []byte("short")) },
		is:      filekv.ErrDamaged, says: "identity",
	},
	{
		name: "a damaged newest version",
		prepare: func(t *testing.T, dir string) string {
			return editMeta(t, dir, "state", make([]byte, 28))
		},
		is: filekv.ErrDamaged, says: "newest version",
	},
	{
		name: "no data",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("data")) })
			return path
		},
		is: filekv.ErrDamaged, says: "a part of it is missing",
	},
	{
		name: "a bbolt file without a list of free pages",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("data")).Put([]byte("kx"), nil) }))
			require.NoError(t, db.Close())
			return path
		},
		is: filekv.ErrDamaged, says: "another program",
	},
	{
		name: "a lock file that is a directory",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			require.NoError(t, os.Remove(path+".lock"))
			require.NoError(t, os.Mkdir(path+".lock", 0o700))
			return path
		},
		is: syscall.EISDIR, says: "lock file",
	},
	{
		name: "a lock file that is a pipe",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			require.NoError(t, os.Remove(path+".lock"))
			require.NoError(t, syscall.Mkfifo(path+".lock", 0o600))
			return path
		},
		is: fs.ErrInvalid, says: "lock file",
	},
	{
		name: "held by another program",
		prepare: func(t *testing.T, dir string) string {
			path := makeStore(t, dir)
			holder, err := bbolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, holder.Close()) })
			return path
		},
		opts: filekv.Options{OpenTimeout: 100 * time.Millisecond},
		is:   context.DeadlineExceeded, says: "another program holds the file",
	},
}

// What cannot be opened gives an error that names it, and is as it was before.
func TestOpenBadInput(t *testing.T) {
	for _, c := range badStores {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.prepare(t, dir)
			before := snapshot(t, dir)
			db, err := filekv.Open(path, c.opts)
			require.Error(t, err)
			require.Nil(t, db)
			require.ErrorIs(t, err, c.is)
			var se *filekv.StoreError
			require.ErrorAs(t, err, &se)
			require.Contains(t, err.Error(), path)
			require.Contains(t, err.Error(), c.says)
			require.Equal(t, before, snapshot(t, dir), "something was changed")
		})
	}
}

// snapshot returns what is in a directory, but for empty lock files.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			files[path] = d.Type().String()
			return err
		}
		content, err := os.ReadFile(path)
		if len(content) > 0 || !strings.HasSuffix(path, ".lock") {
			files[path] = string(content)
		}
		return err
	}))
	return files
}

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
		for _, key := range strings.Split("abcdefghij", "") {
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
	require.Equal(t, kv.Absent, answer.Outcome, answer.Error)
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
