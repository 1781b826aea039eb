package elector_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/electortest"
	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// The suite runs in virtual time. In real time it takes half a minute, most of it waiting for
// leases, and TestOnFilekv does that too.
func TestOnMemkv(t *testing.T) {
	prefix := []byte("prefix/")
	electortest.Run(t, electortest.Engine{
		Name:   "memkv",
		Prefix: prefix,
		// A long run uses real time, as a real database does.
		Virtual: !longtest.Enabled(),
		Open: func(t testing.TB) func() kv.Database {
			t.Helper()
			db := engines.Tidy(t, prefix)
			return func() kv.Database { return db.NewClient("", memkv.ClientOptions{}) }
		},
	})
}

func TestOnFilekv(t *testing.T) {
	electortest.Run(t, electortest.Engine{
		Name: "filekv",
		Open: func(t testing.TB) func() kv.Database {
			path := filepath.Join(t.TempDir(), "store")
			return func() kv.Database {
				db, err := filekv.Open(path, filekv.Options{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, db.Close()) })
				return db
			}
		},
	})
}
