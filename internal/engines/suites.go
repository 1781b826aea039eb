package engines

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// TidyMem describes memkv for the suite of a protocol. Each test must remove what it wrote.
func TidyMem() suite.Engine {
	prefix := []byte("prefix/")
	return suite.Engine{
		Name:   "memkv",
		Prefix: prefix,
		Open: func(t testing.TB) kv.Database {
			t.Helper()
			return Tidy(t, prefix)
		},
	}
}

// TempFile describes filekv for the suite of a protocol.
func TempFile() suite.Engine {
	return suite.Engine{
		Name: "filekv",
		Open: func(t testing.TB) kv.Database {
			t.Helper()
			db, err := filekv.Open(filepath.Join(t.TempDir(), "store"), filekv.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		},
	}
}
