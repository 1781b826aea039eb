package election_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election/electiontest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func TestOnMemkv(t *testing.T) {
	electiontest.Run(t, electiontest.Engine{
		Name: "memkv",
		Open: func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) },
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
