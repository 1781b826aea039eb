package engines

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Tidy opens a memkv for a test that promises to write only below a prefix, and
// to remove what it wrote. A test that does not keep this fails: it would leave
// keys behind in a database that others use too.
func Tidy(t testing.TB, prefix []byte) *memkv.DB {
	t.Helper()
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{
		Before: func(_ context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return nil
			}
			for _, m := range c.Commit.Mutations {
				if !bytes.HasPrefix(m.Key, prefix) {
					t.Errorf("%q is written, which does not begin with %q", m.Key, prefix)
				}
				if m.Kind == memkv.MutationClearRange && !bytes.HasPrefix(m.Value, prefix) {
					t.Errorf("the range up to %q is cleared, which does not begin with %q", m.Value, prefix)
				}
			}
			return nil
		},
	}})
	t.Cleanup(func() {
		contents, err := kvtest.Contents(context.Background(), db)
		require.NoError(t, err)
		require.Empty(t, contents, "the test leaves keys behind")
	})
	return db
}
