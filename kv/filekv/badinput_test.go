//go:build unix

package filekv_test

import (
	"context"
	"encoding/binary"
	"io/fs"
	"os"
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

// writeFile creates a file with the given content.
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
	says    string // a part of the error
}{
	{
		name:    "missing with MustExist",
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
		name: "a dangling link",
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
		name: "an empty bbolt file",
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
		name: "a newer format",
		prepare: func(t *testing.T, dir string) string {
			return editMeta(t, dir, "format", binary.BigEndian.AppendUint32(nil, 2))
		},
		is: filekv.ErrNewerFormat, says: "newer program",
	},
	{
		name: "a format that does not exist",
		prepare: func(t *testing.T, dir string) string {
			return editMeta(t, dir, "format", binary.BigEndian.AppendUint32(nil, 0))
		},
		is: filekv.ErrDamaged, says: "format 0",
	},
	{
		name:    "no format",
		prepare: func(t *testing.T, dir string) string { return editMeta(t, dir, "format", nil) },
		is:      filekv.ErrDamaged, says: "no format number",
	},
	{
		name:    "no id",
		prepare: func(t *testing.T, dir string) string { return editMeta(t, dir, "id", []byte("short")) },
		is:      filekv.ErrDamaged, says: "no valid id",
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

// TestOpenBadInput: Open fails with an error that names the file and does not change
// it.
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
			require.Equal(t, before, snapshot(t, dir), "a file was changed")
		})
	}
}

// snapshot returns the content of a directory, without empty lock files.
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
