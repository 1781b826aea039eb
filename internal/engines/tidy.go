package engines

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Tidy opens a memkv for a test that must write only below prefix and remove
// everything that it wrote. The test fails if it does not, because it would leave
// keys behind in a shared database.
func Tidy(t testing.TB, prefix []byte) *memkv.DB {
	t.Helper()
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{
		Before: func(_ context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return nil
			}
			for _, m := range c.Commit.Mutations {
				if !bytes.HasPrefix(m.Key, prefix) {
					t.Errorf("the test wrote %q, which is not below %q", m.Key, prefix)
				}
				if m.Kind == memkv.MutationClearRange && !bytes.HasPrefix(m.Value, prefix) {
					t.Errorf("the test cleared a range up to %q, which is not below %q", m.Value, prefix)
				}
			}
			return nil
		},
	}})
	t.Cleanup(func() {
		contents, err := kvtest.Contents(context.Background(), db)
		require.NoError(t, err)
		require.Empty(t, contents, "the test left keys behind")
	})
	return db
}
