package election_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/electiontest"
	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func TestOnMemkv(t *testing.T) {
	prefix := []byte("prefix/")
	electiontest.Run(t, electiontest.Engine{
		Name:   "memkv",
		Prefix: prefix,
		Open: func(t testing.TB) kv.Database {
			t.Helper()
			return engines.Tidy(t, prefix)
		},
	})
}

func TestOnFilekv(t *testing.T) {
	electiontest.Run(t, electiontest.Engine{
		Name: "filekv",
		Open: func(t testing.TB) kv.Database {
			t.Helper()
			db, err := filekv.Open(filepath.Join(t.TempDir(), "store"), filekv.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		},
	})
}
